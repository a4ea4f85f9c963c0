/** What the nodes behind a request can do: they back up and restore databases, run the workflows of other groups, and verify whatever there is. */
import { chooseReadable } from '../../../core/records/readable-choice';
import { newestOfEach } from '../../../core/records/newest';
import type { Repository } from '../../../core/records/repository';
import type { Offer } from '../../../core/records/requests';
import { type DoCall, namedBy } from '../../../core/report/api/call';
import { Problem } from '../../../core/report/api/problem';
import { kindOf } from '../../../core/sources/registry';
import { postgresKind } from '../../../core/sources/postgres/kind';
import type { AskedGroups } from './asked-groups';

interface OfferOptions {
	/** The workflow that backs up a group, where the settings name one. */
	workflowOf: (group: string) => string | null;
	/** What the node is about; everything when absent. */
	ours?: AskedGroups;
	signal: AbortSignal;
}

/**
 * What the nodes behind the request need to know besides what was asked. Refuses what none of them would do, before it is accepted: by
 * the groups of the node, and by the kind of the newest backup of its group.
 * @throws Problem 'not-offered', 'not-found'; BackupError of the storage, 'unsupported'
 */
export async function findOffer(
	repository: Repository,
	{ call, asked }: DoCall,
	{ workflowOf, ours, signal }: OfferOptions,
): Promise<Offer> {
	if (ours) assertOurs(ours, asked);
	const { group } = asked;
	if (group === undefined) return ours ? { prefix: ours.prefix } : {};
	if (call === 'verify') return {};
	const workflow = call === 'backup' ? workflowOf(group) : null;
	if (workflow !== null) return { workflow, ...namedBy(group) };
	const { chosen } = await chooseReadable(repository, await repository.list(group), newestOfEach, signal);
	const [newest] = chosen.filter((entry) => entry.group === group);
	if (!newest) {
		// A restore says so itself, with all that it has looked at.
		if (call === 'restore') return {};
		const hint =
			'For the first backup of a database, send "database" instead of "group"; for that of anything else, name its workflow in "workflows" of the Settings. GET list shows the groups.';
		throw new Problem('not-found', `there is no backup of ${group} yet`, hint);
	}
	const { kind, noun } = kindOf(await repository.readManifest(group, newest.label, signal));
	if (kind === postgresKind.kind) return call === 'backup' ? databaseOf(group) : {};
	const hint =
		call === 'backup'
			? 'Name the workflow that backs it up in "workflows" of the Settings, as a line with the group, an equals sign and the ID of the workflow.'
			: 'Use the node Restore Backup, or "n8n-backup restore". This one restores databases.';
	throw new Problem(
		'not-offered',
		`${group} is a backup of ${noun}, which this workflow does not ${call === 'backup' ? 'back up' : 'restore'}`,
		hint,
	);
}

/** @throws Problem 'not-offered' */
function assertOurs(ours: AskedGroups, asked: DoCall['asked']): void {
	const group = ours.groupOf(asked);
	if (ours.isOurs(group)) return;
	const hint = '"Groups" of the node Answer Request says which ones are. GET list shows those with backups.';
	throw new Problem('not-offered', `${group} is none of the groups of this workflow`, hint);
}

/** @throws Problem 'not-offered' where the group is not called after a database */
function databaseOf(group: string): Record<string, string> {
	const { prefix, name } = namedBy(group);
	if (prefix !== '' && name !== '') return { prefix, database: name };
	const hint =
		'Groups of databases are named as postgres/shop. Send "database" instead of "group", or name its workflow in "workflows" of the Settings.';
	throw new Problem('not-offered', `${group} is not named after a database`, hint);
}
