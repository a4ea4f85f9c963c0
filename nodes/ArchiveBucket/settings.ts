/** The node's fields as the engine takes them. */
import type { IExecuteFunctions } from 'n8n-workflow';
import type { BackupType } from '../../core/records/label';
import { assertBucketApart, belowPrefix, placeName } from '../../core/sources/bucket/config';
import type { BucketOptions } from '../../core/sources/bucket/source';
import type { AutoType } from '../../core/verbs/backup/base';
import { readChainType } from '../shared/chain';
import { toStorageConfig } from '../shared/credentials';
import { readStoreSettings, type StoreFields, type StoreSettings } from '../shared/store-settings';
import { filled, textOf, wholeNumber } from '../shared/values';

/** Fields of the node's "Options" collection; each is absent until the user adds it. */
interface OptionFields extends StoreFields {
	allowAnotherServer?: boolean;
	maxLost?: number;
	versions?: boolean;
}

export interface ArchiveSettings {
	group: string;
	/** For people: `s3://bucket/prefix`. */
	place: string;
	bucket: BucketOptions;
	type: BackupType | AutoType;
	allowAnotherServer: boolean;
	store: StoreSettings;
}

/** @throws BackupError 'invalid-input' */
export async function readSettings(context: IExecuteFunctions, itemIndex: number): Promise<ArchiveSettings> {
	const options = context.getNodeParameter('options', itemIndex, {}) as OptionFields;
	const whole = toStorageConfig(await context.getCredentials('backupStorageSecondApi', itemIndex));
	const bucket = belowPrefix(whole, textOf(context.getNodeParameter('prefix', itemIndex, '')));
	const group = filled('Group', textOf(context.getNodeParameter('group', itemIndex)));
	assertBucketApart(bucket, toStorageConfig(await context.getCredentials('backupStorageApi', itemIndex)), group);
	return {
		group,
		place: placeName(bucket),
		bucket: {
			bucket,
			versions: options.versions === true,
			maxLostPercent: wholeNumber('Warn When Lost', options.maxLost ?? 50, 0, 100),
		},
		type: readChainType(context, itemIndex),
		allowAnotherServer: options.allowAnotherServer === true,
		store: await readStoreSettings(context, itemIndex, options),
	};
}
