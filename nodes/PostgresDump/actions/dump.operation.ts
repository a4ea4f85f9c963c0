/** Postgres Dump: Dump. One item out per database. */
import { counted } from '../../../core/base/counted';
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { sizeText } from '../../../core/base/size-text';
import { toSegment } from '../../../core/records/label';
import { describeTarget } from '../../../core/sources/postgres/connection/target';
import { postgresDrill } from '../../../core/sources/postgres/drill/drill';
import { postgresSource } from '../../../core/sources/postgres/dump/dump';
import { dumpOf, dumpFormatOf } from '../../../core/sources/postgres/kind';
import { readAfterwards, type TestRestore } from '../../shared/afterwards';
import { backUpEach, type Made, type SourceToBackUp, storedFacts } from '../../shared/back-up-each';
import { openNodeStorage } from '../../shared/credentials';
import { cancelSignal, progressLine } from '../../shared/run';
import { verificationVerdict } from '../../shared/verification-items';
import { LARGEST_EMBEDDED_MB } from '../properties';
import { type DumpSettings, readSettings, readTargets } from '../settings';

/** Backs up every chosen database. One that fails does not stop the others; after all of them, it fails the item. */
export async function dump(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const signal = cancelSignal(context);
	const settings = await readSettings(context, itemIndex);
	const afterwards = readAfterwards(context, itemIndex, LARGEST_EMBEDDED_MB);
	const prefix = (context.getNodeParameter('groupPrefix', itemIndex) as string).trim();
	const storage = await openNodeStorage(context, itemIndex);
	try {
		const targets = await readTargets(context, itemIndex, signal);
		settings.dump.alongside = targets.map(({ database }) => database);
		const sources = targets.map((target) => ({
			name: target.database,
			place: describeTarget(target),
			group: `${prefix}/${toSegment(target.database)}`,
			source: () => postgresSource(target, settings.dump),
			facts: { database: target.database },
		}));
		const show = progressLine(context);
		return await backUpEach(context, itemIndex, {
			...{ sources, noun: 'databases', code: 'dump-failed', storage, settings: settings.store, signal },
			request: { allowAnotherServer: settings.allowAnotherServer },
			then: { afterwards, testRestore: EMBEDDED },
			onProgress: ({ name }, { originalBytes, storedBytes }) =>
				show(() => `${name}: ${sizeText(originalBytes)} read, ${sizeText(storedBytes)} stored`),
			toItem: (source, made) => toItem(source, made, settings),
		});
	} finally {
		await storage.close();
	}
}

const EMBEDDED: TestRestore = {
	drill: postgresDrill({ scratch: { kind: 'embedded' } }),
	isPossible: (manifest, maxBytes) => dumpOf(manifest).original.bytes <= maxBytes && dumpFormatOf(manifest) === 'plain',
};

/** The backup's facts: never bytes, never a secret. */
function toItem({ name, facts }: SourceToBackUp, made: Made, { store }: DumpSettings): IDataObject {
	const { manifest } = made.result;
	const { verification } = made.afterwards;
	const { details, server } = manifest.source;
	const object = dumpOf(manifest);
	const held = typeof details.tables === 'number' ? counted(details.tables, 'table') : null;
	const verdict = verification ? verificationVerdict(verification) : held;
	const stored = `${sizeText(object.original.bytes)} backed up as ${sizeText(object.stored.bytes)}`;
	return {
		summary: `${name}: ${stored}${verdict === null ? '' : `, ${verdict}`}`,
		ok: true,
		status: 'stored',
		group: manifest.group,
		label: manifest.label,
		type: manifest.type,
		...facts,
		...storedFacts(made, store),
		engine: `${details.engine} pg_dump ${details.engineVersion}`,
		server,
		serverVersion: details.serverVersion,
		format: details.format,
		tables: details.tables,
		contentHash: details.contentHash === true,
		rolesSaved: manifest.parts.some(({ role }) => role === 'globals'),
		originalBlake2b512: object.original.blake2b512,
		storedSha256: object.stored.sha256,
		object: object.name,
	};
}
