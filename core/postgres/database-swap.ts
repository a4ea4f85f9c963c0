/**
 * Puts a restored database into its place, in one transaction: renames are transactional, so that at no moment, killed
 * or not, the name is without a database. What was there is dropped only afterwards.
 */
import type { Client } from 'pg';
import { escapeIdentifier } from 'pg';
import { BackupError } from '../errors';
import { queryOf, type Query } from './compare';
import { toBackupError } from './errors';
import { dropDatabase, temporaryName, withClient } from './restore-target';
import { sqlStateOf } from './sql-state';
import type { DatabaseTarget } from './target';

/** How often sessions that hold up the rename are ended. The server itself waits five seconds for them. */
const TERMINATE_EVERY_MS = 100;
/** Another run renames or drops the same database: it is done in a moment, or stuck. */
const LOCK_TIMEOUT = '60s';
/** Nobody cancels a swap: broken off during its COMMIT, nobody could say whether it took place. It ends by itself. */
const NEVER = new AbortController().signal;

/**
 * Gives a restored database its name. Nobody may have that name yet.
 * @throws BackupError 'already-exists', those of the connection
 */
export async function moveIntoPlace(server: DatabaseTarget, restored: string, name: string): Promise<void> {
	await withClient(server, NEVER, async (client) => {
		await renameAlone(client, server, [restored], async (query) => await rename(query, restored, name));
	});
}

/**
 * Puts a restored database in the place of another one, which is dropped. Owner, connection limit, settings, rights and
 * comment of the old one are kept. Until the moment of the swap the old one can be used; then its sessions are ended.
 * @returns warnings
 * @throws BackupError; then the old one is in its place
 */
export async function swapDatabases(server: DatabaseTarget, restored: string, name: string): Promise<string[]> {
	const aside = temporaryName(name, 'replaced');
	const warnings = await withClient(server, NEVER, async (client) => {
		let kept: string[] = [];
		await renameAlone(client, server, [name, restored], async (query) => {
			await rename(query, name, aside);
			await rename(query, restored, name);
			kept = await keepProperties(query, aside, name);
		});
		return kept;
	});
	try {
		await dropDatabase(server, aside);
	} catch (error) {
		const { message } = toBackupError(error, server);
		warnings.push(`the database that was replaced could not be dropped and is still there as ${aside}: ${message}`);
	}
	return warnings;
}

/**
 * Renames within a transaction while the sessions of these databases are being ended. A rename locks its database, so that
 * nobody can come back; who was there before is ended from a second connection, for as long as it takes.
 */
async function renameAlone(
	client: Client,
	server: DatabaseTarget,
	databases: readonly string[],
	work: (query: Query) => Promise<void>,
): Promise<void> {
	await withClient(server, NEVER, async (terminator) => {
		const terminate = async () => await endSessions(terminator, databases);
		await terminate();
		let ending: Promise<void> = Promise.resolve();
		const timer = setInterval(() => {
			// One that may not be ended makes the rename fail, which says so better.
			ending = ending.then(terminate).catch(() => undefined);
		}, TERMINATE_EVERY_MS);
		const query = queryOf(client);
		await query('BEGIN');
		try {
			await query(`SELECT pg_catalog.set_config('lock_timeout', $1, true)`, [LOCK_TIMEOUT]);
			await query(`SELECT pg_catalog.set_config('statement_timeout', '0', true)`);
			await work(query);
			await query('COMMIT');
		} catch (error) {
			// Without a connection the server rolls back by itself; the first error is the one that counts.
			await query('ROLLBACK').catch(() => undefined);
			throw refusal(error) ?? error;
		} finally {
			clearInterval(timer);
			await ending;
		}
	});
}

/** Ends the sessions that we may end: one by one, because a single one that we may not would spare the others. */
async function endSessions(client: Client, databases: readonly string[]): Promise<void> {
	const { rows } = await client.query<{ pid: number }>(
		'SELECT pid FROM pg_catalog.pg_stat_activity WHERE datname = ANY ($1) AND pid <> pg_catalog.pg_backend_pid()',
		[databases],
	);
	for (const { pid } of rows) {
		try {
			await client.query('SELECT pg_catalog.pg_terminate_backend($1)', [pid]);
		} catch (error) {
			if (sqlStateOf(error) !== '42501') throw error;
		}
	}
}

