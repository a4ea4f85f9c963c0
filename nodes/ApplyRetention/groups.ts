/** Which groups a run is about, each with its policy. */
import { noBackup } from '../../core/records/list-some';
import type { Repository } from '../../core/records/repository';
import { matchesGroup } from '../shared/group-patterns';
import type { NamedPolicy, RetentionSettings } from './settings';

export interface GroupPolicy extends NamedPolicy {
	group: string;
}

/**
 * The groups that the settings choose, by name; never none: to do nothing must not look like success.
 * @param options.begun also those of which nothing is left but what an earlier run had begun to remove: applying
 *   finishes that, and there is nothing to plan
 * @throws BackupError 'not-found', also for a name or pattern that fits nothing
 */
export async function chooseGroups(
	repository: Repository,
	settings: RetentionSettings,
	{ begun }: { begun: boolean },
): Promise<GroupPolicy[]> {
	const { backups, leftovers } = await repository.survey();
	const subjects = begun ? [...backups, ...leftovers.filter(({ expired }) => expired)] : backups;
	const found = [...new Set(subjects.map(({ group }) => group))].sort();
	const { groups: wanted } = settings;
	const missing = (wanted ?? []).filter((pattern) => !found.some((group) => matchesGroup(group, [pattern])));
	if (found.length === 0 || missing.length > 0) throw await noBackup(repository, missing);
	return found
		.filter((group) => !wanted || matchesGroup(group, wanted))
		.map((group) => ({ group, ...settings.policyOf(group) }));
}
