/** The database that a restore makes or fills: under which name, with which locale, and how it is given back on failure. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { escapeIdentifier, escapeLiteral } from 'pg';
import { BackupError, isBackupError } from '../../../base/errors';
import { randomWord } from '../../../base/random-word';
import { connect, disconnect } from '../connection/connection';
import type { DatabaseFacts } from '../dump/contents';
import { toBackupError } from '../connection/errors';
import { sqlStateOf } from '../connection/sql-state';
import { type DatabaseTarget, describeTarget } from '../connection/target';

/** PostgreSQL cuts longer names off (NAMEDATALEN). */
const MAX_NAME_BYTES = 63;
/** A server that was restarted is back within this time, as a rule. */
const DROP_PATIENCE_MS = 30_000;
const DROP_RETRY_MS = 500;

/** Does something over a connection of its own. @throws BackupError */
export async function withClient<T>(
	target: DatabaseTarget,
	signal: AbortSignal,
	work: (client: Client) => Promise<T>,
): Promise<T> {
	const client = await connect(target, { signal });
	try {
		return await work(client);
	} catch (error) {
		throw toBackupError(error, target, 'restore-failed');
	} finally {
		await disconnect(client);
	}
}

/** The end of a name for a while, as a pattern of PostgreSQL and of JavaScript. */
export const TEMPORARY_ENDING = '_(restoring|replaced)_[a-z2-9]{6}$';

/** A name for a while that says whose it is: `shop_restoring_k3f9x2`. Unique, and never too long. */
export function temporaryDatabase(database: string, purpose: 'restoring' | 'replaced'): string {
	return withEnding(database, `_${purpose}_${randomWord(6)}`);
}

/** Whether {@link temporaryDatabase} may have made a name for this database. */
export function isTemporaryNameOf(name: string, database: string): boolean {
	const ending = new RegExp(TEMPORARY_ENDING).exec(name)?.[0];
	return ending !== undefined && name === withEnding(database, ending);
}

function withEnding(database: string, ending: string): string {
	let stem = database;
	while (Buffer.byteLength(stem + ending) > MAX_NAME_BYTES) stem = [...stem].slice(0, -1).join('');
	return stem + ending;
}

/**
 * Where a backup goes. `new`: a database that does not exist yet. `empty`: one that exists and holds nothing. `replace`:
 * over one that holds something; the backup is restored beside it, compared, and takes its place only then.
 */
export interface RestorePlace {
	mode: 'new' | 'empty' | 'replace';
	database: string;
	/** For `replace`: the database's name, typed a second time. */
	confirmation?: string;
}

/** Databases that a server needs for itself. */
const OF_THE_SERVER = new Set(['postgres', 'template0', 'template1']);

/** @throws BackupError 'invalid-input' for a place that cannot be meant */
export function assertPlace({ mode, database, confirmation }: RestorePlace, server: DatabaseTarget): void {
	const refuse = (message: string, hint: string) => new BackupError('invalid-input', message, { hint });
	const bytes = Buffer.byteLength(database);
	if (bytes === 0 || bytes > MAX_NAME_BYTES || database.includes('\0')) {
		const name = JSON.stringify(database.slice(0, 100));
		throw refuse(`${name} cannot be the name of a database`, `Give a name of 1 to ${MAX_NAME_BYTES} bytes.`);
	}
	if (database.startsWith('template') && OF_THE_SERVER.has(database)) {
		throw refuse(`${database} is a template of the server`, 'Restore into a database of its own.');
	}
	if (mode !== 'replace') return;
	if (OF_THE_SERVER.has(database)) {
		throw refuse(`${database} belongs to the server and is never replaced`, 'Restore into a database of its own.');
	}
	if (database === server.database) {
		throw refuse(
			`${database} cannot be replaced over a connection to itself`,
			'Connect to another database of the server, like postgres.',
		);
	}
	if (confirmation !== database) {
		throw refuse(
			`${database} is only replaced when its name is given a second time`,
			`Everything in it will be gone. If that is meant, confirm with: ${database}`,
		);
	}
}

