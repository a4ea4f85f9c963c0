/** From the fields of n8n credentials to what the engine takes, and the tests behind the credentials' Test button. */
import type {
	ICredentialDataDecryptedObject,
	ICredentialsDecrypted,
	ICredentialTestFunctions,
	IExecuteFunctions,
	INodeCredentialTestResult,
} from 'n8n-workflow';
import { parseSigningKey } from '../../core/codecs/sshsig/keys';
import { type Authority, parseSigners } from '../../core/records/authority';
import { checkBucket } from '../../core/sources/bucket/check';
import { checkEncryption, checkStorage } from '../../core/verbs/check/check';
import { BackupError, messageOf, naming } from '../../core/base/errors';
import type { Finding } from '../../core/base/finding';
import type { DecryptionKeys, Encryption } from '../../core/codecs/age/age';
import { assertPassphrase, parseIdentities, parseRecipients } from '../../core/codecs/age/keys';
import type { DatabaseTarget, TlsMode } from '../../core/sources/postgres/connection/target';
import { createStorage } from '../../core/storage/create';
import { placeAt, type StorageConfig } from '../../core/storage/config';
import type { Storage } from '../../core/storage/storage';
import { allowedFolder } from './allowed-folder';

/** How to encrypt, and with which keys the result can be opened here. */
export interface EncryptionSettings {
	encryption: Encryption;
	/** Absent where n8n knows only recipients. */
	keys?: DecryptionKeys;
	/** Opens what backups must hold, and no data; absent where there is none. */
	hostKey?: string;
}

const text = (value: unknown): string => (typeof value === 'string' ? value.trim() : '');

const ENCRYPTIONS = ['AES256', 'aws:kms'] as const;

/** @throws BackupError 'invalid-input' that names the field to change */
export function toStorageConfig(fields: ICredentialDataDecryptedObject): StorageConfig {
	if (fields.type === 's3') {
		const bucket = text(fields.bucket);
		if (!bucket) throw missing('Bucket');
		return {
			type: 's3',
			bucket,
			prefix: text(fields.prefix) || undefined,
			...toPlace(fields),
			...toKeys(fields),
			ca: text(fields.ca) || undefined,
			appendOnly: fields.appendOnly === true,
			serverSideEncryption: ENCRYPTIONS.find((each) => each === fields.serverSideEncryption),
			kmsKey: text(fields.kmsKey) || undefined,
			storageClass: text(fields.storageClass) || undefined,
		};
	}
	if (fields.type === 'sftp') return toSftp(fields);
	const path = text(fields.path);
	if (!path) throw missing('Folder');
	return { type: 'folder', path };
}

/**
 * Whoever can make a credential would else have the rights of n8n's machine: its operator allows it, as for n8n's own AWS credential.
 * @throws BackupError 'access-denied'
 */
function toKeys(fields: ICredentialDataDecryptedObject) {
	if (fields.useRole !== true || fields.provider !== 'aws') {
		return {
			accessKey: text(fields.accessKeyId),
			secretKey: text(fields.secretAccessKey),
			sessionToken: text(fields.sessionToken) || undefined,
		};
	}
	if (process.env.N8N_AWS_SYSTEM_CREDENTIALS_ACCESS_ENABLED === 'true') {
		return { fromRole: true, accessKey: '', secretKey: '' };
	}
	throw new BackupError('access-denied', 'n8n does not allow its credentials to use the role of its machine', {
		hint: 'Enter keys, or set N8N_AWS_SYSTEM_CREDENTIALS_ACCESS_ENABLED=true for n8n, which allows it to everybody who can make credentials.',
	});
}

/** n8n leaves out what is not shown for the chosen provider, also what was typed before another one was chosen. */
function toPlace(fields: ICredentialDataDecryptedObject) {
	// Credentials from before there were providers have none, and go on as they were.
	return placeAt(text(fields.provider) || 'other', {
		endpoint: text(fields.endpoint) || undefined,
		region: text(fields.region) || text(fields.location) || undefined,
		pathStyle: typeof fields.forcePathStyle === 'boolean' ? fields.forcePathStyle : undefined,
	});
}

