/** Depth "restored": a database is made from the backup, and it is what was dumped. */
import { BackupError } from '../../base/errors';
import type { Allowance } from '../../sources/postgres/replay/allowances';
import type { Assertion } from '../../sources/postgres/drill/assertions';
import { drill, type DrillResult } from '../../sources/postgres/drill/drill';
import type { RewriteRules } from '../../sources/postgres/replay/rewrite';
import type { Scratch } from '../../sources/postgres/drill/scratch-database';
import { BadBackup, isRefusalOfData, isSuspicious, refusalWithoutNames } from './failure';
import { formatOf, openStored, proveContents, proveReadable } from './readable';
import type { Subject } from './stored';

export interface RestoreTest {
	scratch: Scratch;
	assertions: readonly Assertion[];
	rules?: RewriteRules;
	allow?: readonly Allowance[];
	/** A pg_restore, when it is not in PATH. */
	nativePath?: string;
}

/**
 * Restores, compares, asks, and drops again. The whole backup is read to its end on the way, so this proves all that
 * `readable` proves.
 * @param onResult told what came out before it is judged
 * @throws BadBackup as {@link proveReadable}; 'different', 'assertion-failed'; 'restore-failed' when a server refuses for a
 * reason of the data what is stored as it was dumped; BackupError for everything else
 */
export async function proveRestored(
	subject: Subject,
	test: RestoreTest,
	onResult: (result: DrillResult) => void,
): Promise<void> {
	const { manifest, signal } = subject;
	const format = formatOf(manifest);
	// pg_restore need not read the last bytes of an archive, behind which the digests are compared.
	const contents = await (format === 'custom' ? proveReadable(subject) : proveContents(subject));
	const originalBytes = manifest.object.original.bytes;
	let opened = false;
	let result: DrillResult;
	try {
		result = await drill({
			...test,
			scratch: withPatience(test.scratch, subject.stallTimeoutMs),
			contents,
			format,
			originalBytes,
			signal,
			warn: subject.warn,
			open: async () => {
				opened = true;
				return await openStored(subject, manifest.object);
			},
			onProgress: (phase, bytes) => subject.onProgress(phase, bytes, originalBytes),
		});
	} catch (error) {
		if (signal.aborted || !isSuspicious(error) || !opened) throw error;
		// The bytes have the first word. If they are right, it is the server that cannot take them, or they cannot be taken.
		await proveReadable(subject);
		throw isRefusalOfData(error) ? refused(error) : error;
	}
	onResult(result);
	judge(result);
}

function withPatience(scratch: Scratch, patienceMs: number): Scratch {
	return scratch.kind === 'server' ? { ...scratch, target: { patienceMs, ...scratch.target } } : scratch;
}

/** @throws BadBackup 'different', 'assertion-failed' */
function judge({ comparison, assertions }: DrillResult): void {
	if (!comparison.ok) {
		const { differences, tables } = comparison;
		const [{ table, expected, found }] = differences as [(typeof differences)[0]];
		const summary = `${differences.length} of ${tables} tables differ from what was dumped`;
		const others = differences.length > 1 ? ', …' : '';
		throw new BadBackup('different', `${summary}: ${table} had ${expected}, restored: ${found}${others}`, {
			hint: 'Its bytes are as they were stored, so they were not what the database held. Make a new backup and verify it.',
			withoutNames: summary,
		});
	}
	const failed = assertions.filter(({ ok }) => !ok);
	if (failed.length > 0) {
		const summary = `${failed.length} of ${assertions.length} assertions failed`;
		throw new BadBackup('assertion-failed', `${summary}: ${failed[0]!.name}: ${failed[0]!.message}`, {
			hint: 'The database was restored as it was dumped: look at what the source held then, and at the assertion.',
			withoutNames: summary,
		});
	}
}

function refused(error: BackupError): BadBackup {
	return new BadBackup('restore-failed', error.message, {
		hint: error.hint,
		withoutNames: refusalWithoutNames(error.details),
		cause: error,
	});
}