/**
 * What is there under the name: nothing for `new`, a database for `replace`.
 * @throws BackupError 'already-exists', 'database-not-found', 'invalid-input'; what `pg` throws
 */
export async function lookAtPlace(client: Client, place: RestorePlace): Promise<{ tablespace?: string } | null> {
	// Who names the usual tablespace needs a right to it that nobody needs who names none.
	const { rows } = await client.query<{ tablespace: string | null; template: boolean }>(
		`SELECT nullif(t.spcname, 'pg_default') AS tablespace, d.datistemplate AS template
		 FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = $1`,
		[place.database],
	);
	const found = rows[0];
	if (place.mode === 'new' && found) {
		throw new BackupError('already-exists', `there is a database ${place.database} already`, {
			hint: 'Give another name, or choose to replace it.',
		});
	}
	if (place.mode === 'replace' && !found) {
		throw new BackupError('database-not-found', `there is no database ${place.database} to replace`, {
			hint: 'Check the name, or restore into a new database.',
		});
	}
	if (found?.template) {
		throw new BackupError('invalid-input', `${place.database} is a template and cannot be replaced`, {
			hint: 'Restore into a database of its own.',
		});
	}
	return found ? { tablespace: found.tablespace ?? undefined } : null;
}

interface Locale {
	/** Of CREATE DATABASE, quoted. */
	options: string;
	/** For people. */
	text: string;
}

/**
 * Makes a database like the one that was dumped. A server that does not know its locale gives its own, or "C" where that
 * does not fit the encoding: what is restored is the same, only the order of text may differ.
 * @returns warnings
 * @throws what `pg` throws
 */
export async function createDatabase(
	client: Client,
	name: string,
	facts: DatabaseFacts,
	options: { tablespace?: string; owner?: string } = {},
): Promise<string[]> {
	const fixed = [
		`CREATE DATABASE ${escapeIdentifier(name)} TEMPLATE template0 ENCODING ${escapeLiteral(facts.encoding)}`,
		...(options.tablespace === undefined ? [] : [`TABLESPACE ${escapeIdentifier(options.tablespace)}`]),
		...(options.owner === undefined ? [] : [`OWNER ${escapeIdentifier(options.owner)}`]),
	].join(' ');
	const choices = locales(facts, await serverVersionNumber(client));
	for (const [place, choice] of choices.entries()) {
		try {
			await client.query(`${fixed} ${choice.options}`);
			const wanted = choices[0]!.text;
			if (choice.text === wanted) return [];
			return [
				`the server does not know the locale ${wanted}: the database has ${choice.text}, which may sort text differently`,
			];
		} catch (error) {
			if (place === choices.length - 1 || !isAboutLocale(error)) throw error;
		}
	}
	throw new Error('there is always a last choice');
}

/** The dumped one first; then what the server can do instead. */
function locales(facts: DatabaseFacts, version: number): Locale[] {
	const { collation, characterType, localeProvider = 'libc', locale = '' } = facts;
	const libc = `LC_COLLATE ${escapeLiteral(collation)} LC_CTYPE ${escapeLiteral(characterType)}`;
	const choices: Locale[] = [];
	if (localeProvider !== 'libc') {
		const option = { icu: 'ICU_LOCALE', builtin: 'BUILTIN_LOCALE' }[localeProvider];
		const known = version >= (localeProvider === 'icu' ? 150000 : 170000);
		const text = `${locale} of ${localeProvider}`;
		const provider = `LOCALE_PROVIDER ${localeProvider} ${option} ${escapeLiteral(locale)}`;
		// Servers that do not know the provider refuse it as a syntax error: the same as a locale they do not know.
		choices.push({ options: `${provider} ${libc}`, text });
		if (known) choices.push({ options: `${provider} LC_COLLATE 'C' LC_CTYPE 'C'`, text });
	}
	// A server whose own provider is another one must be told which of them is meant.
	const ofLibc = version >= 150000 ? 'LOCALE_PROVIDER libc ' : '';
	return [
		...choices,
		{ options: ofLibc + libc, text: collation === characterType ? collation : `${collation} and ${characterType}` },
		{ options: '', text: 'the server’s own' },
		{ options: `${ofLibc}LC_COLLATE 'C' LC_CTYPE 'C'`, text: 'C' },
	];
}

