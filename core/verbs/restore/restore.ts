/** Restores a backup, whatever it is of: look before the first byte is written, restore, compare. */
import { about, BackupError } from '../../base/errors';
import type { RunEnd } from '../../records/journal/journal';
import { dataSize, type Manifest } from '../../records/manifest';
import type { Restored } from '../../sources/source';
import { kindOf } from '../../sources/registry';
import { readChain } from '../chain';
import { type Run, runVerb, alreadyOpen } from '../run';
import { openBackup } from '../open-backup';
import { assertThere, openAlongside } from './alongside';
import type { RestoreFacts, RestoreRequest, RestoreResult } from './types';

export { type BackupChoice, chooseForRestore } from './choice';

/**
 * Restores a backup, with all that it needs, and compares the result with what was backed up. Retention leaves all of it alone
 * meanwhile. What differs is a result: `comparison.ok` is false.
 * @throws BackupError 'invalid-input' when it is a backup of another kind than the restorer's, 'locked', 'not-found',
 * 'wrong-identity', 'damaged' … before anything was written; those of the restorer; 'timed-out', 'cancelled'
 */
export async function restoreBackup<Result extends Restored>(
	request: RestoreRequest<Result>,
): Promise<RestoreResult<Result>> {
	const { group, label, actor, limits, signal } = request;
	const restoring = runVerb(
		{
			...{ verb: 'restore', group, label, actor, limits, signal, advice: 'restore a part of it' },
			open: alreadyOpen(request.repository),
		},
		async (run) => await restore(request, run),
		describe,
	);
	const { value, warnings } = await restoring.catch((error: unknown) => {
		// Which one it is, nobody has said where the newest was chosen.
		throw about(`${group}/${label}`, error);
	});
	const { facts: _, ...result } = value;
	return { ...result, warnings };
}

type Ended<Result> = Omit<RestoreFacts, 'warnings'> & Result;

function describe({ seconds, originalBytes, comparison, facts }: Ended<Restored>): RunEnd {
	return {
		outcome: comparison.ok ? 'ok' : 'failed',
		code: comparison.ok ? null : 'different',
		facts: { ...facts, seconds, originalBytes },
	};
}

async function restore<Result extends Restored>(
	{ group, label, alongside, keys, restorer, onProgress }: RestoreRequest<Result>,
	run: Run,
): Promise<Ended<Result>> {
	const { repository, signal, limits, hold, warn, progress } = run;
	const { stallTimeoutMs } = limits;
	const startedAt = new Date();
	const start = performance.now();
	const needed = await readChain(repository, group, label, async (each) => await hold(group, each), signal);
	const chain = needed.map((each) => each.manifest);
	const manifest = chain.at(-1)!;
	assertKind(manifest, restorer.kind);
	const backup = await openBackup(chain, { repository, keys, signal, stallTimeoutMs });
	for (const each of chain) await assertThere(repository.storage, each);
	const doubts: string[] = [];
	for (const each of needed) {
		const doubt = await repository.doubt(each.manifest, each.text, signal);
		if (doubt) doubts.push(`restored because it was allowed by name: ${doubt.message}`);
	}
	warn(...doubts);
	// With one, retention of that group is waited for; what comes behind it stays as long as what needs it, which is marked as well.
	for (const each of alongside?.labels.slice(0, 1) ?? []) await hold(alongside!.group, each);
	const totalBytes = dataSize(manifest).originalBytes;
	const result = await restorer.restore(backup, {
		...{ signal, stallTimeoutMs, warn },
		...(alongside && { alongside: openAlongside(alongside, { repository, keys, signal, stallTimeoutMs }) }),
		onProgress: (now) => {
			progress(now.phase, now.bytes, totalBytes);
			onProgress?.({ ...now, totalBytes });
		},
	});
	return {
		group,
		label,
		originalBytes: totalBytes,
		backedUpAt: manifest.startedAt,
		authentic: doubts.length === 0 && repository.authority.signers !== null,
		startedAt: startedAt.toISOString(),
		finishedAt: new Date().toISOString(),
		seconds: (performance.now() - start) / 1000,
		...result,
	};
}

/** @throws BackupError 'invalid-input', 'unsupported' */
function assertKind(manifest: Manifest, kind: string): void {
	const { noun } = kindOf(manifest);
	if (manifest.source.kind === kind) return;
	throw new BackupError('invalid-input', `${manifest.group}/${manifest.label} is a backup of ${noun}`, {
		hint: 'Choose another backup, or the command or node that restores what this one holds.',
	});
}
