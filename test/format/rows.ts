/** What a database holds, as text that can be kept in a file and read by people. */
import type { Query } from '../../core/sources/postgres/connection/query';

/** The rows of every table, and the state of every sequence and large object, by name. */
export async function rowsAsText(query: Query): Promise<Record<string, string[]>> {
	const relations = await query<{ name: string; source: string }>(
		`SELECT format('%I.%I', n.nspname, c.relname) AS name,
			format(CASE c.relkind WHEN 'S' THEN 'SELECT last_value || '' '' || is_called AS line FROM %I.%I'
				ELSE 'SELECT t::text AS line FROM ONLY %I.%I t ORDER BY t::text COLLATE "C"' END, n.nspname, c.relname) AS source
		 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		 WHERE c.relkind IN ('r', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1`,
	);
	const found: Record<string, string[]> = {};
	await query(`SELECT set_config('TimeZone', 'UTC', false), set_config('bytea_output', 'hex', false)`);
	for (const { name, source } of relations) {
		found[name] = (await query<{ line: string }>(source)).map(({ line }) => line);
	}
	const objects = await query<{ oid: string; digest: string }>(
		'SELECT oid::text, md5(lo_get(oid)) AS digest FROM pg_largeobject_metadata ORDER BY oid',
	);
	for (const { oid, digest } of objects) found[`large object ${oid}`] = [digest];
	return found;
}