/** "invalid locale name", "encoding does not match locale", "unrecognized locale provider", an option this version lacks. */
function isAboutLocale(error: unknown): boolean {
	return ['42809', '22023', '42601', '42P17', 'XX000', '0A000'].includes(sqlStateOf(error) ?? '');
}

async function serverVersionNumber(client: Client): Promise<number> {
	const { rows } = await client.query<{ version: string }>(
		"SELECT pg_catalog.current_setting('server_version_num') AS version",
	);
	return Number(rows[0]!.version);
}

/**
 * Drops a database of ours, whoever is connected to it. Waits for a server that is being restarted; nobody can cancel it.
 * @throws BackupError when the server does not come back, or refuses
 */
export async function dropDatabase(server: DatabaseTarget, name: string): Promise<void> {
	const deadline = performance.now() + DROP_PATIENCE_MS;
	const { signal } = new AbortController();
	for (;;) {
		try {
			await withClient(server, signal, async (client) => {
				await client.query(`DROP DATABASE IF EXISTS ${escapeIdentifier(name)} WITH (FORCE)`);
			});
			return;
		} catch (error) {
			if (!isBackupError(error, 'unreachable', 'connection-lost') || performance.now() > deadline) throw error;
			await delay(DROP_RETRY_MS);
		}
	}
}

/** What makes a database more than empty. Extensions are no obstacle: an administrator may have had to install them. */
const WHAT_IS_THERE = `
	SELECT kind, count(*)::int AS n, min(name) AS example FROM (
		SELECT CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'view'
				WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' ELSE 'relation' END AS kind,
			pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
			-- A composite type belongs to an extension as a type, not as the relation that it is too.
			CASE c.relkind WHEN 'c' THEN 'pg_type'::pg_catalog.regclass ELSE 'pg_class'::pg_catalog.regclass END AS class,
			CASE c.relkind WHEN 'c' THEN c.reltype ELSE c.oid END AS oid
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
		UNION ALL
		SELECT 'function', pg_catalog.format('%I.%I', n.nspname, p.proname), 'pg_proc'::pg_catalog.regclass, p.oid
		FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
		WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
		UNION ALL
		SELECT 'type', pg_catalog.format('%I.%I', n.nspname, t.typname), 'pg_type'::pg_catalog.regclass, t.oid
		FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
		WHERE t.typtype IN ('d', 'e', 'r') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
		UNION ALL
		SELECT 'schema', pg_catalog.quote_ident(n.nspname), 'pg_namespace'::pg_catalog.regclass, n.oid
		FROM pg_catalog.pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public')
		UNION ALL
		SELECT 'large object', m.oid::text, 'pg_largeobject'::pg_catalog.regclass, m.oid FROM pg_catalog.pg_largeobject_metadata m
	) AS things
	WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = class AND d.objid = things.oid AND d.deptype = 'e')
	GROUP BY kind ORDER BY kind`;

/**
 * Refuses a database that holds anything of anybody.
 * @throws BackupError 'already-exists' saying what is there; what `pg` throws
 */
export async function assertEmpty(client: Client, target: DatabaseTarget): Promise<void> {
	const { rows } = await client.query<{ kind: string; n: number; example: string }>(WHAT_IS_THERE);
	if (rows.length === 0) return;
	const what = rows.map(
		({ kind, n, example }) => `${n} ${kind}${n === 1 ? '' : 's'} (${example}${n > 1 ? ', …' : ''})`,
	);
	throw new BackupError('already-exists', `${describeTarget(target)} is not empty: it has ${what.join(', ')}`, {
		hint: 'Restore into a new database, or choose to replace this one.',
	});
}
