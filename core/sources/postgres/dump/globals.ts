/**
 * The roles of a server and who is a member of which, as SQL for psql and for ourselves. A dump names them but does not
 * hold them: they belong to all databases of a server. Executing it twice does no harm: what exists stays as it is.
 * Tablespaces are not in it: they are folders of one machine.
 */
import type { Client } from 'pg';
import type { Query } from '../connection/query';
import { loadsCode } from './database-settings';
import { cleanText } from '../connection/errors';
import { type Globals, parseGlobals } from './globals-form';
import type { DatabaseTarget } from '../connection/target';

/** A role with password and membership has about 500 bytes of SQL: enough for half a million of them. */
export const MAX_GLOBALS_BYTES = 256 * 1024 * 1024;

/** `roles`: without passwords. `passwords`: with their hashes, which only a superuser may read. */
export type GlobalsChoice = 'roles' | 'passwords';

/**
 * Settings are taken over from a session that has them, since no other way of writing them down fits all settings; but for the
 * role that a session works as, which ours must not become.
 */
const ROLES = `
	SELECT pg_catalog.format('DO %L;', pg_catalog.format(
		'BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = %L) THEN CREATE ROLE %I%s;%s%s END IF; END',
		r.rolname, r.rolname,
		CASE WHEN attributes.text = '' THEN '' ELSE ' WITH' || attributes.text END,
		(SELECT pg_catalog.format(' COMMENT ON ROLE %I IS %L;', r.rolname, comment)
			FROM pg_catalog.shobj_description(r.oid, 'pg_authid') AS comment WHERE comment IS NOT NULL),
		(SELECT pg_catalog.string_agg(pg_catalog.format(' BEGIN %s; EXCEPTION WHEN OTHERS THEN RAISE WARNING %L, SQLERRM; END;',
				CASE WHEN setting.name IN ('role', 'session_authorization')
					THEN pg_catalog.format('ALTER ROLE %I SET %s TO %L', r.rolname, setting.quoted, setting.value)
					ELSE pg_catalog.format('PERFORM pg_catalog.set_config(%L, %L, true); ALTER ROLE %I SET %s FROM CURRENT',
						setting.name, setting.value, r.rolname, setting.quoted) END,
				'a setting of role ' || pg_catalog.replace(r.rolname, '%', '%%') || ' was left out: %'), '' ORDER BY setting.place)
			FROM (
				SELECT setting_place AS place, pg_catalog.split_part(pair, '=', 1) AS name,
					pg_catalog.substr(pair, pg_catalog.strpos(pair, '=') + 1) AS value,
					(SELECT pg_catalog.string_agg(pg_catalog.quote_ident(part), '.' ORDER BY place)
						FROM pg_catalog.unnest(pg_catalog.string_to_array(pg_catalog.split_part(pair, '=', 1), '.'))
						WITH ORDINALITY AS parts (part, place)) AS quoted
				FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS pairs (pair, setting_place)
				WHERE s.setrole = r.oid AND s.setdatabase = 0) AS setting)
	)) AS statement
	FROM %ROLES% r, LATERAL (SELECT pg_catalog.concat(
		CASE WHEN r.rolsuper THEN ' SUPERUSER' END,
		CASE WHEN r.rolcreatedb THEN ' CREATEDB' END,
		CASE WHEN r.rolcreaterole THEN ' CREATEROLE' END,
		CASE WHEN NOT r.rolinherit THEN ' NOINHERIT' END,
		CASE WHEN r.rolcanlogin THEN ' LOGIN' END,
		CASE WHEN r.rolreplication THEN ' REPLICATION' END,
		CASE WHEN r.rolbypassrls THEN ' BYPASSRLS' END,
		CASE WHEN r.rolconnlimit <> -1 THEN ' CONNECTION LIMIT ' || r.rolconnlimit END,
		CASE WHEN r.rolvaliduntil IS NOT NULL THEN ' VALID UNTIL ' || pg_catalog.quote_literal(r.rolvaliduntil::text) END,
		%PASSWORD%) AS text) AS attributes
	WHERE r.rolname !~ '^pg_'
	ORDER BY r.rolname`;

/** Memberships in a role that this server does not have (one that comes with newer servers) are only warned of. */
const MEMBERSHIPS = `
	SELECT DISTINCT pg_catalog.format('DO %L;', pg_catalog.format(
		'BEGIN GRANT %I TO %I%s; EXCEPTION WHEN undefined_object THEN RAISE WARNING %L, SQLERRM; END',
		r.rolname, m.rolname, %OPTIONS%, 'a membership was left out: %')) AS statement
	FROM pg_catalog.pg_auth_members a
	JOIN pg_catalog.pg_roles r ON r.oid = a.roleid JOIN pg_catalog.pg_roles m ON m.oid = a.member
	WHERE m.rolname !~ '^pg_'
	ORDER BY statement`;

