/** The backups of a node's storage: opening their repository, and the lists from which a user chooses a group or a backup. */
import type { IExecuteFunctions, ILoadOptionsFunctions, INodeListSearchResult } from 'n8n-workflow';
import { BackupError } from '../../core/base/errors';
import { verificationText } from '../../core/records/verification-text';
import { chooseReadable } from '../../core/records/readable-choice';
import { type BackupEntry, Repository } from '../../core/records/repository';
import { newestOfEach } from '../../core/records/newest';
import { sizeText } from '../../core/base/size-text';
import { openAllowed, openNodeStorage, toAuthority } from './credentials';

/**
 * Runs something on the repository of the node's storage, and closes the storage after it.
 * @param options `create`: make a repository where there is none
 * @throws BackupError of the storage, 'not-found' when there are no backups in it
 */
export async function withRepository<Result>(
	context: IExecuteFunctions,
	itemIndex: number,
	signal: AbortSignal,
	use: (repository: Repository) => Promise<Result>,
	{ create = false }: { create?: boolean } = {},
): Promise<Result> {
	const storage = await openNodeStorage(context, itemIndex);
	try {
		const authority = toAuthority(await context.getCredentials('backupStorageApi', itemIndex));
		return await use(await Repository.open(storage, { create, signal, authority }));
	} finally {
		await storage.close();
	}
}

/**
 * The repository in which one backup is taken though nobody trusted has signed it, where the node's option says so.
 * @throws BackupError 'invalid-input' where the option is set and no backup is chosen by its label
 */
export function allowUnsigned(
	repository: Repository,
	isAllowed: boolean | undefined,
	chosen: { group: string; label: string } | null,
): Repository {
	if (!isAllowed) return repository;
	if (chosen) return repository.allowing(chosen.group, chosen.label);
	throw new BackupError('invalid-input', '"Allow Without Signature" is set, and no backup is chosen by its label', {
		hint: 'Choose one backup, or remove the option: it is for one backup that you know.',
	});
}

/** For the list of a "Group" field: every group that has a backup, with the number of backups and the newest one. */
export async function searchGroups(this: ILoadOptionsFunctions, filter?: string): Promise<INodeListSearchResult> {
	const { entries, unreadable } = await listBackups(this);
	const groups = Map.groupBy(entries, ({ group }) => group);
	const results = [...groups].map(([group, all]) => {
		const backups = all.filter((entry) => !unreadable.has(entry));
		const newest = backups.length === 0 ? 'none can be read' : `newest ${timeText(backups.at(-1)!.startedAt)}`;
		return {
			name: `${group} · ${backups.length} ${backups.length === 1 ? 'backup' : 'backups'}, ${newest}`,
			value: group,
		};
	});
	return { results: results.filter(({ value }) => contains(value, filter)) };
}

/** For the list of a "Backup" field: the backups of the group that is chosen above it, newest first. */
export async function searchBackups(this: ILoadOptionsFunctions, filter?: string): Promise<INodeListSearchResult> {
	const group = this.getCurrentNodeParameter('group', { extractValue: true });
	if (typeof group !== 'string' || group === '') return { results: [] };
	const { entries, unreadable } = await listBackups(this, group);
	const results = entries.toReversed().map((entry) => ({
		name: unreadable.has(entry) ? `${timeText(entry.startedAt)} · NOT READABLE` : describeEntry(entry),
		value: entry.label,
	}));
	return { results: results.filter(({ name, value }) => contains(name, filter) || contains(value, filter)) };
}

/** For people: "2026-11-20 02:00:00 UTC · 12.4 MB · restored ok 2026-11-21 UTC". */
export function describeEntry(entry: BackupEntry): string {
	const facts = [timeText(entry.startedAt), sizeText(entry.storedBytes), verificationText(entry)];
	if (entry.pinned) facts.push('pinned');
	return facts.join(' · ');
}

/** Only names, times and sizes of backups are read, and of each group as many manifests as it takes to find a sound one. */
async function listBackups(
	context: ILoadOptionsFunctions,
	group?: string,
): Promise<{ entries: BackupEntry[]; unreadable: Set<BackupEntry> }> {
	const fields = await context.getCredentials('backupStorageApi');
	const storage = await openAllowed(fields);
	try {
		const repository = await Repository.open(storage, { authority: toAuthority(fields) });
		const entries = await repository.list(group);
		const { unreadable } = await chooseReadable(repository, entries, newestOfEach);
		return { entries, unreadable: new Set(unreadable.map(({ entry }) => entry)) };
	} finally {
		await storage.close();
	}
}

function contains(text: string, filter = ''): boolean {
	return text.toLowerCase().includes(filter.trim().toLowerCase());
}

/** @param time milliseconds since 1970 */
function timeText(time: number): string {
	return `${new Date(time).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
