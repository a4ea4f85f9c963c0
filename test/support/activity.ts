/** What a server says its sessions are doing, and waiting until it says it. */
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { sql } from './postgres';
import { until } from './until';

/** A query with a row for each pg_dump at work in a database. */
export function backends(database: string, condition = 'true'): string {
	return `SELECT pid FROM pg_stat_activity WHERE application_name = 'pg_dump' AND datname = '${database}' AND ${condition}`;
}

/** A query with a row when no pg_dump is at work in a database. */
export function noBackend(database: string): string {
	return `SELECT 1 WHERE NOT EXISTS (${backends(database)})`;
}

/** Waits for a query to have a row. */
export async function eventually(target: DatabaseTarget, query: string): Promise<void> {
	await until(`this has a row: ${query}`, async () => (await sql(target, query)).length > 0);
}
