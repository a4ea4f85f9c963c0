/**
 * Looks at every table and every B-tree index of a cluster that was restored as a test, with PostgreSQL's own extension `amcheck`, as the
 * program `pg_amcheck` does. Nothing that users have made is run.
 */
import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { abortError, BackupError } from '../../../../base/errors';
import type { RestoreRun } from '../../../source';
import { sqlStateOf } from '../../connection/sql-state';
import type { PrivateServer } from './server';

/** So many are named. */
const MAX_EXAMPLES = 5;
/** "data_corrupted" and "index_corrupted" (PostgreSQL manual, appendix A). */
const CORRUPTED = ['XX001', 'XX002'];

/**
 * Looks.
 * @param names the databases that can be opened
 * @param warn is told of what could not be looked at
 * @returns how many tables and indexes were looked at; null where the server has no such extension
 * @throws BackupError 'damaged', 'cancelled'
 */
export async function checkRelations(
	server: Pick<PrivateServer, 'connect'>,
	names: readonly string[],
	{ signal, warn }: Pick<RestoreRun, 'signal' | 'warn'>,
): Promise<number | null> {
	let relations = 0;
	const problems: string[] = [];
	for (const name of names) {
		const client = await server.connect(name, { patienceMs: 0 });
		const stop = () => client.connection.stream.destroy();
		signal.addEventListener('abort', stop, { once: true });
		try {
			signal.throwIfAborted();
			if (!(await isThere(client))) return null;
			const schema = await install(client);
			for (const relation of await listRelations(client)) {
				const problem = await problemOf(client, schema, relation);
				relations++;
				if (problem !== null) problems.push(`${relation.name} of ${name}, ${problem}`);
			}
		} catch (error) {
			if (signal.aborted) throw abortError(signal);
			warn(`the tables and indexes of ${name} were not all looked at: ${(error as Error).message}`);
		} finally {
			signal.removeEventListener('abort', stop);
			await client.end().catch(() => undefined); // its connection may be broken
		}
	}
	if (problems.length > 0) throw damaged(problems);
	return relations;
}

function damaged(problems: readonly string[]): BackupError {
	const count = problems.length === 1 ? 'a table or index is' : `${problems.length} tables and indexes are`;
	const more = problems.length > MAX_EXAMPLES ? '; …' : '';
	return new BackupError(
		'damaged',
		`${count} not sound, as amcheck sees it: ${problems.slice(0, MAX_EXAMPLES).join('; ')}${more}`,
		{
			hint: 'Look on the server with pg_amcheck: an index is made anew by REINDEX, a table comes back from an older backup.',
		},
	);
}

async function isThere(client: Client): Promise<boolean> {
	const { rows } = await client.query(`SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'amcheck'`);
	return rows.length > 0;
}

interface Relation {
	oid: string;
	name: string;
	isIndex: boolean;
}

/** Functions of ours, whatever the cluster has under these names. @returns their schema, which needs no quotes */
async function install(client: Client): Promise<string> {
	// Before PostgreSQL 17, nothing else keeps them from running at what follows; dropping one runs none.
	const { rows } = await client.query<{ drop: string }>(
		`SELECT pg_catalog.format('DROP EVENT TRIGGER %I CASCADE', evtname) AS drop FROM pg_catalog.pg_event_trigger`,
	);
	for (const { drop } of rows) await client.query(drop);
	const schema = `n8n_backup_looks_${randomBytes(8).toString('hex')}`;
	await client.query(`DROP EXTENSION IF EXISTS amcheck CASCADE`);
	await client.query(`CREATE SCHEMA ${schema}`);
	await client.query(`CREATE EXTENSION amcheck WITH SCHEMA ${schema}`);
	return schema;
}

/**
 * Tables, where the server has a check for them, and indexes whose order is the same everywhere: one of words may be another by the
 * libraries of this machine, and one of a type that users have made would run their functions.
 */
async function listRelations(client: Client): Promise<Relation[]> {
	const { rows } = await client.query<Relation>(
		`SELECT c.oid::text AS oid, n.nspname || '.' || c.relname AS name, c.relkind = 'i' AS "isIndex"
		FROM pg_catalog.pg_class AS c
		JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
		LEFT JOIN pg_catalog.pg_am AS a ON a.oid = c.relam
		LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
		JOIN pg_catalog.pg_database AS d ON d.datname = pg_catalog.current_database()
		WHERE c.relpersistence = 'p' AND (
			c.relkind = 'i' AND a.amname = 'btree' AND i.indisvalid AND i.indisready
				AND NOT EXISTS (SELECT FROM pg_catalog.unnest(i.indclass::oid[]) AS class WHERE class >= 16384)
				AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS t WHERE t.attrelid = c.oid AND t.atttypid >= 16384)
				AND NOT EXISTS (SELECT FROM pg_catalog.unnest(i.indcollation::oid[]) AS used
					WHERE used NOT IN (0, 'pg_catalog."C"'::regcollation, 'pg_catalog."POSIX"'::regcollation)
						AND NOT (used = 'pg_catalog."default"'::regcollation AND d.datcollate IN ('C', 'POSIX')
							AND pg_catalog.to_jsonb(d) ->> 'datlocprovider' IS DISTINCT FROM 'i'))
			OR c.relkind IN ('r', 'm', 't') AND a.amname = 'heap'
				AND pg_catalog.current_setting('server_version_num')::int >= 140000)
		ORDER BY c.oid`,
	);
	return rows;
}

/** @returns what is wrong with it @throws what `pg` throws where it could not be looked at */
async function problemOf(client: Client, schema: string, { oid, isIndex }: Relation): Promise<string | null> {
	const check = isIndex
		? `SELECT NULL AS problem FROM ${schema}.bt_index_check($1::oid::regclass)`
		: `SELECT 'block ' || blkno || ': ' || msg AS problem FROM ${schema}.verify_heapam($1::oid::regclass) LIMIT 1`;
	try {
		const { rows } = await client.query<{ problem: string | null }>(check, [oid]);
		return rows[0]?.problem ?? null;
	} catch (error) {
		if (!CORRUPTED.includes(sqlStateOf(error) ?? '')) throw error;
		return (error as Error).message;
	}
}
