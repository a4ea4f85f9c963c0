/** What the nodes behind a request can do: they back up and restore databases, and verify whatever there is. */
import { chooseReadable } from '../../../core/records/readable-choice';
import { newestOfEach } from '../../../core/records/newest';
import type { Repository } from '../../../core/records/repository';
import type { DoCall } from '../../../core/report/api/call';
import { Problem } from '../../../core/report/api/problem';
import { kindOf } from '../../../core/sources/registry';
import { postgresKind } from '../../../core/sources/postgres/kind';

/**
 * Refuses what nothing behind the request would do, before it is accepted: by the kind of the newest backup of its group.
 * @throws Problem 'not-offered', 'not-found'; BackupError of the storage, 'unsupported'
 */
export async function assertOffered(
	repository: Repository,
	{ call, asked: { group } }: DoCall,
	signal: AbortSignal,
): Promise<void> {
	if (call === 'verify' || group === undefined) return;
	const { chosen } = await chooseReadable(repository, await repository.list(group), newestOfEach, signal);
	const [newest] = chosen.filter((entry) => entry.group === group);
	if (!newest) {
		// A restore says so itself, with all that it has looked at.
		if (call === 'restore') return;
		const hint = 'For the first backup of a database, send "database" instead of "group". GET list shows the groups.';
		throw new Problem('not-found', `there is no backup of ${group} yet`, hint);
	}
	const { kind, noun } = kindOf(await repository.readManifest(group, newest.label, signal));
	if (kind === postgresKind.kind) return;
	const hint =
		call === 'backup'
			? 'Run the workflow that backs it up, or "n8n-backup". This one backs up databases.'
			: 'Use the node Restore Backup, or "n8n-backup restore". This one restores databases.';
	throw new Problem(
		'not-offered',
		`${group} is a backup of ${noun}, which this workflow does not ${verbOf(call)}`,
		hint,
	);
}

function verbOf(call: 'backup' | 'restore'): string {
	return call === 'backup' ? 'back up' : 'restore';
}
