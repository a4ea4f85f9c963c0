/** Restores a dump in custom format through a pg_restore of this machine, which reads it from its standard input. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createTemporaryFolder, removeTemporaryFolder } from '../../../base/temporary-folder';
import type { Readable, Writable } from 'node:stream';
import { abortError, BackupError, isBackupError } from '../../../base/errors';
import { CONNECT_TIMEOUT_MS } from '../connection/connection';
import type { DatabaseFacts } from '../dump/contents';
import {
	clientEnvironment,
	endProgram,
	isProgramMissing,
	programNotFound,
	readVersion,
} from '../dump/engines/client-program';
import { readArchiveHeader } from '../dump/custom-archive';
import { cleanText, toBackupError } from '../connection/errors';
import { isEverything } from '../replay/only';
import type { LeftOut, RewriteRules } from '../replay/rewrite';
import { withClient } from './target';
import { limitlessOptions } from '../connection/session-limits';
import { readingOptions } from '../dump/session-settings';
import { type DatabaseTarget, describeTarget } from '../connection/target';
import { type Forwarder, forwardLocally, type TunnelTarget } from '../connection/tunnel';

const STDERR_LIMIT = 64 * 1024;
const MAX_WORDS = 1000;

/** The first pg_restore that reads a version of the archive format (K_VERS_* in pg_backup_archiver.h). */
const READABLE_SINCE: Record<string, number> = { '1.14': 12, '1.15': 16, '1.16': 17 };

/** Kinds of objects that pg_restore can leave out. */
const FLAGS: Partial<Record<LeftOut, string>> = {
	subscriptions: '--no-subscriptions',
	publications: '--no-publications',
	'security-labels': '--no-security-labels',
};

/**
 * Whether a backup in custom format can be restored here by these rules, before anything is touched.
 * @param start of the dump, as {@link readStart} gives it
 * @throws BackupError 'engine-not-found', 'unsupported' naming the versions or the rule, 'damaged'
 */
export async function assertNativeRestore(program: string, rules: RewriteRules, start: Buffer): Promise<void> {
	const header = readArchiveHeader(start);
	const isChanged = Object.keys(rules.roles ?? {}).length > 0 || (rules.withoutExtensions?.length ?? 0) > 0;
	if (!isEverything(rules.only) || isChanged) {
		throw new BackupError(
			'unsupported',
			'a backup in custom format cannot be restored in part, with other roles or without an extension',
			{
				hint: 'Restore all of it, with owners dropped if roles are missing, or restore by hand: pg_restore has options of its own.',
			},
		);
	}
	const version = await readVersion(program, 'pg_restore');
	const dumpedWith = Number.parseInt(header.dumpVersion, 10);
	const needed = READABLE_SINCE[header.version] ?? dumpedWith;
	if (version.major < needed) {
		throw new BackupError(
			'unsupported',
			`pg_restore ${version.text} is too old: a dump of pg_dump ${dumpedWith} in custom format needs ${needed} or later`,
			{ hint: `Install PostgreSQL ${needed} client programs, or set N8N_BACKUP_PG_RESTORE to a newer pg_restore.` },
		);
	}
}

/**
 * Feeds a dump to pg_restore. What it did before an error stays.
 * @param body is destroyed when the restore fails; its own error wins over what pg_restore says about it
 * @throws BackupError 'restore-failed', 'connection-lost', …; 'cancelled'; those of the body
 */
