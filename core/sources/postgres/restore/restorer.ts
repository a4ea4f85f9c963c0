/** Restores a backup of a database, from the look at the place to the database that has its name. */
import type { Client } from 'pg';
import { isBackupError, afterTidying } from '../../../base/errors';
import { forgetId, newId } from '../../../records/locks/holder';
import type { Comparison, Restored, Restorer, RestoreRun } from '../../source';
import { passwordWarning } from '../connection/password-exposure';
import { queryOf } from '../connection/query';
import { type DatabaseTarget, describeTarget } from '../connection/target';
import type { DatabaseFacts } from '../dump/contents';
import { type Given, giveMissingSettings, giveRest, giveSettings } from '../dump/database-properties';
import { executeGlobals } from '../dump/globals';
import { postgresKind } from '../kind';
import { assertOnly, isEverything } from '../replay/only';
import type { RewriteRules } from '../replay/rewrite';
import type { ReplayProgress } from '../replay/types';
import { type DatabaseBackup, openDatabaseBackup } from './database-backup';
import { type Filled, fillDatabase } from './fill';
import { markRestoring, dropLeftovers, unmark } from './leftovers';
import { preflight } from './preflight';
import { moveIntoPlace, swapDatabases } from './swap';
import {
	assertEmpty,
	assertPlace,
	createDatabase,
	dropDatabase,
	lookAtPlace,
	type RestorePlace,
	temporaryDatabase,
	withClient,
} from './target';

/** Where and how a backup of a database is restored. */
export interface DatabaseRestoreOptions {
	/** Its database serves only to connect for CREATE DATABASE. */
	server: DatabaseTarget;
	into: RestorePlace;
	rules: RewriteRules;
	/** For indexes and constraints of a plain dump; 1 by default. */
	connections?: number;
	/** A pg_restore for backups in custom format, when it is not in PATH. */
	nativePath?: string;
	/** Go on although the server lacks extensions that the backup names: for a restore of a part that needs none of them. */
	allowMissingExtensions?: boolean;
	/** Restore the roles and memberships that were saved beside the dump first; those that exist stay as they are. */
	globals?: boolean;
}

/** What came of a restore of a database. */
export interface RestoredDatabase extends Restored {
	/** The database that holds the backup now. */
	database: string;
	mode: RestorePlace['mode'];
	/** 0 where pg_restore did the work, which does not count. */
	statements: number;
	rows: number;
	comparison: Comparison;
	/** What the database itself was given besides its contents, for people: "search_path", "the owner". */
	properties: string[];
}

/** Nothing may interrupt what must not be left half done. */
const NEVER = new AbortController().signal;

/**
 * Restores into a database. When the restore rejects, a new database is gone again, a replaced one is as it was, and only an
 * empty one may be half filled, which the error says. Row counts that differ are a result, and then nothing is replaced.
 * @throws BackupError 'invalid-input' at once for a place or a choice that cannot be meant
 */
export function postgresRestorer(options: DatabaseRestoreOptions): Restorer<DatabaseFacts, RestoredDatabase> {
	assertPlace(options.into, options.server);
	assertOnly(options.rules.only);
	return {
		kind: postgresKind.kind,
		async restore(opened, run) {
			const server = { patienceMs: run.stallTimeoutMs, ...options.server };
			const backup = await openDatabaseBackup(opened, options);
			const work: Work = { options: { ...options, server }, run, backup, properties: new Set() };
			report(work, 'preparing', { bytes: 0, statements: 0, rows: 0 });
			return options.into.mode === 'empty' ? await intoEmpty(work) : await intoNew(work, options.into.mode);
		},
	};
}

/** One restore under way. */
interface Work {
	options: DatabaseRestoreOptions;
	run: RestoreRun;
	backup: DatabaseBackup;
	/** What the database was given so far. */
	properties: Set<string>;
}

async function intoEmpty(work: Work): Promise<RestoredDatabase> {
	const { options, run, backup } = work;
	const { server, into, rules } = options;
	const target = { ...server, database: into.database };
	await withClient(target, run.signal, async (client) => {
		await assertEmpty(client, target);
		for (const text of await dropLeftovers(client, into.database)) run.warn(text);
		await prepare(work, client, { createsDatabase: false });
		const settings = isEverything(rules.only) ? (backup.contents.properties?.settings ?? []) : [];
		took(work, await giveMissingSettings(client, into.database, settings, rules));
	});
	try {
		return outcome(work, into.database, await fill(work, target));
	} catch (error) {
		throw addHint(error, `What was restored so far is still in ${describeTarget(target)}: it is half filled.`);
	}
}

