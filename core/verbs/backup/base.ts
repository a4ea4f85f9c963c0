/** What a differential or incremental backup builds on. */
import { BackupError } from '../../base/errors';
import { assessEvidence } from '../../records/assessment';
import type { BackupType } from '../../records/label';
import { newestOfEach } from '../../records/newest';
import { chooseReadable } from '../../records/readable-choice';
import type { OpenBackup } from '../../sources/source';
import { readChain } from '../chain';
import { openBackup, type ReadOptions } from '../open-backup';

/**
 * Opens the backup of a group that the next one builds on: the newest full one for a differential, the newest of all for an
 * incremental. What a verification found bad is passed over. Null for a full backup. Only for the holder of the group's lock,
 * so that it stays.
 * @param kind of the source that is backed up
 * @throws BackupError 'not-found' when there is none; those of {@link readChain} and {@link openBackup}
 */
export async function openBase(
	group: string,
	type: BackupType,
	kind: string,
	options: ReadOptions,
): Promise<OpenBackup | null> {
	if (type === 'full') return null;
	const { repository, signal } = options;
	const candidates = (await repository.list(group)).filter(
		(entry) => (type === 'incremental' || entry.type === 'full') && assessEvidence(entry.verifications).failed === null,
	);
	const { chosen } = await chooseReadable(repository, candidates, newestOfEach, signal);
	const [base] = chosen;
	if (!base) {
		throw new BackupError('not-found', `there is no backup of ${group} that a ${type} one can build on`, {
			hint: 'Make a full backup first.',
		});
	}
	// The group is locked: nobody removes one of them meanwhile.
	const chain = await readChain(repository, group, base.label, async () => undefined, signal);
	const [{ manifest }] = chain.slice(-1) as [(typeof chain)[0]];
	if (manifest.source.kind === kind) {
		return await openBackup(
			chain.map((each) => each.manifest),
			options,
		);
	}
	throw new BackupError(
		'invalid-input',
		`the newest backup of ${group} is one of ${manifest.source.kind}, not of ${kind}`,
		{
			hint: 'Give each source a group of its own.',
		},
	);
}