export async function nativeRestore(
	body: Readable,
	target: DatabaseTarget,
	options: {
		program: string;
		rules: RewriteRules;
		contents: Pick<DatabaseFacts, 'moneyLocale'>;
		signal: AbortSignal;
		onBytes?: (bytes: number) => void;
	},
): Promise<{ warnings: string[] }> {
	const { program, rules, contents, signal, onBytes } = options;
	let home: string | undefined;
	let forwarder: Forwarder | undefined;
	let child: ChildProcess | undefined;
	// Its own listener, because it may fail before anybody reads it; that is found when it is read.
	body.on('error', () => undefined);
	const onAbort = () => void (child && endProgram(child));
	signal.addEventListener('abort', onAbort, { once: true });
	try {
		home = await createTemporaryFolder('program');
		if (target.ssh) forwarder = await forwardLocally(target as TunnelTarget, { signal, timeoutMs: CONNECT_TIMEOUT_MS });
		// A pg_restore lifts the limits that it knows: one that is older than the server does not know all.
		const limitless = await withClient(target, signal, limitlessOptions);
		const env = {
			...(await clientEnvironment(target, home, forwarder)),
			PGOPTIONS: `${readingOptions(contents)} ${limitless}`,
		};
		if (signal.aborted) throw abortError(signal);
		const running = spawn(program, restoreArguments(target, rules), {
			env,
			cwd: home,
			stdio: ['pipe', 'ignore', 'pipe'],
		});
		let stderr = '';
		running.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-STDERR_LIMIT)));
		await once(running, 'spawn').catch((error: unknown) => {
			throw isProgramMissing(error) ? programNotFound(program, 'pg_restore', error) : error;
		});
		child = running;
		const closed = once(running, 'close') as Promise<[number | null, string | null]>;
		// The end of its input must mean the end of a whole dump: when the body fails, pg_restore is ended instead.
		const fed = feed(body, running.stdin, onBytes).catch(async (error: unknown) => {
			await endProgram(running);
			throw error;
		});
		const [[code, killedBy]] = await Promise.all([closed, fed]);
		if (signal.aborted) throw abortError(signal);
		if (forwarder?.failure) throw forwarder.failure;
		if (code !== 0) throw restoreError(killedBy ? `${stderr}it was ended by ${killedBy}` : stderr, target);
		return { warnings: cleanText(stderr, target).split('\n').filter(Boolean) };
	} catch (error) {
		if (signal.aborted) throw abortError(signal);
		throw isBackupError(error) ? error : toBackupError(error, target);
	} finally {
		signal.removeEventListener('abort', onAbort);
		body.destroy();
		if (child) await endProgram(child);
		forwarder?.close();
		if (home !== undefined) await removeTemporaryFolder(home);
	}
}

/**
 * Writes the dump, and ends the program's input when it was whole. Resolves early when the program takes no more: its exit
 * code and words say why.
 * @throws errors of the body
 */
async function feed(body: Readable, input: Writable, onBytes?: (bytes: number) => void): Promise<void> {
	const closed = new Promise<void>((resolve) => input.on('error', () => undefined).once('close', resolve));
	let bytes = 0;
	for await (const chunk of body as AsyncIterable<Buffer>) {
		if (input.destroyed) return;
		if (!input.write(chunk)) await Promise.race([new Promise((resolve) => input.once('drain', resolve)), closed]);
		onBytes?.((bytes += chunk.length));
	}
	input.end();
}

function restoreArguments({ database }: DatabaseTarget, { owners, privileges, leaveOut = [] }: RewriteRules): string[] {
	return [
		// A name alone would be read as a connection string when it has a "=" in it.
		`--dbname=dbname='${database.replaceAll(/[\\']/g, '\\$&')}'`,
		'--exit-on-error',
		'--no-password',
		...(owners === 'drop' ? ['--no-owner'] : []),
		...(privileges === 'drop' ? ['--no-privileges'] : []),
		...leaveOut.flatMap((kind) => FLAGS[kind] ?? []),
	];
}

/** A pg_restore that ended with an error, from what it wrote to stderr. */
function restoreError(stderr: string, target: DatabaseTarget): BackupError {
	const text = cleanText(stderr.replaceAll(/^pg_restore: (?:error: )?/gm, ''), target).slice(0, MAX_WORDS);
	// Only what is said about the connection; a refusal of the server is a failed restore, whatever it is about.
	const isRefusal = /^could not execute|^error: could not execute/.test(text);
	return new BackupError(
		isRefusal ? 'restore-failed' : toBackupError(new Error(text), target, 'restore-failed').code,
		`pg_restore into ${describeTarget(target)} failed: ${text || 'it said nothing'}`,
		{ hint: 'Look into the server’s log for what it says about this.' },
	);
}
