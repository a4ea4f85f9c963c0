/** What a differential or incremental backup builds on. */
import { BackupError, type ErrorCode, isBackupError } from '../../base/errors';
import type { Encryption } from '../../codecs/age/age';
import { assessEvidence } from '../../records/assessment';
import type { BackupType } from '../../records/label';
import { dataSize, type Manifest } from '../../records/manifest';
import { newestOfEach } from '../../records/newest';
import { chooseReadable } from '../../records/readable-choice';
import type { OpenBackup } from '../../sources/source';
import { readChain } from '../chain';
import { openBackup, type OpenOptions } from '../open-backup';

/** Lets the group's own backups decide: an incremental one, or a full one where a rule, or what is there, asks for it. */
export interface AutoType {
	/** A full backup once the last one is this old, days. */
	fullEveryDays: number;
	/** A full backup once so many others need the last one. */
	maxChain: number;
}

/** A week, and a chain that a restore by hand can still cope with. */
export const AUTO_DEFAULTS: AutoType = { fullEveryDays: 7, maxChain: 30 };

/** What a backup will be, and what it builds on. */
export interface ChosenBase {
	type: BackupType;
	base: OpenBackup | null;
	/** Why it is full although it need not be. */
	notes: string[];
}

/** What makes a base unusable for this run, and a full backup possible all the same. */
const WAY_OUT: readonly ErrorCode[] = ['wrong-identity', 'damaged', 'incomplete', 'invalid-manifest', 'not-found'];

/**
 * Decides what the next backup of a group is, and opens what it builds on. Only for the holder of the group's lock, so that it stays.
 * @param wanted a type, or the rules of `auto`
 * @param next the source that is backed up, and how what is made of it will be encrypted
 * @throws BackupError for a type that was asked for: 'not-found' when there is nothing to build on; 'invalid-input' when who will open
 * the backup could not open what it builds on; those of {@link readChain} and {@link openBackup}
 */
export async function chooseBase(
	group: string,
	wanted: BackupType | AutoType,
	next: { kind: string; encryption: Encryption | null },
	options: OpenOptions,
): Promise<ChosenBase> {
	if (wanted === 'full') return { type: 'full', base: null, notes: [] };
	if (typeof wanted === 'string') {
		const chain = await findBase(group, wanted, next.kind, options);
		if (!opensAlike(chain, next.encryption)) {
			throw new BackupError('invalid-input', `the backups of ${group} are not encrypted as this one will be`, {
				hint: 'Who can open this one could not open those it needs. Make a full backup.',
			});
		}
		return { type: wanted, base: await openBackup(chain, options), notes: [] };
	}
	try {
		const chain = await findBase(group, 'incremental', next.kind, options);
		if (needsFull(chain, wanted)) return { type: 'full', base: null, notes: [] };
		if (!opensAlike(chain, next.encryption)) return { type: 'full', base: null, notes: [ENCRYPTED_OTHERWISE] };
		return { type: 'incremental', base: await openBackup(chain, options), notes: [] };
	} catch (error) {
		if (options.signal.aborted || !isBackupError(error, ...WAY_OUT)) throw error;
		if (error.details?.first === true) return { type: 'full', base: null, notes: [] };
		const wayOut = error.code === 'wrong-identity' ? '; with a host key, the next one can be incremental' : '';
		return { type: 'full', base: null, notes: [`made a full backup, because ${error.message}${wayOut}`] };
	}
}

/** @param chain the full backup first */
function needsFull(chain: readonly Manifest[], { fullEveryDays, maxChain }: AutoType): boolean {
	const [full, ...others] = chain as [Manifest, ...Manifest[]];
	const isOld = Date.now() - Date.parse(full.startedAt) >= fullEveryDays * DAY_MS - SCHEDULE_SLACK_MS;
	const bytes = others.reduce((sum, each) => sum + dataSize(each).storedBytes, 0);
	return isOld || others.length >= maxChain || bytes > dataSize(full).storedBytes;
}

const ENCRYPTED_OTHERWISE =
	'made a full backup, because who can open it could not open the backups before it: its recipients are others';

/** Whether who can open what is encrypted like this can open each backup of a chain. Of two passphrases nobody can say whether they differ. */
function opensAlike(chain: readonly Manifest[], encryption: Encryption | null): boolean {
	return chain.every(({ encryption: before }) => {
		if (before === null) return true;
		if (encryption === null) return false;
		if (before.method === 'passphrase') return 'passphrase' in encryption;
		return 'recipients' in encryption && encryption.recipients.every((each) => before.recipients.includes(each));
	});
}

const DAY_MS = 24 * 3_600_000;
/** A schedule that starts a few minutes earlier than a week ago means that week. */
const SCHEDULE_SLACK_MS = 3_600_000;

/** The newest full one for a differential, the newest of all for an incremental. What a verification found bad is passed over. */
async function findBase(
	group: string,
	type: 'differential' | 'incremental',
	kind: string,
	{ repository, signal }: OpenOptions,
): Promise<Manifest[]> {
	const candidates = (await repository.list(group)).filter(
		(entry) => (type === 'incremental' || entry.type === 'full') && assessEvidence(entry.verifications).failed === null,
	);
	const { chosen } = await chooseReadable(repository, candidates, newestOfEach, signal);
	const [base] = chosen;
	if (!base) {
		throw new BackupError(
			'not-found',
			`there is no backup of ${group} that ${type === 'incremental' ? 'an' : 'a'} ${type} one can build on`,
			{
				hint: 'Make a full backup first.',
				details: { first: candidates.length === 0 },
			},
		);
	}
	// The group is locked: nobody removes one of them meanwhile.
	const chain = await readChain(repository, group, base.label, async () => undefined, signal);
	const { source } = chain.at(-1)!.manifest;
	if (source.kind === kind) return chain.map((each) => each.manifest);
	throw new BackupError('invalid-input', `the newest backup of ${group} is one of ${source.kind}, not of ${kind}`, {
		hint: 'Give each source a group of its own.',
	});
}
