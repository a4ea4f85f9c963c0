/** A backup of another group that belongs to a backup: both were made as one set, or it is the newest there is. */
import { noBackup } from '../../records/list-some';
import { newestOfEach } from '../../records/newest';
import { chooseReadable } from '../../records/readable-choice';
import type { OpenBackup } from '../../sources/source';
import { lookInto, type LookRequest } from './look';

export interface PartnerRequest extends Omit<LookRequest, 'label'> {
	/** The backup whose partner is wanted. */
	of: { group: string; label: string };
}

/**
 * Opens the newest backup of a group that has a tag in common with a backup of another one; the newest of all where none has.
 * @param request.group of the partner
 * @throws BackupError 'not-found' where the group has no backup; those of {@link lookInto}
 */
export async function lookIntoPartner<T>(
	{ of, ...request }: PartnerRequest,
	work: (backup: OpenBackup, signal: AbortSignal) => Promise<T>,
): Promise<T> {
	const { repository, group, signal } = request;
	const tags = (await repository.list(of.group)).find(({ label }) => label === of.label)?.tags ?? [];
	const all = await repository.list(group);
	const sameSet = all.filter((each) => each.tags.some((tag) => tags.includes(tag)));
	const { chosen } = await chooseReadable(repository, sameSet.length > 0 ? sameSet : all, newestOfEach, signal);
	const [newest] = chosen;
	if (!newest) throw await noBackup(repository, [group]);
	return await lookInto({ ...request, label: newest.label }, work);
}
