/**
 * What belongs to a database and is not in it: settings, owner, rights, comment, connection limit. A dump of one database does
 * not hold them; without them a restored one is not what applications knew.
 */
import type { Client } from 'pg';
import { escapeIdentifier, escapeLiteral } from 'pg';
import { queryOf } from '../connection/query';
import { type Query } from '../connection/query';
import type { DatabaseProperties, DatabaseSetting } from './contents';
import { describeSetting, harmless, makeSetting, readSettings, servesFilling } from './database-settings';
import type { RewriteRules } from '../replay/rewrite';
import { sqlStateOf } from '../connection/sql-state';

interface Row {
	owner: string;
	connection_limit: number;
	comment: string | null;
	rights: DatabaseProperties['rights'];
}

const PROPERTIES = `
	SELECT pg_catalog.pg_get_userbyid(d.datdba) AS owner, d.datconnlimit AS connection_limit,
		pg_catalog.shobj_description(d.oid, 'pg_database') AS comment,
		CASE WHEN d.datacl IS NOT NULL THEN (
			SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
				'role', CASE a.grantee WHEN 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(a.grantee) END,
				'privilege', a.privilege_type, 'grantable', a.is_grantable AND a.grantee <> d.datdba)), '[]')
			FROM pg_catalog.aclexplode(d.datacl) AS a) END AS rights
	FROM pg_catalog.pg_database d WHERE d.datname = $1`;

/** @throws what the query throws */
export async function readProperties(query: Query, database: string): Promise<DatabaseProperties> {
	const [row] = await query<Row>(PROPERTIES, [database]);
	const { owner, connection_limit: connectionLimit, comment, rights } = row!;
	return { owner, connectionLimit, comment, rights, settings: await readSettings(query, database) };
}

/** How properties come back. */
export interface Given {
	/** For people, what came back: "search_path", "the owner". */
	given: string[];
	warnings: string[];
}

/** Names of roles as the rules change them; null where nothing is to be said about roles. */
type Roles = Pick<RewriteRules, 'roles' | 'allow'> & Partial<Pick<RewriteRules, 'owners' | 'privileges'>>;

/**
 * Before a new database is filled: what its sessions shall have meanwhile.
 * @throws what the query throws, but for refusals, which are warnings
 */
export async function giveSettings(
	client: Client,
	database: string,
	settings: readonly DatabaseSetting[],
	{ allow }: Pick<RewriteRules, 'allow'>,
): Promise<Given> {
	return await inTransaction(client, async (query) => {
		return await make(query, database, settings.filter(servesFilling), allow);
	});
}

/**
 * After a new database was filled: all the rest, in the transaction that is open.
 * @throws what the query throws, but for refusals, which are warnings
 */
export async function giveRest(
	query: Query,
	database: string,
	{ settings, ...properties }: DatabaseProperties,
	rules: Roles,
): Promise<Given> {
	const rest = forRoles(
		settings.filter((setting) => !servesFilling(setting)),
		rules,
	);
	const result = await make(query, database, rest, rules.allow);
	const [me] = await query<{ name: string }>('SELECT current_user::text AS name');
	for (const { what, statements } of statementsFor(database, properties, rules, me!.name)) {
		const refusal = await attempt(query, async () => {
			for (const statement of statements) await query(statement);
		});
		if (refusal === null) result.given.push(what);
		else result.warnings.push(`${what} of the database did not come back: ${refusal}`);
	}
	return result;
}

/**
 * Into a database that somebody else made: settings that it does not have itself. Whose it is, and who may use it, is not
 * ours to change.
 * @throws what the query throws, but for refusals, which are warnings
 */
export async function giveMissingSettings(
	client: Client,
	database: string,
	settings: readonly DatabaseSetting[],
	rules: Roles,
): Promise<Given> {
	const keyOf = ({ role, name }: DatabaseSetting) => JSON.stringify([role, name.toLowerCase()]);
	return await inTransaction(client, async (query) => {
		const there = new Set((await readSettings(query, database)).map(keyOf));
		const missing = forRoles(settings, rules).filter((setting) => !there.has(keyOf(setting)));
		return await make(query, database, missing, rules.allow);
	});
}