function toSftp(fields: ICredentialDataDecryptedObject): StorageConfig {
	const [host, user, path] = [text(fields.sftpHost), text(fields.sftpUser), text(fields.sftpPath)];
	if (!host) throw missing('Host');
	if (!user) throw missing('User');
	if (!path.startsWith('/')) throw missing('Folder on the Server');
	return {
		...{ type: 'sftp', host, user, path },
		port: Number(fields.sftpPort) || undefined,
		hostKey: text(fields.sftpHostKey) || undefined,
		password: typeof fields.sftpPassword === 'string' ? fields.sftpPassword || undefined : undefined,
		privateKey: text(fields.sftpPrivateKey) || undefined,
		passphrase: typeof fields.sftpPassphrase === 'string' ? fields.sftpPassphrase || undefined : undefined,
	};
}

/**
 * What signs in a storage, and whose signatures count there, from its credential.
 * @throws BackupError 'invalid-input', 'unsupported'
 */
export function toAuthority(fields: ICredentialDataDecryptedObject): Authority {
	const key = text(fields.signingKey);
	const signers = text(fields.trustedSigners);
	return {
		key: key ? naming('"Signing Key" of the storage', () => parseSigningKey(key)) : null,
		signers: signers ? naming('"Trusted Signers" of the storage', () => parseSigners(signers)) : null,
	};
}

/** @throws BackupError 'invalid-input' */
export function toEncryption(fields: ICredentialDataDecryptedObject): EncryptionSettings {
	if (fields.method === 'passphrase') {
		const passphrase = typeof fields.passphrase === 'string' ? fields.passphrase : '';
		assertPassphrase(passphrase);
		return { encryption: { passphrase }, keys: { passphrase } };
	}
	if (!text(fields.recipients)) {
		throw new BackupError('invalid-input', 'the encryption credential has no recipient', {
			hint: 'Enter a public key (age1…). The template new-key.json makes a key pair, and so does age-keygen.',
		});
	}
	return {
		encryption: {
			recipients: naming('"Recipients" of the encryption credential', () => parseRecipients(text(fields.recipients))),
		},
		keys: toDecryptionKeys(fields),
		hostKey: toHostKey(fields),
	};
}

function toHostKey(fields: ICredentialDataDecryptedObject): string | undefined {
	if (!text(fields.hostKey)) return undefined;
	const [hostKey, ...more] = naming('"Host Key" of the encryption credential', () =>
		parseIdentities(text(fields.hostKey)),
	);
	if (hostKey !== undefined && more.length === 0) return hostKey;
	throw new BackupError(
		'invalid-input',
		`the host key of the encryption credential is ${more.length + 1} keys, not one`,
		{
			hint: 'Enter one secret key of this n8n alone (AGE-SECRET-KEY-1…). The template new-key.json makes one.',
		},
	);
}

/**
 * What the encryption credential can open backups with; undefined where it knows only recipients.
 * @throws BackupError 'invalid-input'
 */
export function toDecryptionKeys(fields: ICredentialDataDecryptedObject): DecryptionKeys | undefined {
	if (fields.method === 'passphrase') return toEncryption(fields).keys;
	if (!text(fields.identity)) return undefined;
	return {
		identities: naming('"Identity" of the encryption credential', () => parseIdentities(text(fields.identity))),
	};
}

/**
 * The keys of a node that opens backups; null where its "Encryption" says that there is none.
 * @param escrow what to do where n8n knows only recipients, a sentence for the user
 * @throws BackupError 'invalid-input', also where the credential cannot open anything
 */
export async function readDecryptionKeys(
	context: IExecuteFunctions,
	itemIndex: number,
	escrow: string,
): Promise<DecryptionKeys | null> {
	if (context.getNodeParameter('encryption', itemIndex) === 'none') return null;
	const keys = toDecryptionKeys(await context.getCredentials('backupEncryptionApi', itemIndex));
	if (keys) return keys;
	throw new BackupError('invalid-input', 'the encryption credential has no identity, so no backup can be opened here', {
		hint: escrow,
	});
}

