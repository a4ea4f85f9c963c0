/**
 * ALTER DATABASE … SET and ALTER ROLE … IN DATABASE … SET: applications rely on them as on the tables, and so do constraints.
 * Whoever could write to the storage could have changed what a backup says of them.
 */
import { escapeIdentifier, escapeLiteral } from 'pg';
import type { Allowance } from '../replay/allowances';
import type { Query } from '../connection/query';
import type { DatabaseSetting } from './contents';
import { sqlStateOf } from '../connection/sql-state';

const SETTINGS = `
	SELECT r.rolname AS role, pg_catalog.split_part(pair, '=', 1) AS name,
		pg_catalog.substr(pair, pg_catalog.strpos(pair, '=') + 1) AS value
	FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
	LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS pairs (pair, place)
	WHERE d.datname = $1 ORDER BY r.rolname NULLS FIRST, place`;

/** What a database has, and its roles in it. @throws what the query throws */
export async function readSettings(query: Query, database: string): Promise<DatabaseSetting[]> {
	return await query<DatabaseSetting>(SETTINGS, [database]);
}

/** Those that would keep a session from filling the database. */
const HINDER = new Set(['role', 'session_authorization', 'default_transaction_read_only']);

/** @returns whether sessions that fill the database should have it: those of the database itself, and nothing that hinders them */
export function servesFilling({ role, name }: DatabaseSetting): boolean {
	return role === null && !HINDER.has(name.toLowerCase());
}

/** For people: `search_path`, `search_path of the role app`. */
export function describeSetting({ role, name }: DatabaseSetting): string {
	return role === null ? name : `${name} of the role ${role}`;
}

interface Known {
	name: string;
	context: string | null;
	of_extension: boolean;
}

/** Load code into every session, though every user may set them. */
const LOADS_CODE = /^(?:local_preload_libraries|session_preload_libraries|jit_provider)$/i;
/** Languages run what theirs say, and are not always known to the server before they are used. */
const OF_LANGUAGE = /^pl[a-z0-9_]*\./i;

/** Whether a session that has this setting may run code that nobody asked for. */
export function loadsCode(name: string): boolean {
	return LOADS_CODE.test(name) || OF_LANGUAGE.test(name);
}

/**
 * Which settings anybody may make. Others change what the server does and loads, with the rights of a superuser.
 * @throws what the query throws
 */
export async function harmless(
	query: Query,
	settings: readonly DatabaseSetting[],
	allow: readonly Allowance[] = [],
): Promise<{ settings: DatabaseSetting[]; refused: DatabaseSetting[] }> {
	if (allow.includes('server')) return { settings: [...settings], refused: [] };
	const rows = await query<Known>(
		`SELECT n.name, s.context, EXISTS (SELECT FROM pg_catalog.pg_available_extensions e
			WHERE e.name = pg_catalog.lower(pg_catalog.split_part(n.name, '.', 1))) AS of_extension
		 FROM pg_catalog.unnest($1::text[]) AS n (name)
		 LEFT JOIN pg_catalog.pg_settings s ON pg_catalog.lower(s.name) = pg_catalog.lower(n.name)`,
		[[...new Set(settings.map(({ name }) => name))]],
	);
	const isHarmless = ({ name, context, of_extension }: Known) =>
		!LOADS_CODE.test(name) && (context === 'user' || (context === null && !of_extension && !loadsCode(name)));
	const good = new Set(rows.filter(isHarmless).map(({ name }) => name));
	return {
		settings: settings.filter(({ name }) => good.has(name)),
		refused: settings.filter(({ name }) => !good.has(name)),
	};
}

/** Lists of names (GUC_LIST_QUOTE in guc.h): as one text they would be one name. */
const LISTS = /^(?:search_path|temp_tablespaces|(?:local|session|shared)_preload_libraries|unix_socket_directories)$/i;

/**
 * Makes one setting of a database or of a role in it. A list is taken over from our own transaction, which has it for a moment:
 * what somebody else has set must not be able to become a statement of ours.
 * @throws what the query throws
 */
export async function makeSetting(
	query: Query,
	database: string,
	{ role, name, value }: DatabaseSetting,
): Promise<void> {
	const of = escapeIdentifier(database);
	const whose = role === null ? `DATABASE ${of}` : `ROLE ${escapeIdentifier(role)} IN DATABASE ${of}`;
	const quoted = name.split('.').map(escapeIdentifier).join('.');
	if (!LISTS.test(name)) {
		await query(`ALTER ${whose} SET ${quoted} TO ${escapeLiteral(value)}`);
		return;
	}
	const [own] = await query<{ value: string | null }>('SELECT pg_catalog.current_setting($1, true) AS value', [name]);
	await query('SELECT pg_catalog.set_config($1, $2, true)', [name, value]);
	await query(`ALTER ${whose} SET ${quoted} FROM CURRENT`);
	await query('SELECT pg_catalog.set_config($1, $2, true)', [name, own!.value ?? '']);
}

/** Gives a session what sessions of the database had, as far as it knows it. @throws what the query throws, but for refusals */
export async function setInSession(query: Query, settings: readonly DatabaseSetting[]): Promise<void> {
	const { settings: usable } = await harmless(query, settings.filter(servesFilling));
	for (const { name, value } of usable) {
		await query('SELECT pg_catalog.set_config($1, $2, false)', [name, value]).catch((error: unknown) => {
			// Of another server: a locale that is not there, a value of another version.
			if (sqlStateOf(error) === null) throw error;
		});
	}
}
