/** Base Backup of Postgres: Back Up Cluster. One item out per item in. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { sizeText } from '../../../core/base/size-text';
import { dataSize } from '../../../core/records/manifest';
import { describeTarget } from '../../../core/sources/postgres/connection/target';
import { askWhetherIncremental } from '../../../core/sources/postgres/physical/base/incremental';
import { clusterDrill } from '../../../core/sources/postgres/physical/drill/drill';
import { hasServerProgram } from '../../../core/sources/postgres/physical/drill/programs';
import { clusterSource } from '../../../core/sources/postgres/physical/base/source';
import { readAfterwards, type TestRestore } from '../../shared/afterwards';
import { backUpEach, type Made, type SourceToBackUp, storedFacts } from '../../shared/back-up-each';
import { openNodeStorage } from '../../shared/credentials';
import { cancelSignal, progressLine } from '../../shared/run';
import { verificationVerdict } from '../../shared/verification-items';
import { LARGEST_DRILL_MB } from '../properties';
import { type ClusterSettings, readSettings, readType } from '../settings';

/** Makes a base backup of a whole cluster. */
export async function backUpCluster(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const signal = cancelSignal(context);
	const settings = await readSettings(context, itemIndex);
	const { target, groups, allowAnotherServer, store } = settings;
	const { type, orNothing } = readType(context, itemIndex);
	const afterwards = readAfterwards(context, itemIndex, LARGEST_DRILL_MB);
	const why = orNothing ? await cannotBeIncremental(settings, signal) : null;
	if (why !== null) return [{ json: notMade(groups.base, why), pairedItem: { item: itemIndex } }];
	const storage = await openNodeStorage(context, itemIndex);
	try {
		const source = {
			...{ name: groups.base, group: groups.base, place: describeTarget(target), facts: {} },
			source: () => clusterSource(target),
		};
		const show = progressLine(context);
		return await backUpEach(context, itemIndex, {
			...{ sources: [source], noun: 'clusters', code: 'incomplete', storage, settings: store, signal },
			request: { type, allowAnotherServer },
			then: { afterwards, testRestore: ON_A_SERVER, dependents: [groups.log] },
			onProgress: (_, { originalBytes, storedBytes }) =>
				show(() => `${groups.base}: ${sizeText(originalBytes)} read, ${sizeText(storedBytes)} stored`),
			toItem: (of, made) => toItem(of, made, storedFacts(made, store)),
		});
	} finally {
		await storage.close();
	}
}

const ON_A_SERVER: TestRestore = {
	drill: clusterDrill(),
	async isPossible({ source, parts }, maxBytes) {
		const major = Number.parseInt(String(source.details.serverVersion), 10);
		return dataSize({ parts }).originalBytes <= maxBytes && (await hasServerProgram(major));
	},
};

/** @returns why nothing can build on an earlier backup, for a reason that lasts */
async function cannotBeIncremental({ target, store }: ClusterSettings, signal: AbortSignal): Promise<string | null> {
	const { encryption } = store;
	if (encryption && !encryption.keys && encryption.hostKey === undefined) {
		return 'no key is known here that opens the list of files of the backup before: add a host key to the credential';
	}
	return await askWhetherIncremental(target, signal);
}

function notMade(group: string, why: string): IDataObject {
	return { summary: `${group}: no incremental backup: ${why}`, ok: true, status: 'skipped', group, reason: why };
}

/** The backup's facts: never bytes, never a secret. */
function toItem({ facts }: SourceToBackUp, { result, afterwards }: Made, stored: IDataObject): IDataObject {
	const { manifest } = result;
	const { group, label, type, source, parents } = manifest;
	const { serverVersion, timeline, walStart, walEnd, tablespaces, checksums, transport } = source.details;
	const { originalBytes, storedBytes } = dataSize(manifest);
	const size = `${sizeText(originalBytes)} backed up as ${sizeText(storedBytes)}`;
	const verdict = afterwards.verification ? `, ${verificationVerdict(afterwards.verification)}` : '';
	return {
		summary: `${group}: ${type} base backup of PostgreSQL ${String(serverVersion)}, ${size}${verdict}`,
		ok: true,
		status: 'stored',
		...{ group, label, type, ...facts, parents: parents.length },
		...stored,
		...{ server: source.server, serverVersion, timeline, walStart, walEnd, tablespaces, checksums, transport },
	};
}
