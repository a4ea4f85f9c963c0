/** What several commands read from their options and from the environment. */
import { readFile, stat } from 'node:fs/promises';
import type { Command } from 'commander';
import pgPass from 'pgpass';
import { BackupError, naming } from '../core/base/errors';
import type { DecryptionKeys, Encryption } from '../core/codecs/age/age';
import { assertPassphrase, parseIdentities, parseRecipients } from '../core/codecs/age/keys';
import { parseSigningKey } from '../core/codecs/sshsig/keys';
import { type Authority, parseSigners } from '../core/records/authority';
import { assertGroup, parseLabel } from '../core/records/label';
import type { Repository } from '../core/records/repository';
import type { DatabaseTarget, TlsMode } from '../core/sources/postgres/connection/target';
import { printLine, printWarning } from './output';

/** Wraps a command: prints its error, keeps its exit code. */
export type RunCommand = <O extends { json?: boolean }>(
	command: (options: O, signal: AbortSignal) => Promise<number>,
) => (options: O) => Promise<void>;

export type AddCommand = (program: Command, run: RunCommand) => void;

/** For options that may be given several times. */
export function repeated(value: string, earlier: string[] = []): string[] {
	return [...earlier, value];
}

/**
 * A backup as a command names it: its group, or group and label.
 * @throws BackupError 'invalid-input'
 */
export function parseBackupName(text: string): { group: string; label: string | null } {
	const at = text.lastIndexOf('/');
	const label = text.slice(at + 1);
	const isLabel = at > 0 && parseLabel(label) !== null;
	const group = isLabel ? text.slice(0, at) : text;
	assertGroup(group);
	return { group, label: isLabel ? label : null };
}

/** @throws BackupError 'invalid-input' */
export function wholeNumberOption(option: string, text: string, min: number, max: number): number {
	const value = Number(text);
	if (Number.isInteger(value) && value >= min && value <= max) return value;
	throw new BackupError('invalid-input', `invalid value for ${option}: ${text}`, {
		hint: `Give a whole number from ${min} to ${max}.`,
	});
}

const TLS_MODES: Record<string, TlsMode> = {
	disable: 'off',
	allow: 'prefer',
	prefer: 'prefer',
	require: 'encrypt',
	'verify-ca': 'verify',
	'verify-full': 'verify',
};

const URL_PARAMETERS = ['sslmode', 'sslrootcert', 'channel_binding'];

/**
 * A database URL as libpq writes it: `postgres://user@host:5432/name?sslmode=verify-full&sslrootcert=/ca.pem`.
 * The password comes from PGPASSWORD or a password file.
 * @throws BackupError 'invalid-input'
 */
export async function parseDatabaseUrl(text: string, env: NodeJS.ProcessEnv): Promise<DatabaseTarget> {
	const bad = (why: string, hint: string) => new BackupError('invalid-input', `the database URL ${why}`, { hint });
	const form = 'Write postgres://user@host:5432/database?sslmode=verify-full.';
	let url: URL;
	try {
		url = new URL(text);
	} catch {
		throw bad('cannot be read', form);
	}
	if (!['postgres:', 'postgresql:'].includes(url.protocol)) throw bad('does not start with postgres://', form);
	if (url.password)
		throw bad('holds a password, which others can see in the process list', 'Put it into PGPASSWORD or a PGPASSFILE.');
	const mode = url.searchParams.get('sslmode') ?? 'prefer';
	if (!Object.hasOwn(TLS_MODES, mode))
		throw bad(`has the unknown sslmode ${mode}`, `Use one of ${Object.keys(TLS_MODES).join(', ')}.`);
	const unknown = [...url.searchParams.keys()].find((key) => !URL_PARAMETERS.includes(key));
	if (unknown) throw bad(`has the unknown parameter ${unknown}`, `Known are ${URL_PARAMETERS.join(', ')}.`);
	if (url.searchParams.get('channel_binding') === 'require' && TLS_MODES[mode] !== 'verify') {
		throw bad(
			'requires channel binding, which is not supported',
			'Write sslmode=verify-full instead: then the server’s certificate proves who it is.',
		);
	}
	const rootCertificate = url.searchParams.get('sslrootcert');
	const target: DatabaseTarget = {
		host: decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1') || 'localhost',
		port: Number(url.port) || 5432,
		user: decodeURIComponent(url.username) || env.PGUSER || 'postgres',
		database: decodeURIComponent(pathOf(text)) || env.PGDATABASE || 'postgres',
		tls: TLS_MODES[mode]!,
		ca: rootCertificate ? await readTextFile(rootCertificate, 'certificate') : undefined,
	};
	return { ...target, password: env.PGPASSWORD || (await passwordFromFile(target)) };
}

