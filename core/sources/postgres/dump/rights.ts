/** What a dump needs of the user who makes it, found out before: pg_dump stops at the first thing that it may not read. */
import { BackupError } from '../../../base/errors';
import type { Query } from '../connection/query';
import type { DumpFilter } from './engines/engine';
import type { DumpedTable } from './facts';

/** One holds the snapshot, the other one is pg_dump's. */
const CONNECTIONS = 2;
const NAMED = 5;

interface Unreadable {
	kind: 'table' | 'sequence' | 'large object';
	name: string;
	reason: string;
}

/** Relations that a dump reads or locks: tables by OID, and, where it has them, sequences, parents of partitions, large objects. */
const UNREADABLE = `
	SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind,
		n.nspname || '.' || c.relname AS name, CASE
			WHEN NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE') THEN 'no USAGE on its schema'
			WHEN NOT pg_catalog.has_table_privilege(c.oid, 'SELECT') THEN 'no SELECT'
			ELSE 'row security hides rows' END AS reason
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE (c.oid = ANY ($1::oid[]) OR $2 AND c.relkind IN ('S', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
			AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
				WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'))
		AND (NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE') OR NOT pg_catalog.has_table_privilege(c.oid, 'SELECT')
			OR c.relkind = 'r' AND pg_catalog.row_security_active(c.oid))
	UNION ALL
	SELECT 'large object', m.oid::text, 'no SELECT' FROM pg_catalog.pg_largeobject_metadata m
	WHERE $2 AND NOT pg_catalog.pg_has_role(m.lomowner, 'USAGE') AND NOT EXISTS (
		SELECT FROM pg_catalog.aclexplode(m.lomacl) AS a WHERE a.privilege_type = 'SELECT'
			AND CASE a.grantee WHEN 0 THEN true ELSE pg_catalog.pg_has_role(a.grantee, 'USAGE') END)
		AND pg_catalog.current_setting('lo_compat_privileges') = 'off'
	ORDER BY 1 DESC, 2`;

/**
 * Whether the user may read all that a dump holds.
 * @param tables whose rows it holds
 * @throws BackupError 'access-denied' naming what it may not; what the query throws
 */
export async function assertReadable(query: Query, tables: readonly DumpedTable[], filter: DumpFilter): Promise<void> {
	const everything = isEverything(filter) && !filter.schemaOnly;
	const found = await query<Unreadable>(UNREADABLE, [tables.map(({ oid }) => oid), everything]);
	if (found.length === 0) return;
	const kinds = [...new Set(found.map(({ kind }) => kind))];
	const words = kinds.map((kind) => {
		const refused = found.filter((each) => each.kind === kind);
		const named = refused.slice(0, NAMED).map(({ name, reason }) => `${name} (${reason})`);
		const many = kind === 'table' ? `${refused.length} of ${tables.length} tables` : `${refused.length} ${kind}s`;
		return `${many} cannot be dumped: ${named.join(', ')}${refused.length > NAMED ? ', …' : ''}`;
	});
	throw new BackupError('access-denied', words.join('; '), { hint: hintFor(found) });
}

function hintFor(found: readonly Unreadable[]): string {
	const isHidden = ({ reason }: Unreadable) => reason.startsWith('row security');
	const isObject = ({ kind }: Unreadable) => kind === 'large object';
	const grants = [
		...(found.some((each) => !isHidden(each) && !isObject(each))
			? ['membership in pg_read_all_data (PostgreSQL 14 or later), or SELECT and USAGE']
			: []),
		...(found.some(isHidden) ? ['the attribute BYPASSRLS'] : []),
		// No role that comes with the server reads them.
		...(found.some(isObject) ? ['SELECT on each large object, or membership in the roles that own them'] : []),
	];
	return `Grant the user ${grants.join(', and ')}; or leave these out by the filter.`;
}

function isEverything({ schemas, excludeSchemas, tables, excludeTables }: DumpFilter): boolean {
	return [schemas, excludeSchemas, tables, excludeTables].every((patterns) => !patterns?.length);
}

/** As pg_user_mappings shows them: to whom they are for, and to owners of servers for everybody's. */
const HIDDEN_MAPPINGS = `
	SELECT pg_catalog.count(*)::int AS n FROM pg_catalog.pg_user_mappings m JOIN pg_catalog.pg_foreign_server s ON s.oid = m.srvid
	WHERE m.umoptions IS NULL AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
		AND NOT (m.usename = current_user AND pg_catalog.has_server_privilege(s.oid, 'USAGE'))
		AND NOT (m.umuser = 0 AND pg_catalog.pg_has_role(s.srvowner, 'USAGE'))`;

/** @returns a warning where a dump holds user mappings without what they say, as pg_dump leaves out what it may not see */
export async function hiddenMappings(query: Query, { schemas, tables }: DumpFilter): Promise<string[]> {
	if (schemas?.length || tables?.length) return [];
	const [row] = await query<{ n: number }>(HIDDEN_MAPPINGS);
	if (row!.n === 0) return [];
	return [
		`${row!.n} user mapping${row!.n === 1 ? '' : 's'} of foreign servers will be restored without user and password, which only a superuser may read`,
	];
}

/** @throws BackupError 'unreachable' where the user or the database has too few connections; what the query throws */
export async function assertConnections(query: Query): Promise<void> {
	const [me] = await query<{ of_role: number; of_database: number }>(`
		SELECT r.rolconnlimit AS of_role, d.datconnlimit AS of_database
		FROM pg_catalog.pg_roles r, pg_catalog.pg_database d
		WHERE r.rolname = current_user AND NOT r.rolsuper AND d.datname = pg_catalog.current_database()`);
	if (!me) return; // of superusers nobody counts
	const tooFew = (limit: number) => limit >= 0 && limit < CONNECTIONS;
	if (!tooFew(me.of_role) && !tooFew(me.of_database)) return;
	const [whose, how] = tooFew(me.of_role) ? ['user', 'ALTER ROLE'] : ['database', 'ALTER DATABASE'];
	throw new BackupError(
		'unreachable',
		`the ${whose} may have one connection at a time, and a dump needs ${CONNECTIONS}`,
		{
			hint: `Raise its limit: ${how} … CONNECTION LIMIT 5.`,
		},
	);
}
