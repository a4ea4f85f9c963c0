/** Archive Config: Archive. One item out: the backup, what was done to each file, and what changed. */
import { counted } from '../../../core/base/counted';
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { sizeText } from '../../../core/base/size-text';
import { dataSize } from '../../../core/records/manifest';
import { summaryOf } from '../../../core/sources/config/changes';
import { type ConfigReport, configSource } from '../../../core/sources/config/source';
import { filesDrill } from '../../../core/sources/files/restore/restorer';
import { readAfterwards, type TestRestore } from '../../shared/afterwards';
import { backUpEach, type Made, type SourceToBackUp, storedFacts } from '../../shared/back-up-each';
import { openNodeStorage } from '../../shared/credentials';
import { cancelSignal, progressLine } from '../../shared/run';
import { verificationVerdict } from '../../shared/verification-items';
import { LARGEST_DRILL_MB } from '../properties';
import { readSettings } from '../settings';

/** Files and changes that an item names; the contents of the backup name all. */
const MOST_NAMED = 500;

interface ConfigToBackUp extends SourceToBackUp {
	/** What was found and done, with names; null before it was. */
	report: ConfigReport | null;
}

/** Backs up the configuration that is found. */
export async function archive(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const afterwards = readAfterwards(context, itemIndex, LARGEST_DRILL_MB);
	const storage = await openNodeStorage(context, itemIndex);
	try {
		const { group, config, store } = await readSettings(context, itemIndex, storage);
		const places = [...(config.search ?? []), ...(config.paths ?? [])];
		const source: ConfigToBackUp = {
			...{ name: 'configuration', group, place: places.join(', '), facts: { places }, report: null },
			source: () => configSource({ ...config, onReport: (report) => (source.report = report) }),
		};
		const show = progressLine(context);
		return await backUpEach(context, itemIndex, {
			...{ sources: [source], noun: 'configurations', code: 'incomplete', storage, settings: store },
			signal: cancelSignal(context),
			then: { afterwards, testRestore: IN_A_FOLDER },
			onProgress: (_, { originalBytes }) => show(() => `configuration: ${sizeText(originalBytes)} stored`),
			toItem: (made, result) => toItem(made, result, storedFacts(result, store)),
		});
	} finally {
		await storage.close();
	}
}

const IN_A_FOLDER: TestRestore = {
	drill: filesDrill(),
	isPossible: ({ source }, maxBytes) => Number(source.details.bytes) <= maxBytes,
};

/** The backup's facts: names of files and of secrets, and no secret. */
function toItem({ facts, report }: ConfigToBackUp, { result, afterwards }: Made, stored: IDataObject): IDataObject {
	const { group, label, type, status, source } = result.manifest;
	const { record, changes, certificates, remarks, skipped } = report!;
	const { files } = record;
	const { sanitisedFiles, leftOutFiles } = source.details;
	const removed =
		record.secrets === 'removed' ? `, secrets removed from ${counted(Number(sanitisedFiles), 'file')}` : '';
	const since = changes === null ? '' : `, ${summaryOf(changes)}`;
	const verdict = afterwards.verification ? `, ${verificationVerdict(afterwards.verification)}` : '';
	const size = sizeText(dataSize(result.manifest).storedBytes);
	return {
		summary: `${group}: ${counted(files.length, 'file')} of configuration${removed}${since}; ${size} stored${verdict}`,
		ok: true,
		status: 'stored',
		...{ group, label, type, ...facts },
		complete: status === 'whole',
		secrets: record.secrets,
		...{ files: files.length, sanitisedFiles, leftOutFiles, bytes: source.details.bytes },
		changes: changes && changes.slice(0, MOST_NAMED).map((each) => ({ ...each })),
		expiringCertificates: certificates.map((each) => ({ ...each })),
		missing: files.flatMap(({ path, missing }) => missing.map((file) => ({ file, namedBy: path }))),
		report: files
			.slice(0, MOST_NAMED)
			.map(({ path, kind, done, why = null, secrets }) => ({ path, kind, done, why, secrets })),
		skipped: skipped.map((each) => ({ ...each })),
		versions: {
			host: record.host,
			programs: record.programs,
			git: record.git.map((each) => ({ ...each })),
			images: record.images.map((each) => ({ ...each })),
		},
		...stored,
		warnings: [...result.warnings.filter((each) => !remarks.counted.includes(each)), ...remarks.named],
	};
}