/** As it is written. URL takes "." and ".." for steps in a tree of folders, and would name another database. */
function pathOf(url: string): string {
	return /^[a-z]+:\/\/[^/?#]*\/([^?#]*)/i.exec(url)?.[1] ?? '';
}

async function passwordFromFile({ host, port, database, user }: DatabaseTarget): Promise<string | undefined> {
	return await new Promise((resolve) => pgPass({ host, port, database, user }, resolve));
}

export interface EncryptionOptions {
	recipient?: string[];
	recipientsFile?: string;
	identity?: string;
	encryption?: boolean;
}

/**
 * How to encrypt: recipients, or N8N_BACKUP_PASSPHRASE, or --no-encryption said out loud.
 * @throws BackupError 'invalid-input'
 */
export async function readEncryption(
	options: EncryptionOptions,
	env: NodeJS.ProcessEnv,
): Promise<{ encryption: Encryption | null; keys?: DecryptionKeys }> {
	const keys = await readKeys(options.identity, env);
	const { recipient = [], recipientsFile } = options;
	const recipients = recipient.flatMap((text) => naming('--recipient', () => parseRecipients(text)));
	if (recipientsFile) recipients.push(...(await readParsed(recipientsFile, 'recipients file', parseRecipients)));
	const passphrase = env.N8N_BACKUP_PASSPHRASE;
	const chosen = [recipients.length > 0, Boolean(passphrase), options.encryption === false].filter(Boolean).length;
	if (chosen !== 1) {
		throw new BackupError('invalid-input', chosen === 0 ? 'no recipients given' : 'encryption is given in two ways', {
			hint: 'Give either --recipient age1…, or N8N_BACKUP_PASSPHRASE, or --no-encryption.',
		});
	}
	if (recipients.length > 0) return { encryption: { recipients }, keys };
	if (!passphrase) return { encryption: null };
	assertPassphrase(passphrase);
	return { encryption: { passphrase }, keys: { passphrase } };
}

/** The identity file and the passphrase, as far as given. */
export async function readKeys(
	identityFile: string | undefined,
	env: NodeJS.ProcessEnv,
): Promise<DecryptionKeys | undefined> {
	if (identityFile) {
		const identities = await readParsed(identityFile, 'identity file', parseIdentities);
		await warnIfShared(identityFile);
		return { identities };
	}
	return env.N8N_BACKUP_PASSPHRASE ? { passphrase: env.N8N_BACKUP_PASSPHRASE } : undefined;
}

export const HOST_KEY_HELP = 'an identity of this machine, which opens what a backup must hold, but no data';

/**
 * The identity of the machine that makes backups.
 * @throws BackupError 'invalid-input' also where the file has more than one
 */
export async function readHostKey(file: string | undefined): Promise<string | undefined> {
	if (file === undefined) return undefined;
	const [identity, ...more] = await readParsed(file, 'host key', parseIdentities);
	await warnIfShared(file, 'the host key');
	if (identity !== undefined && more.length === 0) return identity;
	throw new BackupError('invalid-input', `the host key ${file} has ${more.length + 1} identities, not one`, {
		hint: 'Make one for this machine alone: age-keygen -o host.txt.',
	});
}

/** Options of commands that read or write signatures. */
export interface AuthorityOptions {
	signingKey?: string;
	signers?: string;
}

/** What signs, and whose signatures count. @throws BackupError 'invalid-input', 'unsupported' */
export async function readAuthority({ signingKey, signers }: AuthorityOptions): Promise<Authority> {
	const key = signingKey === undefined ? null : await readParsed(signingKey, 'signing key', parseSigningKey);
	if (signingKey !== undefined) await warnIfShared(signingKey, 'the signing key');
	return { key, signers: signers === undefined ? null : await readParsed(signers, 'list of signers', parseSigners) };
}

/** Says that signatures were not looked at, where no signers were given. */
export function printUnauthenticated({ signers }: Authority): void {
	if (signers === null) printLine('not authenticated: no signers are given, so a forged backup would not be noticed');
}

/**
 * The repository in which one backup is taken though none of the signers has signed it, where --allow-unsigned says so.
 * @throws BackupError 'invalid-input' where the option is given without the label of a backup
 */
export function allowUnsignedOption(
	repository: Repository,
	{ allowUnsigned: isAllowed }: { allowUnsigned?: boolean },
	wanted: { group: string; label: string | null } | null,
): Repository {
	if (!isAllowed) return repository;
	if (wanted?.label) return repository.allowing(wanted.group, wanted.label);
	throw new BackupError('invalid-input', '--allow-unsigned is given without the label of a backup', {
		hint: 'Give GROUP/LABEL: only one backup is allowed, by its name.',
	});
}

export const ALLOW_UNSIGNED_HELP = 'with GROUP/LABEL and --signers: take this one backup though none of them signed it';
export const SIGNERS_HELP =
	'trusted signers: public keys or allowed_signers lines; what none of them signed is refused';
export const SIGNING_KEY_HELP = 'an ed25519 key of ssh-keygen without passphrase: signs what is written';

/** Whoever reads the identity reads every backup, and whoever reads the signing key can forge them. */
async function warnIfShared(path: string, what = 'the identity file'): Promise<void> {
	// Windows has no such bits.
	if (process.platform === 'win32' || ((await stat(path)).mode & 0o044) === 0) return;
	printWarning(`other users of this machine can read ${what} ${path}: chmod 600 it`);
}

/** What is wrong in a file of keys is said of that file. */
async function readParsed<T>(path: string, what: string, parse: (text: string) => T): Promise<T> {
	const text = await readTextFile(path, what);
	return naming(`the ${what} ${path}`, () => parse(text));
}

async function readTextFile(path: string, what: string): Promise<string> {
	try {
		return await readFile(path, 'utf8');
	} catch (cause) {
		throw new BackupError('invalid-input', `the ${what} ${path} cannot be read`, {
			hint: 'Check the path and who may read the file.',
			cause,
		});
	}
}

/** What the names of variables begin with that hold the keys of a second place of S3: where copies go. */
export const DESTINATION_KEYS = 'N8N_BACKUP_TO_';
/** The same of a bucket that is backed up, or restored to. */
export const BUCKET_KEYS = 'N8N_BACKUP_BUCKET_';

/** The keys of another place of S3 are its own where they are given; then nothing of the storage's identity goes there. */
export function envWith(prefix: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
	const own = (name: string) => env[`${prefix}${name}`];
	const [accessKey, secretKey] = [own('AWS_ACCESS_KEY_ID'), own('AWS_SECRET_ACCESS_KEY')];
	if (!accessKey && !secretKey) return env;
	return {
		...env,
		AWS_ACCESS_KEY_ID: accessKey,
		AWS_SECRET_ACCESS_KEY: secretKey,
		AWS_SESSION_TOKEN: own('AWS_SESSION_TOKEN'),
	};
}
