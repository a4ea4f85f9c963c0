/** What nodes that make backups ask for alike: how to encrypt, sign, compress, tag and protect, and how long it may take. */
import type { IExecuteFunctions } from 'n8n-workflow';
import { BackupError, naming } from '../../core/base/errors';
import { parseRecipients, recipientOf } from '../../core/codecs/age/keys';
import type { Authority } from '../../core/records/authority';
import type { Protection } from '../../core/storage/storage';
import type { Limits } from '../../core/streams/pipeline';
import { DEFAULT_ZSTD_LEVEL } from '../../core/verbs/backup/backup';
import { type EncryptionSettings, toAuthority, toEncryption } from './credentials';
import { type LimitFields, readLimits, readLockWait, readRateLimit } from './limits';
import { readRetentionLock, type RetentionLockFields } from './retention-lock';
import { splitList } from './run';
import { wholeNumber } from './values';

/** Fields of an "Options" collection; each is absent until the user adds it. */
export interface StoreFields extends LimitFields {
	lockWait?: number;
	rateLimit?: number;
	recipients?: string | string[];
	retentionLock?: RetentionLockFields;
	tags?: string;
	zstdLevel?: number;
}

/** As `backUp` takes them. */
export interface StoreSettings {
	zstdLevel: number;
	limits: Limits;
	/** Of every backup; retention policies can keep what has one of them. */
	tags: string[];
	lockWaitMs: number;
	protect?: Protection;
	/** null: the user chose not to encrypt. */
	encryption: EncryptionSettings | null;
	/** What signs, and whose signatures count. */
	authority: Authority;
}

/** @throws BackupError 'invalid-input' */
export async function readStoreSettings(
	context: IExecuteFunctions,
	itemIndex: number,
	options: StoreFields,
): Promise<StoreSettings> {
	return {
		zstdLevel: wholeNumber('Compression Level', options.zstdLevel ?? DEFAULT_ZSTD_LEVEL, 1, 19),
		limits: { ...readLimits(options), bytesPerSecond: readRateLimit(options.rateLimit) },
		tags: splitList(options.tags),
		lockWaitMs: readLockWait(options.lockWait),
		protect: readRetentionLock(options.retentionLock),
		authority: toAuthority(await context.getCredentials('backupStorageApi', itemIndex)),
		encryption: await readEncryption(context, itemIndex, splitList(options.recipients).join('\n')),
	};
}

async function readEncryption(
	context: IExecuteFunctions,
	itemIndex: number,
	/** One per line; '' for those of the credential. */
	recipients: string,
): Promise<EncryptionSettings | null> {
	const isOff = context.getNodeParameter('encryption', itemIndex) === 'none';
	const settings = isOff ? null : toEncryption(await context.getCredentials('backupEncryptionApi', itemIndex));
	if (recipients === '') return settings;
	if (settings && 'recipients' in settings.encryption) return await withRecipients(settings, recipients);
	throw new BackupError(
		'invalid-input',
		`"Recipients" is given, and the backup is ${isOff ? 'not encrypted' : 'encrypted with a passphrase'}`,
		{
			hint: 'Choose "Encrypt", with a credential that has a key pair, or remove the option.',
		},
	);
}

/** The same for other recipients. What is opened here is only what they can open as well. */
async function withRecipients({ keys, hostKey }: EncryptionSettings, given: string): Promise<EncryptionSettings> {
	const recipients = naming('"Recipients"', () => parseRecipients(given));
	const identities: string[] = [];
	for (const identity of keys?.identities ?? []) {
		if (recipients.includes(await recipientOf(identity))) identities.push(identity);
	}
	return { encryption: { recipients }, keys: identities.length > 0 ? { identities } : undefined, hostKey };
}