/** From n8n's own `postgres` credential. */
export function toDatabaseTarget(fields: ICredentialDataDecryptedObject): DatabaseTarget {
	const tls: TlsMode = fields.allowUnauthorizedCerts
		? 'encrypt'
		: fields.ssl === 'require'
			? 'verify'
			: fields.ssl === 'allow'
				? 'prefer'
				: 'off';
	return {
		host: text(fields.host) || 'localhost',
		port: Number(fields.port) || 5432,
		database: text(fields.database) || 'postgres',
		user: text(fields.user) || 'postgres',
		password: typeof fields.password === 'string' && fields.password ? fields.password : undefined,
		tls,
		ssh: fields.sshTunnel
			? {
					host: text(fields.sshHost),
					port: Number(fields.sshPort) || 22,
					user: text(fields.sshUser),
					...(fields.sshAuthenticateWith === 'privateKey'
						? { privateKey: text(fields.privateKey), passphrase: text(fields.passphrase) || undefined }
						: { password: fields.sshPassword as string }),
				}
			: undefined,
	};
}

/** A node takes one credential of each type, so every further storage has a type of its own. */
export type StorageCredential = 'backupStorageApi' | 'backupStorageSecondApi' | 'backupStorageThirdApi';

/**
 * Opens the storage of one of the node's credentials; a folder only where n8n's own settings allow files.
 * @throws BackupError 'access-denied', 'invalid-input', 'bucket-not-found'
 */
export async function openNodeStorage(
	context: IExecuteFunctions,
	itemIndex: number,
	credential: StorageCredential = 'backupStorageApi',
): Promise<Storage> {
	const fields = await context.getCredentials(credential, itemIndex);
	return await openAllowed(fields, (resolved) => {
		return context.helpers.isFilePathBlocked(resolved as Awaited<ReturnType<typeof context.helpers.resolvePath>>);
	});
}

/**
 * Opens the storage that a credential names where no node runs: for its test, and for the lists of fields.
 * @throws BackupError 'access-denied', 'invalid-input'
 */
export async function openAllowed(
	fields: ICredentialDataDecryptedObject,
	isBlocked?: (resolved: string) => boolean,
): Promise<Storage> {
	const config = toStorageConfig(fields);
	if (config.type !== 'folder') return createStorage(config);
	return createStorage({ type: 'folder', path: await allowedFolder(config.path, isBlocked) });
}

/** The Test button of the storage credential: writes, reads, lists and removes a small object; with keys that may only read, lists and reads. */
export async function backupStorageTest(
	this: ICredentialTestFunctions,
	credential: ICredentialsDecrypted,
): Promise<INodeCredentialTestResult> {
	return await answer(async () => {
		const fields = credential.data ?? {};
		toAuthority(fields);
		if (fields.type === 's3' && fields.readOnly === true) return answerOf(await checkBucket(toStorageConfig(fields)));
		const storage = await openAllowed(fields);
		try {
			return answerOf(await checkStorage(storage));
		} finally {
			await storage.close();
		}
	});
}

/** The Test button of the encryption credential: encrypts a probe and opens it. */
export async function backupEncryptionTest(
	this: ICredentialTestFunctions,
	credential: ICredentialsDecrypted,
): Promise<INodeCredentialTestResult> {
	return await answer(async () => {
		const { encryption, keys, hostKey } = toEncryption(credential.data ?? {});
		return answerOf(await checkEncryption(encryption, keys, hostKey));
	});
}

function answerOf({ ok, message, hint }: Finding): { ok: boolean; message: string } {
	return { ok, message: hint ? `${message}. ${hint}` : message };
}

async function answer(test: () => Promise<{ ok: boolean; message: string }>): Promise<INodeCredentialTestResult> {
	try {
		const { ok, message } = await test();
		return { status: ok ? 'OK' : 'Error', message };
	} catch (error) {
		const hint = error instanceof BackupError && error.hint ? `. ${error.hint}` : '';
		return { status: 'Error', message: `${messageOf(error)}${hint}` };
	}
}

function missing(field: string): BackupError {
	return new BackupError('invalid-input', `the storage credential has no ${field.toLowerCase()}`, {
		hint: `Open the credential and fill in "${field}".`,
	});
}
