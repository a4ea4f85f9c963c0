/** Storages as URLs, for the command line. Keys are never part of them: arguments can be read by every user of a machine. */
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BackupError, messageOf } from '../base/errors';
import type { StorageConfig } from './config';
import { placeAt, type BucketAddress } from './s3/providers';

const SFTP_PARAMETERS = ['hostKey', 'key'];
const S3_PARAMETERS = [
	'provider',
	'keys',
	'endpoint',
	'region',
	'pathStyle',
	'sse',
	'kmsKey',
	'storageClass',
	'partSize',
	'maxParts',
	'concurrency',
	'appendOnly',
];

/**
 * Reads `file:///path` and `s3://bucket/prefix?provider=…&endpoint=http://host:port&region=…&pathStyle=true|false&sse=AES256` (and
 * keys=role, kmsKey, storageClass, partSize in bytes, maxParts, concurrency, appendOnly), and `sftp://user@host:port/path?hostKey=SHA256:…&key=/path/of/key`.
 * @param env for SFTP: N8N_BACKUP_SFTP_PASSWORD, which is the passphrase where a key is named; for S3: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_CA_BUNDLE (a PEM file)
 * @throws BackupError 'invalid-input'
 */
export function parseStorageUrl(text: string, env: NodeJS.ProcessEnv): StorageConfig {
	const url = URL.canParse(text) ? new URL(text) : null;
	if (url?.password || (url?.username && url.protocol !== 'sftp:')) {
		throw invalid(
			'a storage URL must not hold keys',
			'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or N8N_BACKUP_SFTP_PASSWORD, instead.',
		);
	}
	if (url?.protocol === 'file:') return { type: 'folder', path: folderOf(url) };
	if (url?.protocol === 's3:') return s3Of(url, text, env);
	if (url?.protocol === 'sftp:') return sftpOf(url, env);
	throw invalid(
		'the storage URL cannot be read',
		'Write file:///path, s3://bucket/prefix?endpoint=https://host:port or sftp://user@host/path?hostKey=SHA256:….',
	);
}

function sftpOf(url: URL, env: NodeJS.ProcessEnv): StorageConfig {
	const query = url.searchParams;
	const unknown = [...query.keys()].find((name) => !SFTP_PARAMETERS.includes(name));
	if (unknown !== undefined) {
		throw invalid(
			`the storage URL has an unknown parameter "${unknown.slice(0, 30)}"`,
			`Known are: ${SFTP_PARAMETERS.join(', ')}.`,
		);
	}
	const keyFile = query.get('key');
	const secret = env.N8N_BACKUP_SFTP_PASSWORD || undefined;
	if (!url.username) throw invalid('the storage URL names no SSH user', 'Write sftp://user@host/path.');
	if (keyFile === null && secret === undefined) {
		throw invalid(
			'the SFTP server has neither a password nor a key',
			'Set N8N_BACKUP_SFTP_PASSWORD, or add key=/path/of/key.',
		);
	}
	return {
		type: 'sftp',
		host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
		port: url.port === '' ? undefined : Number(url.port),
		user: decodeURIComponent(url.username),
		path: decodeURIComponent(url.pathname),
		// A plus stands for a space in queries, and is a letter of a fingerprint.
		hostKey: query.get('hostKey')?.replaceAll(' ', '+'),
		...(keyFile === null ? { password: secret } : { privateKey: readKey(keyFile), passphrase: secret }),
	};
}

function readKey(file: string): string {
	try {
		return fs.readFileSync(file, 'utf8');
	} catch (error) {
		throw invalid(`cannot read the private key: ${messageOf(error)}`, 'Let key name a file with a private key.', error);
	}
}

function folderOf(url: URL): string {
	try {
		if (!url.search && !url.hash) return fileURLToPath(url);
	} catch (error) {
		throw invalid('the storage URL names no local folder', 'Write file:///path, with three slashes.', error);
	}
	throw invalid('the storage URL names no local folder', 'Write ? and # in a path as %3F and %23.');
}

