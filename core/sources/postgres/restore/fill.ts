/** Fills an empty database from a dump, whatever its format, and compares the two. */
import type { Readable } from 'node:stream';
import { BackupError } from '../../../base/errors';
import { assertArchiveAllowed } from './archive-statements';
import type { Comparison } from '../../source';
import { compareContents } from '../dump/compare';
import { queryOf } from '../connection/query';
import type { DatabaseFacts } from '../dump/contents';
import { nativeRestore } from './native';
import { replay } from '../replay/replay';
import { type ReplayProgress } from '../replay/types';
import { withClient } from './target';
import type { RewriteRules } from '../replay/rewrite';
import { type DatabaseTarget, describeTarget } from '../connection/target';

export interface Dump {
	format: 'plain' | 'custom';
	contents: DatabaseFacts;
	/** Its stream ends only when every byte was proved. */
	open: () => Promise<Readable>;
}

export interface FillOptions {
	rules: RewriteRules;
	/** For indexes and constraints of a plain dump. */
	connections?: number;
	/** The pg_restore for a dump in custom format, when it is not in PATH. */
	nativePath?: string;
	signal: AbortSignal;
	onProgress?: (phase: 'restoring' | 'comparing', progress: Readonly<ReplayProgress>) => void;
}

export interface Filled extends ReplayProgress {
	comparison: Comparison;
	warnings: string[];
}

/**
 * Restores and compares. What was done before an error stays.
 * @throws BackupError of the dump's stream, of {@link replay} or {@link nativeRestore}, of the connection
 */
export async function fillDatabase(dump: Dump, target: DatabaseTarget, options: FillOptions): Promise<Filled> {
	const { signal, onProgress } = options;
	const { warnings, ...done } = await restoreInto(dump, target, options);
	onProgress?.('comparing', done);
	const comparison = await withClient(
		target,
		signal,
		async (client) => await compareContents(queryOf(client), dump.contents, { only: options.rules.only }),
	);
	// pg_restore does not say how many rows it restored.
	return { ...done, rows: dump.format === 'plain' ? done.rows : (comparison.figures.rows ?? 0), comparison, warnings };
}

async function restoreInto(
	{ format, contents, open }: Dump,
	target: DatabaseTarget,
	{ rules, connections, nativePath = 'pg_restore', signal, onProgress }: FillOptions,
): Promise<ReplayProgress & { warnings: string[] }> {
	if (format === 'custom') await assertArchiveAllowed(await open(), target, { program: nativePath, rules, signal });
	const body = await open();
	const report = (progress: ReplayProgress) => onProgress?.('restoring', progress);
	if (format === 'custom') {
		let bytes = 0;
		const onBytes = (total: number) => report({ bytes: (bytes = total), statements: 0, rows: 0 });
		const { warnings } = await nativeRestore(body, target, {
			program: nativePath,
			rules,
			contents,
			signal,
			onBytes,
		});
		assertProved(body, target);
		return { bytes, statements: 0, rows: 0, warnings };
	}
	const { bytes, statements, rows, warnings } = await replay(body, target, {
		rules,
		contents,
		connections,
		signal,
		onProgress: report,
	});
	assertProved(body, target);
	return { bytes, statements, rows, warnings };
}

/** The digests are compared at the end of the stream: who stopped before it knows nothing. */
function assertProved(body: Readable, target: DatabaseTarget): void {
	if (body.readableEnded) return;
	throw new BackupError('incomplete', `the dump was not read to its end for ${describeTarget(target)}`, {
		hint: 'Bytes behind its last words are no part of a dump. Verify the backup.',
	});
}
