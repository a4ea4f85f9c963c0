/** Depth "restored": something is made from the backup, and it is what was backed up. */
import { BackupError } from '../../base/errors';
import { dataSize } from '../../records/manifest';
import { kindOf } from '../../sources/registry';
import type { Drill, DrillResult, OpenBackup } from '../../sources/source';
import { BadBackup, isSuspicious } from './failure';
import { proveContents, proveReadable } from './readable';
import type { VerifiedBackup } from './stored';

/**
 * Restores, compares, asks, and removes again. The whole backup is read to its end on the way, so this proves all that
 * `readable` proves.
 * @param drills one of each kind that can be restored here
 * @param onResult told what came out before it is judged
 * @throws BadBackup as {@link proveReadable}; 'different', 'assertion-failed'; 'restore-failed' when what is stored as it was
 * backed up cannot be restored for a reason of the data; BackupError for everything else
 */
export async function proveRestored(
	subject: VerifiedBackup,
	drills: readonly Drill[],
	onResult: (result: DrillResult) => void,
): Promise<void> {
	const { manifest, signal, stallTimeoutMs } = subject;
	const kind = kindOf(manifest);
	const drill = drills.find((each) => each.kind === manifest.source.kind);
	if (!drill) throw noPlace(subject, kind.noun);
	const backup = await proveContents(subject);
	const { originalBytes } = dataSize(manifest);
	let opened = false;
	const watched: OpenBackup = {
		...backup,
		open: async (part) => {
			opened = true;
			return await backup.open(part);
		},
	};
	let result: DrillResult;
	try {
		result = await drill.run(watched, {
			signal,
			stallTimeoutMs,
			warn: subject.warn,
			onProgress: ({ phase, bytes }) => subject.onProgress(phase, bytes, originalBytes),
		});
	} catch (error) {
		if (signal.aborted || !isSuspicious(kind, error) || !opened) throw error;
		// If the bytes are right, it is the place that cannot take them, or they cannot be restored anywhere.
		await proveReadable(subject);
		if (kind.classify(error) !== 'backup') throw error;
		const { code, message, hint } = error;
		throw new BadBackup(code, message, { hint, withoutNames: kind.withoutNames(error), cause: error });
	}
	onResult(result);
	judge(result);
}

function noPlace({ manifest: { group, label } }: VerifiedBackup, noun: string): BackupError {
	return new BackupError('invalid-input', `there is no place to restore ${noun} to, as ${group}/${label} holds it`, {
		hint: 'Verify it to depth "readable", or with a command or node that restores what it holds.',
	});
}

/** @throws BadBackup 'different', 'assertion-failed' */
function judge({ comparison, assertions }: DrillResult): void {
	if (!comparison.ok) {
		const { differences, says } = comparison;
		const [{ item, expected, found }] = differences as [(typeof differences)[0]];
		const others = differences.length > 1 ? ', …' : '';
		throw new BadBackup('different', `${says}: ${item} had ${expected}, restored: ${found}${others}`, {
			hint: 'Its bytes are as they were stored, so they were not what the source held. Make a new backup and verify it.',
			withoutNames: says,
		});
	}
	const failed = assertions.filter(({ ok }) => !ok);
	if (failed.length > 0) {
		const [{ name, message, hint }] = failed as [(typeof failed)[0]];
		const summary = `${failed.length} of ${assertions.length} assertions failed`;
		const said = failed.flatMap(({ says }) => says ?? []);
		throw new BadBackup('assertion-failed', `${summary}: ${name}: ${message}`, {
			hint: hint ?? 'It was restored as it was backed up: look at what the source held then, and at the assertion.',
			withoutNames: said.length > 0 ? `${summary}: ${said.join('; ')}` : summary,
		});
	}
}
