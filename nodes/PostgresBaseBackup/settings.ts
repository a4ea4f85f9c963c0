/** The node's fields as the engine takes them. */
import type { IExecuteFunctions } from 'n8n-workflow';
import type { BackupType } from '../../core/records/label';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import type { AutoType } from '../../core/verbs/backup/base';
import { readChainType } from '../shared/chain';
import { toDatabaseTarget } from '../shared/credentials';
import { readStoreSettings, type StoreFields, type StoreSettings } from '../shared/store-settings';
import { filled, textOf, unknownOption } from '../shared/values';

/** Fields of the node's "Options" collection; each is absent until the user adds it. */
interface OptionFields extends StoreFields {
	allowAnotherServer?: boolean;
}

export interface ClusterSettings {
	target: DatabaseTarget;
	/** Of base backups, and of log. */
	groups: { base: string; log: string };
	allowAnotherServer: boolean;
	store: StoreSettings;
}

/** Which cluster. @throws BackupError 'invalid-input' */
export async function readClusterChoice(
	context: IExecuteFunctions,
	itemIndex: number,
): Promise<Pick<ClusterSettings, 'target' | 'groups'>> {
	const name = filled('Cluster Name', textOf(context.getNodeParameter('cluster', itemIndex)));
	return {
		target: toDatabaseTarget(await context.getCredentials('postgres', itemIndex)),
		groups: { base: `cluster/${name}`, log: `wal/${name}` },
	};
}

/** @throws BackupError 'invalid-input' */
export async function readSettings(context: IExecuteFunctions, itemIndex: number): Promise<ClusterSettings> {
	const options = context.getNodeParameter('options', itemIndex, {}) as OptionFields;
	return {
		...(await readClusterChoice(context, itemIndex)),
		allowAnotherServer: options.allowAnotherServer === true,
		store: await readStoreSettings(context, itemIndex, options),
	};
}

/** How much is stored, and whether nothing is where it cannot be so little. @throws BackupError 'invalid-input' */
export function readType(
	context: IExecuteFunctions,
	itemIndex: number,
): { type: BackupType | AutoType; orNothing: boolean } {
	const type = readChainType(context, itemIndex);
	if (type !== 'incremental' && type !== 'differential') return { type, orNothing: false };
	const otherwise = context.getNodeParameter('otherwise', itemIndex, 'full');
	if (otherwise !== 'full' && otherwise !== 'nothing') {
		throw unknownOption('Where It Cannot Be Incremental', otherwise);
	}
	return { type, orNothing: otherwise === 'nothing' };
}
