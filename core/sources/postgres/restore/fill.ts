/** Fills an empty database from a dump, whatever its format, and compares the two. */
import type { Readable } from 'node:stream';
import { BackupError } from '../../../base/errors';
import { assertArchiveAllowed } from './archive-statements';
import type { Comparison } from '../../source';
import type { CreateExtension } from '../drill/scratch-role';
import { compareContents } from '../dump/compare';
import { queryOf } from '../connection/query';
import type { DatabaseFacts } from '../dump/contents';
import { nativeRestore } from './native';
import { replay, replayInto } from '../replay/replay';
import type { ReplaySession } from '../replay/session';
import type { ReplayOptions, ReplayProgress } from '../replay/types';
import { withClient } from './target';
import type { RewriteRules } from '../replay/rewrite';
import { type DatabaseTarget, describeTarget } from '../connection/target';

/** The program for dumps in custom format, as PATH has it. */
export const PG_RESTORE = 'pg_restore';

/** A dump that can be read as often as it is needed. */
export interface Dump {
	format: 'plain' | 'custom';
	contents: DatabaseFacts;
	originalBytes: number;
	/** Its stream ends only when every byte was proved. */
	open: () => Promise<Readable>;
}

/** A dump as SQL, which any session can execute. */
export type PlainDump = Dump & { format: 'plain' };

/** How a dump is restored into a database that is there. */
export interface FillOptions {
	rules: RewriteRules;
	/** For indexes and constraints of a plain dump. */
	connections?: number;
	/** Makes the extensions of a plain dump, which the target's user may not make. */
	createExtension?: CreateExtension;
	/** The pg_restore for a dump in custom format, when it is not in PATH. */
	nativePath?: string;
	signal: AbortSignal;
	onProgress?: (phase: 'restoring' | 'comparing', progress: Readonly<ReplayProgress>) => void;
}

/** What a restore did. Statements and rows are 0 where pg_restore did it, which does not count. */
export interface Executed extends ReplayProgress {
	warnings: string[];
}

/** What a restore did, and how the database compares with the original. */
export interface Filled extends Executed {
	comparison: Comparison;
}

/**
 * Restores and compares. What was done before an error stays.
 * @throws BackupError of the dump's stream, of {@link replay} or {@link nativeRestore}, of the connection
 */
export async function fillDatabase(dump: Dump, target: DatabaseTarget, options: FillOptions): Promise<Filled> {
	const { signal, onProgress } = options;
	const { warnings, ...done } = await restoreDump(dump, target, options);
	onProgress?.('comparing', done);
	const comparison = await withClient(
		target,
		signal,
		async (client) => await compareContents(queryOf(client), dump.contents, { only: options.rules.only }),
	);
	// pg_restore does not say how many rows it restored.
	return { ...done, rows: dump.format === 'plain' ? done.rows : (comparison.figures.rows ?? 0), comparison, warnings };
}

/**
 * Restores a dump into a database of a server, without a comparison. What was done before an error stays.
 * @throws BackupError 'incomplete' for a dump that was not read to its end; otherwise as {@link fillDatabase}
 */
export async function restoreDump(dump: Dump, target: DatabaseTarget, options: FillOptions): Promise<Executed> {
	const name = describeTarget(target);
	return dump.format === 'custom'
		? await proved(dump, name, await readable(dump, target, options), (body) =>
				restoreArchive(dump, body, target, options),
			)
		: await proved(dump, name, await dump.open(), (body) => replay(body, target, replayOptions(dump, options)));
}

/**
 * Restores a plain dump in a session that is open already, as {@link replayInto} does, without a comparison.
 * @param name of the database, for messages
 * @throws BackupError as {@link restoreDump}
 */
export async function restoreDumpInto(
	dump: PlainDump,
	session: ReplaySession,
	name: string,
	options: FillOptions,
): Promise<Executed> {
	return await proved(dump, name, await dump.open(), (body) =>
		replayInto(body, session, name, replayOptions(dump, options)),
	);
}

function replayOptions({ contents }: Dump, options: FillOptions): ReplayOptions {
	const { rules, connections, createExtension, signal, onProgress } = options;
	const report = (progress: Readonly<ReplayProgress>) => onProgress?.('restoring', progress);
	return { rules, contents, connections, createExtension, signal, onProgress: report };
}

/** The archive, opened after all of its statements were looked at. */
async function readable({ open }: Dump, target: DatabaseTarget, options: FillOptions): Promise<Readable> {
	const { nativePath = PG_RESTORE, rules, signal } = options;
	await assertArchiveAllowed(await open(), target, { program: nativePath, rules, signal });
	return await open();
}

async function restoreArchive(
	{ contents }: Dump,
	body: Readable,
	target: DatabaseTarget,
	{ nativePath = PG_RESTORE, rules, signal, onProgress }: FillOptions,
): Promise<Executed> {
	const done = { bytes: 0, statements: 0, rows: 0 };
	const onBytes = (bytes: number) => onProgress?.('restoring', { ...done, bytes: (done.bytes = bytes) });
	const { warnings } = await nativeRestore(body, target, { program: nativePath, rules, contents, signal, onBytes });
	return { ...done, warnings };
}

/** The digests are compared at the end of the stream: a restore that stopped before it proved nothing. */
async function proved(
	{ originalBytes }: Dump,
	name: string,
	body: Readable,
	restore: (body: Readable) => Promise<Executed>,
): Promise<Executed> {
	const { bytes, statements, rows, warnings } = await restore(body);
	if (body.readableEnded && bytes === originalBytes) return { bytes, statements, rows, warnings };
	throw new BackupError('incomplete', `${bytes} of ${originalBytes} bytes of the dump were restored into ${name}`, {
		hint: 'Verify the backup.',
	});
}
