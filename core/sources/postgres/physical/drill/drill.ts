/** Restores a base backup, and the log behind it, into a temporary folder, starts a server in it, looks, and removes it all again. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { BackupError, isBackupError } from '../../../../base/errors';
import { sizeText } from '../../../../base/size-text';
import { createTemporaryFolder, removeTemporaryFolder } from '../../../../base/temporary-folder';
import { assertQuestions } from '../../drill/assertions';
import type { AssertionResult, Drill, DrillResult, OpenBackup, RestoreRun } from '../../../source';
import type { ClusterContents } from '../base/contents';
import { CLUSTER } from '../base/word';
import { majorOf } from '../cluster';
import { baseGroupOf, logGroupOf } from '../groups';
import { formatRecovery, type RecoveryTarget } from '../restore/recovery';
import { clusterRestorer } from '../restore/restorer';
import { LOG } from '../wal/word';
import { markDrill, markIn, stopAbandonedDrills } from './abandoned';
import { checkRelations } from './amcheck';
import { askDrilledCluster, assertAskable, type ClusterQuestions } from './asking';
import { type Account, findServerProgram, serverAccount } from './programs';
import { PrivateServer } from './server';

/** The log that is replayed as well. */
export interface LogBehind {
	target: RecoveryTarget;
	/** Null where there is none. */
	log: AsyncIterable<OpenBackup> | null;
}

export interface ClusterDrillOptions {
	/** Plans the log behind a base backup; absent: only what the backup itself holds is replayed. */
	logBehind?: (backup: { group: string; label: string }, signal: AbortSignal) => Promise<LogBehind>;
	/** What the user asks the restored cluster. */
	questions?: ClusterQuestions;
}

/** Drills of base backups. Needs the server program of the same major version, and as much room as the cluster. */
export function clusterDrill({
	logBehind,
	questions = { assertions: [] },
}: ClusterDrillOptions = {}): Drill<ClusterContents> {
	return {
		kind: CLUSTER,
		async run(backup, run) {
			const { group, label } = backup.manifest;
			assertQuestions(questions.assertions);
			assertAskable(majorOf(backup.contents), questions);
			const account = await serverAccount();
			const program = await findServerProgram(majorOf(backup.contents), account);
			const behind = await logBehind?.({ group, label }, run.signal);
			if (behind?.log) {
				try {
					return await inFolder(backup, run, { account, program, behind, questions });
				} catch (error) {
					if (run.signal.aborted || !isBackupError(error, ...OF_THE_BACKUPS)) throw error;
					// Whether it is the base backup or the log: the one of them that is asked about is the first.
					await inFolder(backup, run, { account, program, behind: ALONE, questions: { assertions: [] } });
					throw new BackupError('restore-failed', `it starts, but not with the log behind it: ${error.message}`, {
						hint: `Verify ${logGroupOf(group)} to depth "readable", and make another base backup now.`,
					});
				}
			}
			return await inFolder(backup, run, { account, program, behind: ALONE, questions });
		},
	};
}

/** Only as far as a base backup itself goes. */
const ALONE: LogBehind = { target: { kind: 'base' }, log: null };
/** What a base backup or log that is bad fails with. */
const OF_THE_BACKUPS = ['damaged', 'incomplete', 'not-found', 'broken-log', 'restore-failed'] as const;

async function inFolder(
	backup: OpenBackup<ClusterContents>,
	run: RestoreRun,
	place: Omit<Place, 'folder'>,
): Promise<DrillResult> {
	await stopAbandonedDrills();
	const folder = await createTemporaryFolder('scratch');
	try {
		await markDrill(folder);
		return await drill(backup, run, { ...place, folder });
	} finally {
		await removeTemporaryFolder(folder);
	}
}

/** Log alone starts no server: says where it is proved. */
export function logDrill(): Drill {
	return {
		kind: LOG,
		async run({ manifest: { group, label } }) {
			return await Promise.reject(
				new BackupError('unsupported', `${group}/${label} is log, which is restored with a base backup`, {
					hint: `Verify ${baseGroupOf(group)} to depth "restored": all log behind it is replayed too. Log itself is verified to depth "readable".`,
				}),
			);
		},
	};
}

interface Place {
	folder: string;
	account: Account;
	program: string;
	behind: LogBehind;
	questions: ClusterQuestions;
}

