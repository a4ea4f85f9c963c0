/** Backup Status: List Backups. One item per backup, newest first: for forms and lists of other workflows. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { assessEvidence } from '../../../core/records/assessment';
import type { BackupEntry } from '../../../core/records/catalog';
import { describeEntry } from '../../shared/backups';
import { wholeNumber } from '../../shared/values';
import { readGroups, withStorages } from '../settings';

export async function list(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const limit = wholeNumber('Limit', context.getNodeParameter('limit', itemIndex), 1, 1_000_000);
	const isWanted = readGroups(context, itemIndex);
	const places = await withStorages(context, itemIndex, async (storage, open) => {
		const repository = await open();
		const entries = (await repository.list()).filter(({ group }) => isWanted(group));
		return { location: storage.location, entries };
	});
	const byName = new Map<string, { entry: BackupEntry; storages: string[] }>();
	for (const { location, entries } of places) {
		for (const entry of entries) {
			const name = `${entry.group}/${entry.label}`;
			const known = byName.get(name);
			if (known) known.storages.push(location);
			else byName.set(name, { entry, storages: [location] });
		}
	}
	const all = [...byName.values()].sort((a, b) => b.entry.startedAt - a.entry.startedAt);
	return all
		.slice(0, limit)
		.map(({ entry, storages }) => ({ json: toItem(entry, storages), pairedItem: { item: itemIndex } }));
}

/** What the names of its objects tell; sizes in bytes. */
function toItem(entry: BackupEntry, storages: string[]) {
	const { group, label, type, startedAt, storedBytes, pinned, tags, verifications } = entry;
	const { proved, failed } = assessEvidence(verifications);
	return {
		summary: `${group}: ${describeEntry(entry)}`,
		...{ group, label, name: `${group}/${label}`, type, startedAt: new Date(startedAt).toISOString(), storedBytes },
		...{ proved: proved?.depth ?? null, provedAt: proved && new Date(proved.at).toISOString(), bad: failed !== null },
		...{ pinned, tags: [...tags], storages },
	};
}
