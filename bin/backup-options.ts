/** What the commands that back something up have in common: their options, how these are read, and the last words. */
import { type Command, Option } from 'commander';
import { BackupError } from '../core/base/errors';
import type { Limits } from '../core/base/limits';
import type { DecryptionKeys, Encryption } from '../core/codecs/age/age';
import type { Authority } from '../core/records/authority';
import type { Actor } from '../core/records/journal/actor';
import type { BackupType } from '../core/records/label';
import { MAX_LOST_PERCENT } from '../core/sources/shrunk';
import { DEFAULT_ZSTD_LEVEL } from '../core/verbs/backup/backup';
import { AUTO_DEFAULTS, type AutoType } from '../core/verbs/backup/base';
import {
	type AuthorityOptions,
	repeated,
	type EncryptionOptions,
	HOST_KEY_HELP,
	readAuthority,
	readEncryption,
	readHostKey,
	SIGNERS_HELP,
	SIGNING_KEY_HELP,
	wholeNumberOption,
} from './options';
import { printLine } from './output';

/** As commander gives them. */
export interface BackupOptions extends EncryptionOptions, AuthorityOptions {
	storage: string;
	group: string;
	zstdLevel: string;
	rateLimit?: string;
	json?: boolean;
}

/** As commander gives them. */
export interface ChainOptions {
	type: BackupType | 'auto';
	fullEvery: string;
	maxChain: string;
	hostKey?: string;
}

/**
 * Adds the options for encryption, signatures and limits.
 * @param what is stored, for people: "the files"
 */
export function addBackupOptions(command: Command, what: string, { identityToo = '' } = {}): Command {
	return command
		.option('--recipient <recipient>', 'who can open the backup, age1…; may be repeated', repeated)
		.option('--recipients-file <file>', 'recipients, one per line')
		.option('--identity <file>', `prove right away that this identity opens the backup${identityToo}`)
		.option('--no-encryption', `store in the clear: whoever reads the storage reads ${what}`)
		.option('--zstd-level <n>', '1 (fastest) to 19 (smallest)', String(DEFAULT_ZSTD_LEVEL))
		.option('--rate-limit <n>', 'read no faster than this many MB per second')
		.option('--signing-key <file>', SIGNING_KEY_HELP)
		.option('--signers <file>', SIGNERS_HELP);
}

/** Adds the options for backups that build on earlier ones. @param help of `--type` */
export function addChainOptions(command: Command, help: string, standard: ChainOptions['type']): Command {
	const types = ['auto', 'full', 'differential', 'incremental'];
	const { fullEveryDays, maxChain } = AUTO_DEFAULTS;
	return command
		.addOption(new Option('--type <type>', help).choices(types).default(standard))
		.option('--full-every <days>', 'of --type auto: how old the last full backup may be', String(fullEveryDays))
		.option('--max-chain <n>', 'of --type auto: how many backups may build on a full one', String(maxChain))
		.option('--host-key <file>', HOST_KEY_HELP);
}

/** Adds the option about what is gone. @param what is compared, in the plural: "files or bytes" */
export function addMaxLostOption(command: Command, what: string): Command {
	const help = `hold retention back, until somebody approves, when more of the ${what} are gone since the backup before`;
	return command.option('--max-lost <percent>', help, String(MAX_LOST_PERCENT));
}

/** For the identity of {@link addBackupOptions}, in a command that has {@link addChainOptions}. */
export const OPENS_BASE = { identityToo: '; opens the one it builds on' };

/** The options, read and checked; members as a request for a backup has them. */
export interface BackupSettings {
	encryption: Encryption | null;
	proveWith: DecryptionKeys | undefined;
	authority: Authority;
	zstdLevel: number;
	limits: Partial<Limits>;
	actor: Actor;
}

/** @throws BackupError 'invalid-input', those of reading files */
export async function readBackupOptions(options: BackupOptions): Promise<BackupSettings> {
	const zstdLevel = wholeNumberOption('--zstd-level', options.zstdLevel, 1, 19);
	const rate =
		options.rateLimit === undefined ? undefined : wholeNumberOption('--rate-limit', options.rateLimit, 1, 1_000_000);
	const { encryption, keys } = await readEncryption(options, process.env);
	return {
		...{ encryption, proveWith: keys, zstdLevel, authority: await readAuthority(options) },
		limits: rate === undefined ? {} : { bytesPerSecond: rate * 1_000_000 },
		actor: { via: 'command line' },
	};
}

/** @throws BackupError 'invalid-input', those of reading the host key */
export async function readChainOptions(
	options: ChainOptions,
	encryption: Encryption | null,
): Promise<{ type: BackupType | AutoType; hostKey: string | undefined }> {
	const auto = {
		fullEveryDays: wholeNumberOption('--full-every', options.fullEvery, 1, 3650),
		maxChain: wholeNumberOption('--max-chain', options.maxChain, 1, 999),
	};
	return {
		type: options.type === 'auto' ? auto : options.type,
		hostKey: await readHostKeyFor(options.hostKey, encryption),
	};
}

/** @throws BackupError 'invalid-input', those of reading the host key */
export async function readHostKeyFor(
	file: string | undefined,
	encryption: Encryption | null,
): Promise<string | undefined> {
	const hostKey = await readHostKey(file);
	if (hostKey !== undefined && (encryption === null || 'passphrase' in encryption)) {
		throw new BackupError('invalid-input', '--host-key is given, and there are no recipients', {
			hint: 'Give --recipient too, or leave the host key out: only what is encrypted to recipients needs it.',
		});
	}
	return hostKey;
}

/** How much may be gone since the backup before, percent. @throws BackupError 'invalid-input' */
export function readMaxLost(percent: string): number {
	return wholeNumberOption('--max-lost', percent, 0, 100);
}

/** Says what protection a backup has not. @param what is stored: "the files" */
export function printUnprotected(
	{ encryption, authority }: Pick<BackupSettings, 'encryption' | 'authority'>,
	what: string,
): void {
	if (!encryption) printLine(`not encrypted: whoever reads the storage reads ${what}`);
	if (!authority.key) printLine('not signed: whoever writes to the storage can forge backups');
}
