/** Credentials in a real n8n, as a user fills in their forms. */
import fs from 'node:fs';
import path from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import type { CredentialContent, CredentialReference } from '../../scripts/lib/n8n-client.mjs';
import type { S3Options } from '../../core/storage/s3/s3';
import type { TestN8n } from './n8n';

/** What the form of n8n's own Postgres credential holds. */
export function databaseContent({ host, port, database, user, password }: DatabaseTarget): CredentialContent {
	const data = { host, port, database, user, password, ssl: 'disable', sshTunnel: false, maxConnections: 5 };
	return { name: 'Database', type: 'postgres', data };
}

export async function databaseCredential(n8n: TestN8n, target: DatabaseTarget): Promise<CredentialReference> {
	return await n8n.client.createCredential(databaseContent(target));
}

/**
 * Backups in a folder.
 * @param type of the credential: for the first storage of a node, or for the second
 */
export async function folderCredential(
	n8n: TestN8n,
	folder: string,
	type: 'backupStorageApi' | 'backupStorageSecondApi' = 'backupStorageApi',
): Promise<CredentialReference> {
	return await n8n.client.createCredential({ name: 'Folder', type, data: { type: 'folder', path: folder } });
}

/**
 * Backups in a bucket, below the prefix "n8n" unless the options name another.
 * @param type of the credential: for the first storage of a node, or for the second
 */
export async function bucketCredential(
	n8n: TestN8n,
	{ bucket, accessKey, secretKey, endpoint, prefix = 'n8n' }: S3Options,
	type: 'backupStorageApi' | 'backupStorageSecondApi' = 'backupStorageApi',
): Promise<CredentialReference> {
	const place = { type: 's3', endpoint, region: 'us-east-1', bucket, prefix, forcePathStyle: true };
	const data = { ...place, accessKeyId: accessKey, secretAccessKey: secretKey };
	return await n8n.client.createCredential({ name: 'Bucket', type, data });
}

/** A new, empty folder that n8n may use. */
export function newFolder(n8n: TestN8n): string {
	return fs.mkdtempSync(path.join(n8n.files, 'storage-'));
}

export interface KeyPair {
	identity: string;
	recipient: string;
}

export async function newKeyPair(): Promise<KeyPair> {
	const identity = await generateX25519Identity();
	return { identity, recipient: await identityToRecipient(identity) };
}

/** @param identity left out where n8n may only encrypt */
export async function keyCredential(n8n: TestN8n, recipient: string, identity?: string): Promise<CredentialReference> {
	const data = { method: 'recipients', recipients: recipient, ...(identity ? { identity } : {}) };
	return await n8n.client.createCredential({ name: 'Key', type: 'backupEncryptionApi', data });
}