/** What a rename may meet, as errors of ours. */
function refusal(error: unknown): BackupError | null {
	switch (sqlStateOf(error)) {
		case '55006':
			return new BackupError('locked', 'the database is in use by sessions that this user may not end', {
				hint: 'Stop the programs that use it, or restore as a superuser or a member of pg_signal_backend.',
				cause: error,
			});
		case '42P04':
			return new BackupError('already-exists', 'somebody else made a database of that name during the restore', {
				hint: 'Look at what it is, or restore under another name.',
				cause: error,
			});
		default:
			return null;
	}
}

async function rename(query: Query, from: string, to: string): Promise<void> {
	await query(`ALTER DATABASE ${escapeIdentifier(from)} RENAME TO ${escapeIdentifier(to)}`);
}

/** Statements that give one database what another one has, quoted by the server. Settings come by {@link keepSettings}. */
const PROPERTIES = `
	SELECT what, statement FROM (
		SELECT 1 AS place, 'the connection limit' AS what,
			pg_catalog.format('ALTER DATABASE %I CONNECTION LIMIT %s', $2::text, d.datconnlimit) AS statement
		FROM pg_catalog.pg_database d WHERE d.datname = $1 AND d.datconnlimit > 0
		UNION ALL
		SELECT 2, 'the comment', pg_catalog.format('COMMENT ON DATABASE %I IS %L', $2, comment)
		FROM pg_catalog.pg_database d, pg_catalog.shobj_description(d.oid, 'pg_database') AS comment
		WHERE d.datname = $1 AND comment IS NOT NULL
		UNION ALL
		SELECT 3, 'the rights', pg_catalog.format('REVOKE ALL ON DATABASE %I FROM PUBLIC', $2)
		FROM pg_catalog.pg_database d WHERE d.datname = $1 AND d.datacl IS NOT NULL
		UNION ALL
		SELECT 4, 'the rights', pg_catalog.format('GRANT %s ON DATABASE %I TO %s%s', a.privilege_type, $2,
			CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END,
			CASE WHEN a.is_grantable AND a.grantee <> d.datdba THEN ' WITH GRANT OPTION' ELSE '' END)
		FROM pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) AS a WHERE d.datname = $1
		UNION ALL
		SELECT 5, 'the owner', pg_catalog.format('ALTER DATABASE %I OWNER TO %I', $2, pg_catalog.pg_get_userbyid(d.datdba))
		FROM pg_catalog.pg_database d WHERE d.datname = $1 AND d.datdba <> (SELECT e.datdba FROM pg_catalog.pg_database e WHERE e.datname = $2)
	) AS properties ORDER BY place`;

/** @returns a warning for each property that could not be kept: a right that is missing must not undo the restore */
async function keepProperties(query: Query, from: string, to: string): Promise<string[]> {
	const warnings = await keepSettings(query, from, to);
	for (const { what, statement } of await query<{ what: string; statement: string }>(PROPERTIES, [from, to])) {
		const refusal = await attempt(query, async () => void (await query(statement)));
		if (refusal !== null) warnings.push(`${what} of the replaced database could not be kept: ${refusal}`);
	}
	return [...new Set(warnings)];
}

interface Setting {
	role: string | null;
	name: string;
	value: string;
	/** What our own session has; null when it knows no such setting. */
	own: string | null;
}

const SETTINGS = `
	SELECT r.rolname AS role, pg_catalog.split_part(pair, '=', 1) AS name,
		pg_catalog.substr(pair, pg_catalog.strpos(pair, '=') + 1) AS value,
		pg_catalog.current_setting(pg_catalog.split_part(pair, '=', 1), true) AS own
	FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
	LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS pairs (pair, place)
	WHERE d.datname = $1 ORDER BY place`;

/**
 * ALTER DATABASE … SET. A value is taken over from our own session, which has it for a moment: no way of writing it down
 * fits lists and texts alike, and what somebody else has set must not be able to become a statement of ours.
 */
async function keepSettings(query: Query, from: string, to: string): Promise<string[]> {
	const warnings: string[] = [];
	for (const { role, name, value, own } of await query<Setting>(SETTINGS, [from])) {
		const database = escapeIdentifier(to);
		const whose = role === null ? `DATABASE ${database}` : `ROLE ${escapeIdentifier(role)} IN DATABASE ${database}`;
		const quoted = name.split('.').map(escapeIdentifier).join('.');
		const refusal = await attempt(query, async () => {
			await query('SELECT pg_catalog.set_config($1, $2, true)', [name, value]);
			await query(`ALTER ${whose} SET ${quoted} FROM CURRENT`);
			await query('SELECT pg_catalog.set_config($1, $2, true)', [name, own ?? '']);
		});
		if (refusal !== null) warnings.push(`the setting ${name} of the replaced database could not be kept: ${refusal}`);
	}
	return warnings;
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