/** Beside everything that is there, under a name of its own, which it gives up only when it is whole. */
async function intoNew(work: Work, mode: 'new' | 'replace'): Promise<RestoredDatabase> {
	const { options, run, backup } = work;
	const { server, into, rules } = options;
	const tablespace = await withClient(server, run.signal, async (client) => {
		const found = await lookAtPlace(client, into);
		for (const text of await dropLeftovers(client, into.database)) run.warn(text);
		const replaces = mode === 'replace' ? into.database : undefined;
		await prepare(work, client, { createsDatabase: true, replaces });
		return found?.tablespace;
	});
	const restored = temporaryDatabase(into.database, 'restoring');
	const id = newId();
	try {
		run.signal.throwIfAborted();
		// Interrupted, the server might go on with it, and nobody would know.
		await withClient(server, NEVER, async (client) => {
			for (const warning of await createDatabase(client, restored, backup.contents, { tablespace })) run.warn(warning);
			await markRestoring(queryOf(client), restored, { into: into.database, id });
			const given = await giveSettings(client, restored, backup.contents.properties?.settings ?? [], rules);
			// A replaced database keeps its own, and only the restored rows need these.
			if (mode === 'new') took(work, given);
		});
		const filled = await fill(work, { ...server, database: restored });
		report(work, 'swapping', filled);
		return outcome(work, await place(work, restored, filled, mode), filled);
	} catch (error) {
		throw await afterTidying(
			error,
			async () => await dropDatabase(server, restored),
			(why) => `The unfinished database ${restored} could not be dropped (${why}): drop it.`,
		);
	} finally {
		forgetId(id);
	}
}

/**
 * Gives the restored database its name. The last chance to be cancelled is before it: whoever breaks off a COMMIT cannot know
 * which database has the name.
 * @returns under which name the restored database can be found
 */
async function place(work: Work, restored: string, { comparison }: Filled, mode: 'new' | 'replace'): Promise<string> {
	const { options, run, backup } = work;
	const { server, into, rules } = options;
	const { properties } = backup.contents;
	run.signal.throwIfAborted();
	if (mode === 'new') {
		await moveIntoPlace(server, restored, into.database, async (query) => {
			if (properties) took(work, await giveRest(query, into.database, properties, rules));
		});
		return into.database;
	}
	if (!comparison.ok) {
		run.warn(
			`${into.database} was not replaced, because what was restored differs from the backup: look at it in ${restored}, then drop that`,
		);
		// From now on it is the user's: no other restore may take it for what a killed one left.
		await withClient(server, NEVER, async (client) => await unmark(queryOf(client), restored));
		return restored;
	}
	for (const warning of await swapDatabases(server, restored, into.database)) run.warn(warning);
	return into.database;
}

/** Roles and preflight are one transaction: what was found missing leaves no roles behind. */
async function prepare(
	{ options, run, backup }: Work,
	client: Client,
	place: { createsDatabase: boolean; replaces?: string },
): Promise<void> {
	const { server, rules, allowMissingExtensions } = options;
	const query = queryOf(client);
	const exposed = passwordWarning(client);
	if (exposed !== null) run.warn(exposed);
	await query('BEGIN');
	const roles = backup.globals === null ? [] : await executeGlobals(client, backup.globals, server);
	const found = await preflight(query, server, backup.contents, { rules, allowMissingExtensions, ...place });
	for (const warning of [...roles, ...found]) run.warn(warning);
	await query('COMMIT');
}

async function fill(work: Work, target: DatabaseTarget): Promise<Filled> {
	const { options, run, backup } = work;
	const { rules, connections, nativePath } = options;
	const filled = await fillDatabase(backup, target, {
		rules,
		connections,
		nativePath,
		signal: run.signal,
		onProgress: (phase, progress) => report(work, phase, progress),
	});
	for (const warning of filled.warnings) run.warn(warning);
	return filled;
}

function took({ run, properties }: Work, { given, warnings }: Given): void {
	for (const what of given) properties.add(what);
	for (const warning of warnings) run.warn(warning);
}

function report({ run }: Work, phase: string, { bytes, statements, rows }: ReplayProgress): void {
	run.onProgress({ phase, bytes, figures: { statements, rows } });
}

function outcome(
	{ options, properties }: Work,
	database: string,
	{ statements, rows, comparison }: Filled,
): RestoredDatabase {
	const { mode } = options.into;
	const facts = { mode, rows, tables: comparison.figures.tables ?? 0, different: comparison.differences.length };
	return { database, mode, statements, rows, comparison, properties: [...properties], facts };
}

function addHint(error: unknown, hint: string): unknown {
	return isBackupError(error) ? error.withHint(hint) : error;
}
