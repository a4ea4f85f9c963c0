/** How statements are run, by whatever runs them. */
import type { Client } from 'pg';

/** Runs one statement in one session, a server's or an embedded database's, and returns its rows. */
export type Query = <Row extends object>(text: string, values?: unknown[]) => Promise<Row[]>;

/** A client of `pg` as the comparison uses it. */
export function queryOf(client: Client): Query {
	return async <Row extends object>(text: string, values?: unknown[]) => (await client.query<Row>(text, values)).rows;
}
