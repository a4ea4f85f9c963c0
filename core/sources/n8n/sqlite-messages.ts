/** What the thread that looks at n8n's SQLite database is given, and what it says. */
import type { ToldFault } from '../files/faults.ts';
import type { Opened } from './credentials.ts';

export interface SqliteJob {
	/** The database, which nobody else has open. */
	file: string;
	/** null where there is none: then nothing is tried, and only counted. */
	key: string | null;
}

/** `none`: it is no database of n8n. */
export type SqliteMessage = { kind: 'opened'; opened: Opened } | { kind: 'none' } | { kind: 'fault'; fault: ToldFault };