async function drill(
	backup: OpenBackup<ClusterContents>,
	run: RestoreRun,
	{ folder, account, program, behind: { target, log }, questions }: Place,
): Promise<DrillResult> {
	const startedAt = performance.now();
	const data = path.join(folder, 'data');
	const tablespaces = Object.fromEntries(
		backup.contents.tablespaces.map(({ oid, location }) => [location, path.join(folder, String(oid))]),
	);
	const { comparison } = await clusterRestorer({ to: data, tablespaces, target }).restore(backup, {
		...run,
		// That it has no configuration of its own, for one: this server gets ours.
		warn: () => undefined,
		...(log && { alongside: log }),
	});
	// These would be obeyed, whatever another configuration says.
	await fs.writeFile(path.join(data, 'postgresql.auto.conf'), formatRecovery(target));
	await fs.rm(path.join(data, 'standby.signal'), { force: true });
	if (account.uid !== undefined) await giveTo(account, folder);
	run.onProgress({ phase: 'starting a server', bytes: comparison.figures.bytes! });
	const { settings, superuser } = backup.contents;
	const major = majorOf(backup.contents);
	const server = await PrivateServer.start({
		...{ program, data, folder, account, settings, superuser, major },
		signal: run.signal,
	});
	try {
		const restoreSeconds = (performance.now() - startedAt) / 1000;
		run.onProgress({ phase: 'looking', bytes: comparison.figures.bytes! });
		const found = await look(server, run);
		const assertions = await askAll(server, found, questions);
		const relations = await checkRelations(server, found?.opened ?? [], run);
		const { files = 0, bytes = 0, logBytes = 0 } = comparison.figures;
		const held = found && `${found.opened.length} databases with ${found.tables} tables${soundText(relations)}`;
		const commit = found?.lastCommit ? `, the last transaction of ${found.lastCommit}` : '';
		return {
			scratch: 'a server in a temporary folder',
			restoreSeconds,
			comparison: {
				ok: true,
				says: `${files} files of ${sizeText(bytes)} and ${sizeText(logBytes)} of log; a server started in them${held ? `: ${held}` : ''}${commit}`,
				figures: {
					files,
					bytes,
					logBytes,
					...(found && { databases: found.opened.length, tables: found.tables }),
					...(relations && { relations }),
				},
				differences: [],
			},
			assertions,
		};
	} finally {
		await server.stop();
	}
}

/** @param relations that amcheck has looked at; null where it is not there */
function soundText(relations: number | null): string {
	return relations === null
		? ', not looked at one by one: the server has no amcheck'
		: `, ${relations} of their tables and indexes sound`;
}

/** @throws BackupError 'unsupported' where nobody can log in; as {@link askDrilledCluster} */
async function askAll(
	server: PrivateServer,
	found: Found | null,
	questions: ClusterQuestions,
): Promise<AssertionResult[]> {
	if (found !== null || questions.assertions.length === 0)
		return await askDrilledCluster(server, found?.names ?? [], questions);
	throw new BackupError('unsupported', `the assertions cannot be asked: nobody can log in as "${server.superuser}"`, {
		hint: 'Leave them out, or let that role log in on the server.',
	});
}

interface Found {
	/** All that take connections. */
	names: readonly string[];
	/** Those that could be opened. */
	opened: string[];
	tables: number;
	/** ISO 8601; null where no transaction was replayed. */
	lastCommit: string | null;
}

/** Opens every database, and counts. Nothing that users have made is run. @returns null where nobody can log in */
async function look(server: PrivateServer, { signal, warn }: RestoreRun): Promise<Found | null> {
	let names: string[];
	let lastCommit: string | null;
	try {
		const query = `SELECT array_agg(datname::text ORDER BY datname) AS names, pg_catalog.pg_last_xact_replay_timestamp() AS at
			FROM pg_catalog.pg_database WHERE datallowconn`;
		const row = await ask<{ names: string[]; at: Date | null }>(server, 'template1', query);
		[names, lastCommit] = [row.names, row.at?.toISOString() ?? null];
	} catch (error) {
		warn(`a server has started, and was not looked into: ${(error as Error).message}`);
		return null;
	}
	const found: Found = { names, opened: [], tables: 0, lastCommit };
	for (const name of names) {
		signal.throwIfAborted();
		try {
			const { tables } = await ask<{ tables: number }>(server, name, TABLES);
			found.opened.push(name);
			found.tables += tables;
		} catch (error) {
			// A locale that this machine does not have, say.
			warn(`the database ${name} could not be opened here: ${(error as Error).message}`);
		}
	}
	return found;
}

const TABLES = `SELECT count(*)::int AS tables FROM pg_catalog.pg_class AS c
	JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`;

/** The one row that answers a question. */
async function ask<Row extends object>(server: PrivateServer, database: string, question: string): Promise<Row> {
	const client = await server.connect(database);
	try {
		return (await client.query<Row>(question)).rows[0]!;
	} finally {
		await client.end();
	}
}

/** Gives a folder and all in it to whom the server runs as. */
async function giveTo({ uid, gid }: Account, folder: string): Promise<void> {
	await fs.chown(folder, uid!, gid!);
	// The mark stays ours: it says whose the folder is.
	for (const entry of await fs.readdir(folder, { recursive: true, withFileTypes: true })) {
		const file = path.join(entry.parentPath, entry.name);
		if (file !== markIn(folder)) await fs.lchown(file, uid!, gid!);
	}
}
