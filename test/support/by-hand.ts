/** What an administrator does without this package: opens a stored dump with age, zstd and psql, and looks whether all is there. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { sql, sqlEach } from './postgres';

const execute = promisify(execFile);
const MAX_OUTPUT = 256 * 1024 * 1024;

/**
 * Restores an encrypted plain dump into an empty database; any error of any of the three programs is an error.
 * @param file `dump.sql.zst.age`
 * @param identityFile as age-keygen writes it
 */
export async function restoreByHand(file: string, identityFile: string, into: DatabaseTarget): Promise<void> {
	// pg_dump 17 and later set this one for every server; older servers do not know it and psql would stop there.
	const forOlderServers = "sed -e '/^SET transaction_timeout = 0;$/d'";
	const psql = 'psql -X -q -v ON_ERROR_STOP=1 --single-transaction';
	const command = `age -d -i "$1" "$2" | zstd -d | ${forOlderServers} | ${psql}`;
	await execute('bash', ['-o', 'pipefail', '-c', command, 'restore', identityFile, file], {
		env: { ...process.env, ...clientEnvironment(into) },
		maxBuffer: MAX_OUTPUT,
	});
}

/** The whole definition of a database, by Debian's pg_dump, as text that is the same for the same definition. */
export async function definitionOf(target: DatabaseTarget): Promise<string> {
	const { stdout } = await execute('pg_dump', ['--schema-only'], {
		env: { ...process.env, ...clientEnvironment(target) },
		maxBuffer: MAX_OUTPUT,
	});
	// A random word, against psql commands that hide in names; another one in every dump.
	return stdout.replace(/^\\(un)?restrict .*$/gm, '');
}

/** A digest of all rows of every table, sequence and large object of a database, by name. */
export async function rowsOf(target: DatabaseTarget): Promise<Record<string, string>> {
	const tables = await sql<{ name: string; kind: string }>(
		target,
		`SELECT c.oid::regclass::text AS name, c.relkind AS kind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		 WHERE c.relkind IN ('r', 'm', 'S') AND c.relispopulated AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
		 ORDER BY 1`,
	);
	const queries = new Map<string, string>();
	for (const { name, kind } of tables) {
		// The third column of a sequence says how many values are prepared ahead of time: no fact of the database.
		const line = kind === 'S' ? "last_value || ' ' || is_called" : 't::text';
		queries.set(name, digestOf(`SELECT ${line} AS line FROM ONLY ${name} t`));
	}
	queries.set(
		'large objects',
		digestOf(`SELECT m.oid::text || md5(lo_get(m.oid)) AS line FROM pg_largeobject_metadata m`),
	);
	const rows = await sqlEach<{ digest: string }>(target, queries);
	return Object.fromEntries([...rows].map(([name, { digest }]) => [name, digest]));
}

/** A query for the number and one digest of the lines that another query gives, in the order of bytes: collations differ. */
function digestOf(query: string): string {
	return `SELECT count(*) || ' rows, ' || coalesce(md5(string_agg(line, E'\\n' ORDER BY line COLLATE "C")), '-') AS digest
		 FROM (${query}) AS lines`;
}

/** libpq's environment variables; a password on the command line would be visible to everybody. */
function clientEnvironment(target: DatabaseTarget): NodeJS.ProcessEnv {
	return {
		PGHOST: target.host,
		PGPORT: String(target.port),
		PGUSER: target.user,
		PGPASSWORD: target.password,
		PGDATABASE: target.database,
		PGTZ: 'UTC',
	};
}
