/** What a restore needs of its server, found out before anything is written: roles, extensions, rights. */
import { escapeIdentifier } from 'pg';
import { BackupError } from '../../../base/errors';
import type { Query } from '../connection/query';
import type { DatabaseFacts } from '../dump/contents';
import { isEverything } from '../replay/only';
import type { RewriteRules } from '../replay/rewrite';
import type { DatabaseTarget } from '../connection/target';

export interface PreflightOptions {
	rules: RewriteRules;
	/** Whether a database has to be created. */
	createsDatabase: boolean;
	/** A database that will be replaced: whoever does it must own it. */
	replaces?: string;
	/** Extensions that are missing are only warned of. */
	allowMissingExtensions?: boolean;
}

interface Findings {
	missing: string[];
	/** That would help, in the order in which to execute it. */
	sql: string[];
	warnings: string[];
}

interface Me {
	name: string;
	superuser: boolean;
	createdb: boolean;
	version: number;
	version_text: string;
	read_only: boolean;
}

/**
 * Looks whether a backup can be restored through this connection. Roles that were created in its open transaction count.
 * @returns warnings
 * @throws BackupError 'missing-requirements' with everything that is missing, and SQL that creates the roles as hint;
 * what the query throws
 */
export async function preflight(
	query: Query,
	server: DatabaseTarget,
	contents: DatabaseFacts,
	options: PreflightOptions,
): Promise<string[]> {
	const [me] = await query<Me>(`
		SELECT r.rolname AS name, r.rolsuper AS superuser, r.rolcreatedb AS createdb,
			pg_catalog.current_setting('server_version_num')::int AS version,
			pg_catalog.current_setting('server_version') AS version_text, pg_catalog.pg_is_in_recovery() AS read_only
		FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`);
	const findings: Findings = { missing: [], sql: [], warnings: [] };
	if (me!.read_only) findings.missing.push('a server that can be written to: this one is a standby');
	lookAtVersion(me!, contents, findings);
	await lookAtRoles(query, me!, contents, options.rules, findings);
	const lacksRoles = findings.sql.length > 0;
	await lookAtRights(query, me!, options, findings);
	await lookAtExtensions(query, me!, contents, options, findings);
	const { missing, sql, warnings } = findings;
	if (missing.length === 0) return warnings;
	throw new BackupError(
		'missing-requirements',
		`nothing was restored: ${server.host}:${server.port} lacks ${missing.join('; ')}`,
		{
			hint: [
				...(sql.length > 0 ? [`As an administrator of the server, run: ${sql.join(' ')}`] : []),
				...(lacksRoles ? ['Or restore without owners and privileges, or give roles that exist in their place.'] : []),
				...(sql.length === missing.length ? [] : ['Install what is missing, or restore on a server that has it.']),
			].join(' '),
			details: { missing, sql },
		},
	);
}

function lookAtVersion(me: Me, contents: DatabaseFacts, { warnings }: Findings): void {
	if (Math.floor(me.version / 10_000) < Math.floor(contents.serverVersionNumber / 10_000)) {
		warnings.push(
			`the server is PostgreSQL ${me.version_text}, older than the dumped one (${contents.serverVersion}): it may not know everything the dump says`,
		);
	}
}

