/** Restore Backup: Restore Cluster. One item out per item in. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { sizeText } from '../../../core/base/size-text';
import { fetchCommand, type RecoveryTarget } from '../../../core/sources/postgres/physical/restore/recovery';
import { planClusterRestore } from '../../../core/sources/postgres/physical/restore/plan';
import { type ClusterRestored, clusterRestorer } from '../../../core/sources/postgres/physical/restore/restorer';
import { readContents } from '../../../core/verbs/open-backup';
import { restoreBackup } from '../../../core/verbs/restore/restore';
import type { RestoreResult } from '../../../core/verbs/restore/types';
import { actorOf } from '../../shared/actor';
import { allowUnsigned, withRepository } from '../../shared/backups';
import { cancelSignal, progressLine } from '../../shared/run';
import { rounded } from '../../shared/summary';
import { readClusterRestore, readOpening } from '../settings';

/** Restores a cluster to a moment, into a folder in which a server can be started. */
export async function restoreCluster(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const signal = cancelSignal(context);
	const { allowUnsigned: isAllowed, group, keys, limits } = await readOpening(context, itemIndex);
	const { target, label: wanted, to, tablespaces, fetchLogBy } = await readClusterRestore(context, itemIndex);
	const show = progressLine(context);
	return await withRepository(context, itemIndex, signal, async (opened) => {
		const repository = allowUnsigned(opened, isAllowed, wanted === undefined ? null : { group, label: wanted });
		const { stallTimeoutMs } = limits;
		const { label, log, warnings, ...plan } = await planClusterRestore({
			...{ repository, group, label: wanted, target, signal },
			readContents: async (manifest) => await readContents(manifest, { repository, keys, signal, stallTimeoutMs }),
		});
		const result = await restoreBackup({
			...{ repository, group, label, keys, limits, signal },
			...(log && fetchLogBy === '' && { alongside: log }),
			restorer: clusterRestorer({
				...{ to, tablespaces, target: plan.target },
				...(log && fetchLogBy !== '' && { restoreCommand: fetchCommand(fetchLogBy, `${group}/${label}`) }),
			}),
			actor: actorOf(context, itemIndex),
			onProgress: ({ phase, bytes, totalBytes }) =>
				show(() => `${to}: ${phase}, ${sizeText(bytes)} of ${sizeText(totalBytes)}`),
		});
		const all = [...warnings, ...result.warnings];
		for (const warning of all) {
			context.addExecutionHints({ message: `${to}: ${warning}`, type: 'warning', location: 'outputPane' });
		}
		return [{ json: toFacts({ ...result, warnings: all }, target), pairedItem: { item: itemIndex } }];
	});
}

/** Sizes in bytes, times in seconds; `seconds` is the whole restore, without what the server needs to replay the log. */
function toFacts(result: RestoreResult<ClusterRestored>, target: RecoveryTarget): IDataObject {
	const { comparison, folder, major, lastCommit, ...facts } = result;
	const { files = 0, bytes = 0, logBytes = 0 } = comparison.figures;
	return {
		summary: `${folder}: ${facts.group} restored ${momentText(target)}, ${comparison.says}; start it with PostgreSQL ${major}`,
		ok: comparison.ok,
		...facts,
		seconds: rounded(facts.seconds),
		restoredTo: folder,
		upTo: target.kind,
		...{ files, bytes, logBytes, lastCommit, postgresVersion: major },
		start: `pg_ctl -D ${folder} start`,
		countsMatch: comparison.ok,
		differences: [],
	};
}

function momentText(target: RecoveryTarget): string {
	switch (target.kind) {
		case 'base':
			return 'as at the end of its base backup';
		case 'newest':
			return 'to the newest moment';
		case 'time':
			return `to ${target.time.toISOString()}`;
		case 'lsn':
			return `to ${target.lsn}`;
		case 'name':
			return `to the restore point "${target.name}"`;
	}
}
