/** Archive Files: Preview. One item out per backup that Archive would make; nothing is stored. */
import { counted } from '../../../core/base/counted';
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { isBackupError } from '../../../core/base/errors';
import { sizeText } from '../../../core/base/size-text';
import { Repository } from '../../../core/records/repository';
import { FILES } from '../../../core/sources/files/kind';
import { type ArchivePreview, previewArchive } from '../../../core/sources/files/preview';
import type { Storage } from '../../../core/storage/storage';
import { type ChosenBase, chooseBase } from '../../../core/verbs/backup/base';
import { openNodeStorage } from '../../shared/credentials';
import { doEach, type NamedSource } from '../../shared/do-each';
import { cancelSignal, progressLine } from '../../shared/run';
import { type ArchiveSettings, readSettings } from '../settings';

/** An item names so many entries that are left out or need a look. */
const MOST_NAMED = 100;

/** Looks at every tree. One that fails does not stop the others; after all of them, it fails the item. */
export async function preview(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const signal = cancelSignal(context);
	const storage = await openNodeStorage(context, itemIndex);
	try {
		const settings = await readSettings(context, itemIndex, storage);
		const repository = await openIfThere(storage, settings, signal);
		const sources = settings.trees.map(({ name, group, paths }) => {
			return { name, group, place: paths.join(', '), facts: { name, paths }, paths };
		});
		const show = progressLine(context);
		const several = { sources, noun: 'folders', done: 'previewed', code: 'incomplete', signal } as const;
		return await doEach(context, itemIndex, several, async (source) => {
			const { name, group, paths } = source;
			const onProgress = ({ entries, bytes }: { entries: number; bytes: number }) =>
				show(() => `${name}: ${counted(entries, 'entry')} of ${sizeText(bytes)} seen`);
			const chosen = await baseOf(repository, group, settings, signal);
			const { maxLostPercent: _, mustEncrypt: __, addition: ___, ...files } = settings.files;
			const found = await previewArchive({ ...files, paths, onProgress }, chosen.base, signal);
			return { json: toItem(source, chosen, found) };
		});
	} finally {
		await storage.close();
	}
}

/** Null where nobody has stored anything yet. */
async function openIfThere(storage: Storage, { store }: ArchiveSettings, signal: AbortSignal) {
	try {
		return await Repository.open(storage, { signal, authority: store.authority });
	} catch (error) {
		if (!isBackupError(error, 'not-found')) throw error;
		return null;
	}
}

async function baseOf(
	repository: Repository | null,
	group: string,
	{ type, store }: ArchiveSettings,
	signal: AbortSignal,
): Promise<ChosenBase> {
	if (repository === null) return { type: 'full', base: null, notes: [] };
	const { keys = null, hostKey, encryption = null } = store.encryption ?? {};
	const { stallTimeoutMs } = store.limits;
	return await chooseBase(
		group,
		type,
		{ kind: FILES, encryption },
		{ repository, keys, hostKey, signal, stallTimeoutMs },
	);
}

/** What would be stored, and why. Sizes in bytes, before compression. */
function toItem(
	{ group, facts }: NamedSource,
	{ type, base, notes }: ChosenBase,
	{ summary, builds, note }: ArchivePreview,
): IDataObject {
	const { roots, counts, bytes, stored, named, remarks, largest } = summary;
	const { file = 0, directory = 0, ...others } = counts;
	const held = `${counted(file, 'file')} of ${sizeText(bytes)}`;
	const changes = `${counted(stored.entries, 'entry')} of ${sizeText(stored.bytes)} would be stored`;
	const leftOut = remarks['left-out'] ?? 0;
	return {
		summary: `${group}: ${held}; ${changes}${leftOut > 0 ? `, ${leftOut.toLocaleString('en')} left out` : ''}`,
		ok: true,
		status: 'previewed',
		...{ group, type: builds ? type : 'full', ...facts },
		buildsOn: builds ? base!.manifest.label : null,
		notes: [...notes, ...(note === null ? [] : [note])],
		...{ files: file, folders: directory, others: Object.values(others).reduce((sum, count) => sum + count, 0), bytes },
		...{ newOrChanged: stored.entries, newOrChangedBytes: stored.bytes, gone: stored.gone, leftOut },
		roots: roots.map((root) => ({ ...root })),
		largestFiles: (largest?.files ?? []).map((each) => ({ ...each })),
		largestFolders: (largest?.folders ?? []).map((each) => ({ ...each })),
		named: named.slice(0, MOST_NAMED).map(({ path, why }) => ({ path: `/${path}`, why })),
		remarks: { ...remarks },
	};
}
