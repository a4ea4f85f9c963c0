/** Archive Bucket: Archive. One item out per item in. */
import { counted } from '../../../core/base/counted';
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { sizeText } from '../../../core/base/size-text';
import { dataSize } from '../../../core/records/manifest';
import { versionsText } from '../../../core/sources/bucket/versions-text';
import { bucketDrill } from '../../../core/sources/bucket/restore';
import { bucketSource } from '../../../core/sources/bucket/source';
import type { ArchiveSummary } from '../../../core/sources/files/archive/messages.ts';
import { readAfterwards, type TestRestore } from '../../shared/afterwards';
import { backUpEach, type Made, type SourceToBackUp, storedFacts } from '../../shared/back-up-each';
import { openNodeStorage } from '../../shared/credentials';
import { cancelSignal, progressLine } from '../../shared/run';
import { verificationVerdict } from '../../shared/verification-items';
import { LARGEST_DRILL_MB } from '../properties';
import { readSettings } from '../settings';

/** An item names so many objects that need a look; the contents of the backup name up to a thousand. */
const MOST_NAMED = 20;

interface BucketToBackUp extends SourceToBackUp {
	/** What was archived, with names; null before it was. */
	summary: ArchiveSummary | null;
}

/** Backs up one bucket, or what is below a prefix of it. */
export async function archive(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const afterwards = readAfterwards(context, itemIndex, LARGEST_DRILL_MB);
	const storage = await openNodeStorage(context, itemIndex);
	try {
		const { group, place, bucket, type, allowAnotherServer, store } = await readSettings(context, itemIndex);
		const source: BucketToBackUp = {
			...{ name: place, group, place, facts: { bucket: place }, summary: null },
			source: () => bucketSource({ ...bucket, onSummary: (summary) => (source.summary = summary) }),
		};
		const show = progressLine(context);
		return await backUpEach(context, itemIndex, {
			...{ sources: [source], noun: 'buckets', code: 'incomplete', storage, settings: store },
			signal: cancelSignal(context),
			request: { type, allowAnotherServer },
			then: { afterwards, testRestore: IN_A_FOLDER },
			onProgress: (_, { originalBytes, storedBytes }) =>
				show(() => `${place}: ${sizeText(originalBytes)} read, ${sizeText(storedBytes)} stored`),
			toItem: (made, result) => toItem(made, result, storedFacts(result, store)),
		});
	} finally {
		await storage.close();
	}
}

const IN_A_FOLDER: TestRestore = {
	drill: bucketDrill(),
	isPossible: ({ source: { details } }, maxBytes) =>
		Number(details.bytes) + Number(details.versionBytes ?? 0) <= maxBytes,
};

/** The backup's facts: never bytes, never a secret. */
function toItem({ facts, summary }: BucketToBackUp, { result, afterwards }: Made, stored: IDataObject): IDataObject {
	const { group, label, type, status, source, parents } = result.manifest;
	const { objects, bytes, storedObjects, goneObjects, versions, versionBytes, deleteMarkers } = source.details;
	const held = `${counted(Number(objects), 'object')} of ${sizeText(Number(bytes))}${versionsText(source.details)}`;
	const gone = Number(goneObjects) > 0 ? `, ${Number(goneObjects).toLocaleString('en')} gone` : '';
	const changes = type === 'full' ? '' : `${Number(storedObjects).toLocaleString('en')} new or changed${gone}, `;
	const verdict = afterwards.verification ? `, ${verificationVerdict(afterwards.verification)}` : '';
	return {
		summary: `${group}: ${held}; ${changes}${sizeText(dataSize(result.manifest).storedBytes)} stored${verdict}`,
		ok: true,
		status: 'stored',
		...{ group, label, type, ...facts },
		complete: status === 'whole',
		...{ objects, bytes, storedObjects, goneObjects },
		...(versions !== undefined && { versions, versionBytes, deleteMarkers }),
		parents: parents.length,
		...stored,
		named: (summary?.named ?? []).slice(0, MOST_NAMED).map(({ path, why }) => ({ key: path, why })),
		remarks: { ...summary?.remarks },
	};
}