function s3Of(url: URL, text: string, env: NodeJS.ProcessEnv): StorageConfig {
	const query = url.searchParams;
	const unknown = [...query.keys()].find((name) => !S3_PARAMETERS.includes(name));
	if (unknown !== undefined) {
		throw invalid(
			`the storage URL has an unknown parameter "${unknown.slice(0, 30)}"`,
			`Known are: ${S3_PARAMETERS.join(', ')}.`,
		);
	}
	const { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey, AWS_CA_BUNDLE: caFile } = env;
	const fromRole = isRole(query);
	if (!fromRole && (!accessKey || !secretKey)) {
		throw invalid('the keys for S3 are missing', 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.');
	}
	return {
		type: 's3',
		bucket: url.hostname,
		prefix: prefixOf(url, text),
		...placeOf(query, env),
		...(fromRole
			? { fromRole, accessKey: '', secretKey: '' }
			: { accessKey: accessKey!, secretKey: secretKey!, sessionToken: env.AWS_SESSION_TOKEN || undefined }),
		ca: caFile ? readCa(caFile) : undefined,
		serverSideEncryption: encryption(query.get('sse')),
		kmsKey: query.get('kmsKey') ?? undefined,
		storageClass: query.get('storageClass') ?? undefined,
		partSize: count(query, 'partSize'),
		maxParts: count(query, 'maxParts'),
		concurrency: count(query, 'concurrency'),
		appendOnly: flag(query, 'appendOnly'),
	};
}

/** Whether the keys are those of the role of this machine. @throws BackupError 'invalid-input' */
function isRole(query: URLSearchParams): boolean {
	const keys = query.get('keys');
	if (keys === null) return false;
	if (keys === 'role' && query.get('provider') === 'aws') return true;
	throw invalid(
		'keys in the storage URL is unknown',
		'Write provider=aws&keys=role for the role of this machine, or nothing.',
	);
}

/** @throws BackupError 'invalid-input' where there is no such provider, or the bucket cannot be there */
function placeOf(query: URLSearchParams, env: NodeJS.ProcessEnv): BucketAddress {
	const provider = query.get('provider') ?? 'other';
	// A region of the environment is one of Amazon; other providers have their own.
	const known = ['other', 'aws'].includes(provider) ? env.AWS_REGION || undefined : undefined;
	return placeAt(provider, {
		endpoint: query.get('endpoint') ?? undefined,
		region: query.get('region') ?? known,
		pathStyle: flag(query, 'pathStyle'),
	});
}

/** @throws BackupError 'invalid-input' where it is not what is written: URL leaves out "." and "..", which are names in a bucket */
function prefixOf(url: URL, text: string): string {
	const written = /^s3:\/\/[^/?#]*([^?#]*)/i.exec(text)?.[1] ?? '';
	if (/(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i.test(written)) {
		throw invalid('the prefix in the storage URL has a part "." or ".."', 'Write the prefix itself, without steps.');
	}
	return decode(url.pathname);
}

function decode(pathname: string): string {
	try {
		return decodeURIComponent(pathname).replace(/^\/+|\/+$/g, '');
	} catch (error) {
		throw invalid('the prefix in the storage URL cannot be read', 'Write % as %25.', error);
	}
}

function readCa(file: string): string {
	try {
		return fs.readFileSync(file, 'utf8');
	} catch (error) {
		throw invalid(
			`cannot read AWS_CA_BUNDLE: ${messageOf(error)}`,
			'Let AWS_CA_BUNDLE name a file with certificates in PEM.',
			error,
		);
	}
}

function flag(query: URLSearchParams, name: string): boolean | undefined {
	const value = query.get(name);
	if (value === null || value === 'true' || value === 'false') return value === null ? undefined : value === 'true';
	throw invalid(`${name} in the storage URL is neither true nor false`);
}

function count(query: URLSearchParams, name: string): number | undefined {
	const value = query.get(name);
	if (value === null) return undefined;
	if (/^[1-9]\d{0,14}$/.test(value)) return Number(value);
	throw invalid(`${name} in the storage URL is not a whole number`);
}

function encryption(value: string | null): 'AES256' | 'aws:kms' | undefined {
	if (value === null || value === 'AES256' || value === 'aws:kms') return value ?? undefined;
	throw invalid('sse in the storage URL is unknown', 'Known are: AES256, aws:kms.');
}

function invalid(message: string, hint?: string, cause?: unknown): BackupError {
	return new BackupError('invalid-input', message, { hint, cause });
}
