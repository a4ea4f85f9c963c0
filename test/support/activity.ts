/** What a server says its sessions are doing, and waiting until it says it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { sql } from './postgres';

/** A query with a row for each pg_dump at work in a database. */
export function backends(database: string, condition = 'true'): string {
	return `SELECT pid FROM pg_stat_activity WHERE application_name = 'pg_dump' AND datname = '${database}' AND ${condition}`;
}

/** A query with a row when no pg_dump is at work in a database. */
export function noBackend(database: string): string {
	return `SELECT 1 WHERE NOT EXISTS (${backends(database)})`;
}

/** Waits for a query to have a row; the test's own time-out is the limit. */
export async function eventually(target: DatabaseTarget, query: string): Promise<void> {
	while ((await sql(target, query)).length === 0) await delay(20);
}
