/** What a role must have to read a cluster over plain SQL: the right to run a few functions, which only superusers have as a rule. */
import { type Client, escapeLiteral } from 'pg';

/** Functions that changed their names with PostgreSQL 15. */
export function backupFunctions(major: number): string[] {
	return major >= 15
		? ['pg_backup_start(text, boolean)', 'pg_backup_stop(boolean)']
		: ['pg_start_backup(text, boolean, boolean)', 'pg_stop_backup(boolean, boolean)'];
}

/** Each of them is needed; membership in a role of the server, like pg_read_server_files, is not. */
const FILE_FUNCTIONS = [
	'pg_ls_dir(text, boolean, boolean)',
	'pg_stat_file(text, boolean)',
	'pg_read_binary_file(text, bigint, bigint, boolean)',
];

/** What a role may do. */
export interface Rights {
	/** As SQL writes it, quoted where it must be. */
	role: string;
	database: string;
	/** Functions that it may not run yet. */
	missing: string[];
	/** It may make, move and drop replication slots. */
	maySlot: boolean;
}

/** Asks what the role of a session may do, also over a connection for replication, which takes no values. @throws what `pg` throws */
export async function readRights(client: Client): Promise<Rights> {
	const { rows: versions } = await client.query<{ number: number }>(
		"SELECT pg_catalog.current_setting('server_version_num')::int AS number",
	);
	const functions = [...backupFunctions(Math.floor(versions[0]!.number / 10_000)), ...FILE_FUNCTIONS];
	const { rows } = await client.query<Rights>(
		`SELECT pg_catalog.quote_ident(current_user) AS role, pg_catalog.quote_ident(current_database()) AS database,
			ARRAY(SELECT name FROM pg_catalog.unnest(ARRAY[${functions.map(escapeLiteral).join()}]) AS name
				WHERE NOT pg_catalog.has_function_privilege('pg_catalog.' || name, 'EXECUTE')) AS missing,
			(SELECT rolsuper OR rolreplication FROM pg_catalog.pg_roles WHERE rolname = current_user) AS "maySlot"`,
	);
	return rows[0]!;
}

/** What a superuser must run to give what is missing; rights on functions belong to one database. */
export function grantStatement({ role, database, missing }: Rights): string {
	return `in the database ${database}: GRANT EXECUTE ON FUNCTION ${missing.map((name) => `pg_catalog.${name}`).join(', ')} TO ${role};`;
}