async function lookAtRoles(
	query: Query,
	me: Me,
	contents: DatabaseFacts,
	rules: RewriteRules,
	{ missing, sql, warnings }: Findings,
): Promise<void> {
	const mapped = (names: readonly string[]) => [...new Set(names.map((name) => rules.roles?.[name] ?? name))];
	const owners = rules.owners === 'keep' ? mapped(contents.owners ?? []) : [];
	// Which roles only own something, contents of earlier versions do not say: all of them are needed then.
	const others = rules.privileges === 'keep' || (rules.owners === 'keep' && !contents.owners) ? contents.roles : [];
	const needed = [...new Set([...owners, ...mapped(others)])];
	if (needed.length === 0) return;
	const there = await query<{ name: string; member: boolean }>(
		`SELECT rolname AS name, pg_catalog.pg_has_role(oid, 'MEMBER') AS member FROM pg_catalog.pg_roles WHERE rolname = ANY ($1)`,
		[needed],
	);
	const known = new Map(there.map(({ name, member }) => [name, member]));
	for (const role of needed) {
		const quoted = escapeIdentifier(role);
		if (!known.has(role)) {
			missing.push(`the role ${quoted}`);
			sql.push(`CREATE ROLE ${quoted};`);
		}
		// Only members may give something to a role.
		if (me.superuser || !owners.includes(role) || known.get(role)) continue;
		missing.push(`membership of ${escapeIdentifier(me.name)} in ${quoted}`);
		sql.push(`GRANT ${quoted} TO ${escapeIdentifier(me.name)};`);
	}
	if (isEverything(rules.only) || missing.length === 0) return;
	// The part that is wanted may need none of them, which only the dump itself can say.
	warnings.push(...missing.splice(0).map((what) => `the server lacks ${what}, which the chosen part may need`));
	sql.length = 0;
}

async function lookAtRights(
	query: Query,
	me: Me,
	{ createsDatabase, replaces }: PreflightOptions,
	{ missing, sql }: Findings,
): Promise<void> {
	if (me.superuser) return;
	if (createsDatabase && !me.createdb) {
		missing.push(`the right of ${escapeIdentifier(me.name)} to create databases`);
		sql.push(`ALTER ROLE ${escapeIdentifier(me.name)} CREATEDB;`);
	}
	if (replaces === undefined) return;
	const [old] = await query<{ owner: string; member: boolean }>(
		`SELECT pg_catalog.pg_get_userbyid(datdba) AS owner, pg_catalog.pg_has_role(datdba, 'MEMBER') AS member
		 FROM pg_catalog.pg_database WHERE datname = $1`,
		[replaces],
	);
	if (!old || old.member) return;
	const [name, owner] = [escapeIdentifier(me.name), escapeIdentifier(old.owner)];
	missing.push(`membership of ${name} in ${owner}, who owns the database to replace`);
	sql.push(`GRANT ${owner} TO ${name};`);
}

interface Available {
	name: string;
	default_version: string;
	/** Already in the database we are connected to. */
	installed: boolean;
	needs_superuser: boolean;
}

async function lookAtExtensions(
	query: Query,
	me: Me,
	contents: DatabaseFacts,
	options: PreflightOptions,
	{ missing, warnings }: Findings,
): Promise<void> {
	const part = !isEverything(options.rules.only);
	const without = new Set(['plpgsql', ...(options.rules.withoutExtensions ?? [])]);
	const wanted = contents.extensions.filter(({ name }) => !without.has(name));
	if (wanted.length === 0) return;
	const rows = await query<Available>(
		`SELECT e.name, e.default_version, e.installed_version IS NOT NULL AS installed,
			coalesce(v.superuser AND NOT v.trusted, true) AS needs_superuser
		 FROM pg_catalog.pg_available_extensions e
		 LEFT JOIN pg_catalog.pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version
		 WHERE e.name = ANY ($1)`,
		[wanted.map(({ name }) => name)],
	);
	const available = new Map(rows.map((row) => [row.name, row]));
	for (const { name, version } of wanted) {
		const found = available.get(name);
		// In a database that is filled, an administrator may have installed it; in a new one nothing is installed.
		const installed = found?.installed === true && !options.createsDatabase;
		const problem = !found
			? `the extension ${name} ${version}`
			: !installed && found.needs_superuser && !me.superuser
				? `a superuser, who alone may create the extension ${name}`
				: null;
		if (problem === null) {
			if (found!.default_version !== version) {
				warnings.push(`the extension ${name} is ${found!.default_version} here, it was ${version}`);
			}
		} else if (part || options.allowMissingExtensions) warnings.push(`the server lacks ${problem}`);
		else missing.push(problem);
	}
}
