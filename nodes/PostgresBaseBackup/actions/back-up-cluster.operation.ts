/** Base Backup of Postgres: Back Up Cluster. One item out per item in. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { sizeText } from '../../../core/base/size-text';
import { dataSize } from '../../../core/records/manifest';
import { describeTarget } from '../../../core/sources/postgres/connection/target';
import { askWhetherIncremental } from '../../../core/sources/postgres/physical/base/incremental';
import { clusterSource } from '../../../core/sources/postgres/physical/base/source';
import { backUpEach, type Made, type SourceToBackUp, storedFacts } from '../../shared/back-up-each';
import { openNodeStorage } from '../../shared/credentials';
import { cancelSignal, progressLine } from '../../shared/run';
import { type ClusterSettings, readSettings, readType } from '../settings';

/** Makes a base backup of a whole cluster. */
export async function backUpCluster(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const signal = cancelSignal(context);
	const settings = await readSettings(context, itemIndex);
	const { target, groups, allowAnotherServer, store } = settings;
	const { type, orNothing } = readType(context, itemIndex);
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
			onProgress: (_, { originalBytes, storedBytes }) =>
				show(() => `${groups.base}: ${sizeText(originalBytes)} read, ${sizeText(storedBytes)} stored`),
			toItem: (of, made) => toItem(of, made, storedFacts(made, store)),
		});
	} finally {
		await storage.close();
	}
}

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
function toItem({ facts }: SourceToBackUp, { result: { manifest } }: Made, stored: IDataObject): IDataObject {
	const { group, label, type, source, parents } = manifest;
	const { serverVersion, timeline, walStart, walEnd, tablespaces, checksums } = source.details;
	const { originalBytes, storedBytes } = dataSize(manifest);
	const size = `${sizeText(originalBytes)} backed up as ${sizeText(storedBytes)}`;
	return {
		summary: `${group}: ${type} base backup of PostgreSQL ${String(serverVersion)}, ${size}`,
		ok: true,
		status: 'stored',
		...{ group, label, type, ...facts, parents: parents.length },
		...stored,
		...{ server: source.server, serverVersion, timeline, walStart, walEnd, tablespaces, checksums },
	};
}
