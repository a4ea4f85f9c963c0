/**
 * Restores a plain dump into a database, as psql would with ON_ERROR_STOP: one statement after the other, each
 * committed by itself, until the first error.
 */
import type { Readable } from 'node:stream';
import { abortError, BackupError, isBackupError, messageOf } from '../../../base/errors';
import { cleanText } from '../connection/errors';
import type { NamedTarget } from './errors';
import { Replay } from './run';
import { openServerSession } from './server-session';
import type { ReplaySession } from './session';
import { SessionPool } from './session-pool';
import { describeTarget, type DatabaseTarget } from '../connection/target';
import { ReplayIntoOptions, ReplayOptions, ReplayResult } from './types';

/**
 * Executes a plain dump in a database, which should be empty. What was executed before an error stays.
 * @param body the dump's bytes. It is destroyed when the restore fails; its own error wins over all others
 * @throws BackupError 'restore-failed' with the place, the statement and the server's words; 'incomplete' for a dump
 * without its last words; 'unsupported' and 'damaged' as {@link splitDump}; 'cancelled'; those of {@link connect}
 */
export async function replay(body: Readable, target: DatabaseTarget, options: ReplayOptions): Promise<ReplayResult> {
	const place: NamedTarget = { name: describeTarget(target), clean: (text) => cleanText(text, target) };
	const pool = new SessionPool(() => openServerSession(target, options));
	try {
		return await replayThrough(body, pool, place, options);
	} finally {
		await pool.close('politely');
	}
}

/**
 * The same in a session that is open already. It stays open when the dump was executed or a statement of it was refused;
 * otherwise it is closed at once, for it may be at work. Settings of the dump, like an empty search_path, stay in force.
 * @param describe where the dump goes, for messages: "shop on db.example.org:5432"
 */
export async function replayInto(
	body: Readable,
	session: ReplaySession,
	describe: string,
	options: ReplayIntoOptions,
): Promise<ReplayResult> {
	const place: NamedTarget = { name: describe, clean: (text) => cleanText(text, {}) };
	return await replayThrough(body, new SessionPool(() => Promise.resolve(session)), place, options);
}

async function replayThrough(
	body: Readable,
	pool: SessionPool,
	place: NamedTarget,
	options: ReplayOptions,
): Promise<ReplayResult> {
	const { signal } = options;
	let broken: Error | undefined;
	const onBroken = (error: Error) => {
		broken = error;
		void pool.close('at once'); // a statement may be running for hours
	};
	const onAbort = () => body.destroy(abortError(signal));
	body.on('error', onBroken);
	signal.addEventListener('abort', onAbort, { once: true });
	try {
		if (signal.aborted) throw abortError(signal);
		const session = await pool.add();
		if (broken) throw broken;
		return await new Replay(pool, session, place, options).run(body);
	} catch (error) {
		body.destroy();
		// After a refusal the server waits for what comes next; in all other cases it may be at work.
		if (!isBackupError(error, 'restore-failed')) await pool.close('at once');
		if (signal.aborted) throw abortError(signal);
		const first = broken ?? error;
		if (isBackupError(first)) throw first;
		throw new BackupError('incomplete', `the dump cannot be read to its end: ${place.clean(messageOf(first))}`, {
			hint: 'Look at what reads it from its storage, then run the restore again.',
			cause: first,
		});
	} finally {
		signal.removeEventListener('abort', onAbort);
	}
}