/** All that one database of a server has, for another one of the same server, in the transaction that is open. */
export async function keepProperties(query: Query, from: string, to: string): Promise<string[]> {
	const properties = await readProperties(query, from);
	// What it had for being filled.
	const made = await readSettings(query, to);
	if (made.some(({ role }) => role === null)) await query(`ALTER DATABASE ${escapeIdentifier(to)} RESET ALL`);
	const filling = properties.settings.filter(servesFilling);
	const first = await make(query, to, filling, ['server']);
	const { warnings } = await giveRest(query, to, properties, { owners: 'keep', privileges: 'keep', allow: ['server'] });
	return [...first.warnings, ...warnings];
}

/** With the names that roles have here. */
function forRoles(settings: readonly DatabaseSetting[], { roles = {}, privileges }: Roles): DatabaseSetting[] {
	return settings
		.filter(({ role }) => role === null || privileges === 'keep')
		.map(({ role, ...setting }) => ({ ...setting, role: role === null ? null : (roles[role] ?? role) }));
}

interface Statements {
	what: string;
	statements: string[];
}

const PRIVILEGES = new Set(['CONNECT', 'CREATE', 'TEMPORARY']);

function statementsFor(
	database: string,
	{ owner, connectionLimit, comment, rights }: Omit<DatabaseProperties, 'settings'>,
	{ roles = {}, owners, privileges }: Roles,
	/** Who made it, and owns it. */
	me: string,
): Statements[] {
	const name = escapeIdentifier(database);
	const role = (original: string) => escapeIdentifier(roles[original] ?? original);
	const all: Statements[] = [];
	if (connectionLimit > 0) {
		all.push({
			what: 'the connection limit',
			statements: [`ALTER DATABASE ${name} CONNECTION LIMIT ${connectionLimit}`],
		});
	}
	if (comment !== null) {
		all.push({ what: 'the comment', statements: [`COMMENT ON DATABASE ${name} IS ${escapeLiteral(comment)}`] });
	}
	// Last, since it may take away from us what else is to be done.
	const isOurs = (roles[owner] ?? owner) === me;
	const last =
		owners === 'keep' && !isOurs
			? [{ what: 'the owner', statements: [`ALTER DATABASE ${name} OWNER TO ${role(owner)}`] }]
			: [];
	if (rights === null || privileges !== 'keep') return [...all, ...last];
	const grants = rights
		.filter(({ privilege }) => PRIVILEGES.has(privilege))
		.map(({ role: grantee, privilege, grantable }) => {
			const whom = grantee === null ? 'PUBLIC' : role(grantee);
			return `GRANT ${privilege} ON DATABASE ${name} TO ${whom}${grantable ? ' WITH GRANT OPTION' : ''}`;
		});
	// One by one: for want of one role the others must not lose theirs.
	return [
		...all,
		{ what: 'the rights', statements: [`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`] },
		...grants.map((grant) => ({ what: 'the rights', statements: [grant] })),
		...last,
	];
}

async function make(
	query: Query,
	database: string,
	wanted: readonly DatabaseSetting[],
	allow: RewriteRules['allow'],
): Promise<Given> {
	const { settings, refused } = await harmless(query, wanted, allow);
	const result: Given = { given: [], warnings: [] };
	if (refused.length > 0) {
		result.warnings.push(
			`only a superuser may make such settings, or they load code; of the database they did not come back: ${refused.map(describeSetting).join(', ')} (allowed with "server")`,
		);
	}
	for (const setting of settings) {
		const refusal = await attempt(query, async () => await makeSetting(query, database, setting));
		if (refusal === null) result.given.push(describeSetting(setting));
		else result.warnings.push(`the setting ${describeSetting(setting)} of the database did not come back: ${refusal}`);
	}
	return result;
}

async function inTransaction(client: Client, work: (query: Query) => Promise<Given>): Promise<Given> {
	const query = queryOf(client);
	await query('BEGIN');
	const result = await work(query);
	await query('COMMIT');
	return result;
}

/** @returns what the server said when it refused; the transaction goes on */
async function attempt(query: Query, work: () => Promise<void>): Promise<string | null> {
	await query('SAVEPOINT attempt');
	try {
		await work();
		await query('RELEASE SAVEPOINT attempt');
		return null;
	} catch (error) {
		if (sqlStateOf(error) === null) throw error;
		await query('ROLLBACK TO SAVEPOINT attempt');
		return (error as Error).message;
	}
}
