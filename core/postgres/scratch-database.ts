/** Databases that exist for one drill: made under a name of their own, never the source, always dropped. */
import type { DatabaseTarget } from './target';

/**
 * Where a drill may make its database. `server`: any database of it, only to connect for CREATE DATABASE; the user needs
 * CREATEDB. `embedded`: PostgreSQL in this process, for dumps of up to `maxBytes`.
 */
export type Scratch = { kind: 'server'; target: DatabaseTarget } | { kind: 'embedded'; maxBytes?: number };