/** The first server whose memberships have more options than ADMIN. */
const MEMBERSHIP_OPTIONS_SINCE = 160000;
const ADMIN_OPTION = "CASE WHEN a.admin_option THEN ' WITH ADMIN OPTION' ELSE '' END";
/** Written only where they are not what GRANT does by itself, so that older servers take the others. */
const ALL_OPTIONS = `CASE WHEN a.inherit_option = m.rolinherit AND a.set_option THEN ${ADMIN_OPTION}
	ELSE pg_catalog.format(' WITH ADMIN %s, INHERIT %s, SET %s', a.admin_option::text, a.inherit_option::text, a.set_option::text) END`;

/** Roles that may not see pg_authid. */
const WITHOUT_PASSWORD = 'NULL';
const WITH_PASSWORD =
	"CASE WHEN r.rolpassword IS NOT NULL THEN ' PASSWORD ' || pg_catalog.quote_literal(r.rolpassword) END";

/**
 * The roles of a server and their memberships, as a text of SQL.
 * @throws what the query throws: 42501 when hashes of passwords are wanted by anybody but a superuser
 */
export async function readGlobals(query: Query, serverVersionNumber: number, choice: GlobalsChoice): Promise<string> {
	const withPasswords = choice === 'passwords';
	const roles = await query<{ statement: string }>(
		ROLES.replace('%ROLES%', withPasswords ? 'pg_catalog.pg_authid' : 'pg_catalog.pg_roles').replace(
			'%PASSWORD%',
			withPasswords ? WITH_PASSWORD : WITHOUT_PASSWORD,
		),
	);
	const options = serverVersionNumber < MEMBERSHIP_OPTIONS_SINCE ? ADMIN_OPTION : ALL_OPTIONS;
	const memberships = await query<{ statement: string }>(MEMBERSHIPS.replace('%OPTIONS%', options));
	return [
		`-- Roles and memberships${withPasswords ? ', with hashes of passwords' : ', without passwords'}. Those that exist stay as they are.`,
		"SET client_encoding = 'UTF8';",
		'SET standard_conforming_strings = on;',
		...roles.map(({ statement }) => statement),
		...memberships.map(({ statement }) => statement),
		'',
	].join('\n');
}

/**
 * Executes what {@link readGlobals} wrote, in the transaction that is open: all or nothing.
 * @returns warnings of the server, without secrets, and which roles get more rights than others
 * @throws BackupError 'damaged' for anything but what {@link readGlobals} writes; what `pg` throws
 */
export async function executeGlobals(client: Client, text: string, target: DatabaseTarget): Promise<string[]> {
	const warnings = await rightsIn(client, await parseGlobals(text));
	const onNotice = ({ severity, message }: { severity?: string; message?: string }) => {
		if (severity === 'WARNING') warnings.push(cleanText(message ?? '', target));
	};
	client.on('notice', onNotice);
	try {
		await client.query(text);
		return warnings;
	} finally {
		client.off('notice', onNotice);
	}
}

/** Whoever could write to the storage could have added them. */
async function rightsIn(client: Client, { superusers, granted, settings }: Globals): Promise<string[]> {
	const { rows } = await client.query<{ name: string; superuser: boolean }>(
		'SELECT rolname AS name, rolsuper AS superuser FROM pg_catalog.pg_roles WHERE rolname = ANY ($1)',
		[[...superusers, ...granted]],
	);
	const there = new Map(rows.map(({ name, superuser }) => [name, superuser]));
	const loading = settings.filter(loadsCode);
	const made = superusers.filter((name) => !there.has(name));
	const powerful = granted
		.filter((name) => there.get(name) ?? made.includes(name))
		.concat(granted.filter((name) => /^pg_(?:execute_server_program|(?:read|write)_server_files)$/.test(name)));
	return [
		...(loading.length > 0
			? [`settings of restored roles load code into their sessions: ${[...new Set(loading)].join(', ')}`]
			: []),
		...(made.length > 0 ? [`of the restored roles, these became superusers: ${made.join(', ')}`] : []),
		...(powerful.length > 0
			? [
					`the restored memberships give somebody all rights on the server, through ${[...new Set(powerful)].join(', ')}`,
				]
			: []),
	];
}
