/** Archive Files: Archive. One item out per backup. */
import { counted } from '../../../core/base/counted';
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { sizeText } from '../../../core/base/size-text';
import { dataSize } from '../../../core/records/manifest';
import type { ArchiveSummary } from '../../../core/sources/files/archive/messages.ts';
import { filesDrill } from '../../../core/sources/files/restore/restorer';
import { filesSource } from '../../../core/sources/files/source';
import { readAfterwards, type TestRestore } from '../../shared/afterwards';
import { backUpEach, type Made, type SourceToBackUp, storedFacts } from '../../shared/back-up-each';
import { openNodeStorage } from '../../shared/credentials';
import { cancelSignal, progressLine } from '../../shared/run';
import { verificationVerdict } from '../../shared/verification-items';
import { LARGEST_DRILL_MB } from '../properties';
import { readSettings } from '../settings';

/** An item names so many entries that need a look; the contents of the backup name up to a thousand. */
const MOST_NAMED = 20;

interface TreeSource extends SourceToBackUp {
	/** What was archived, with names; null before it was. */
	summary: ArchiveSummary | null;
}

/** Backs up every tree. One that fails does not stop the others; after all of them, it fails the item. */
export async function archive(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const signal = cancelSignal(context);
	const afterwards = readAfterwards(context, itemIndex, LARGEST_DRILL_MB);
	const storage = await openNodeStorage(context, itemIndex);
	try {
		const { trees, files, type, store } = await readSettings(context, itemIndex, storage);
		const sources = trees.map(({ name, group, paths }) => {
			const tree: TreeSource = {
				...{ name, group, place: paths.join(', '), facts: { name, paths }, summary: null },
				source: () => filesSource({ ...files, paths, onSummary: (summary) => (tree.summary = summary) }),
			};
			return tree;
		});
		const show = progressLine(context);
		return await backUpEach(context, itemIndex, {
			...{ sources, noun: 'folders', code: 'incomplete', storage, settings: store, signal },
			request: { type },
			then: { afterwards, testRestore: IN_A_FOLDER },
			onProgress: ({ name }, { originalBytes, storedBytes }) =>
				show(() => `${name}: ${sizeText(originalBytes)} read, ${sizeText(storedBytes)} stored`),
			toItem: (tree, made) => toItem(tree, made, storedFacts(made, store)),
		});
	} finally {
		await storage.close();
	}
}

const IN_A_FOLDER: TestRestore = {
	drill: filesDrill(),
	isPossible: ({ source }, maxBytes) => Number(source.details.bytes) <= maxBytes,
};

/** The backup's facts: never bytes, never a secret. */
function toItem({ facts, summary }: TreeSource, { result, afterwards }: Made, stored: IDataObject): IDataObject {
	const { group, label, type, status, source, parents } = result.manifest;
	const { files, folders, others, bytes, storedEntries, goneEntries } = source.details;
	const held = `${counted(Number(files), 'file')} of ${sizeText(Number(bytes))}`;
	const gone = Number(goneEntries) > 0 ? `, ${Number(goneEntries).toLocaleString('en')} gone` : '';
	const changes = type === 'full' ? '' : `${Number(storedEntries).toLocaleString('en')} new or changed${gone}, `;
	const { verification } = afterwards;
	const verdict = verification ? `, ${verificationVerdict(verification)}` : '';
	return {
		summary: `${group}: ${held}; ${changes}${sizeText(dataSize(result.manifest).storedBytes)} stored${verdict}`,
		ok: true,
		status: 'stored',
		...{ group, label, type, ...facts },
		complete: status === 'whole',
		...{ files, folders, others, bytes, storedEntries, goneEntries },
		parents: parents.length,
		...stored,
		named: (summary?.named ?? []).slice(0, MOST_NAMED).map(({ path, why }) => ({ path: `/${path}`, why })),
		remarks: { ...summary?.remarks },
	};
}
