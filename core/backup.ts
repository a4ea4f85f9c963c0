/** Makes one backup: lock, clean up after earlier failures, store the object and its contents, prove, write the manifest. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Actor } from './actor';
import { BackupError, isBackupError, messageOf } from './errors';
import { ageDecrypt, type DecryptionKeys, type Encryption } from './filters/age';
import { assertGroup, createLabel } from './label';
import { acquireLock, type Lock } from './lock';
import { FORMAT, type Manifest, type ManifestEncryption, type StoredStream } from './manifest';
import { type Limits, type Progress, storeStream } from './pipeline';
import { PROGRAM } from './program';
import { objectKey, Repository } from './repository';
import type { Source } from './source';
import type { Storage } from './storage/storage';

/** Level 3 is zstd's own default. */
export const DEFAULT_ZSTD_LEVEL = 3;

export const DEFAULT_LIMITS: Limits = { stallTimeoutMs: 5 * 60_000, hardTimeoutMs: 24 * 3_600_000 };

export interface BackupRequest {
	storage: Storage;
	group: string;
	source: Source;
	/** null stores in the clear: everyone who reads the storage reads the data. */
	encryption: Encryption | null;
	/** Keys that should open the backup, to prove that they do; absent where only recipients are known. */
	proveWith?: DecryptionKeys;
	zstdLevel?: number;
	limits?: Partial<Limits>;
	/** How long to wait while another run writes to the group, milliseconds; not at all when absent. */
	lockWaitMs?: number;
	/** Words that retention can go by. */
	tags?: string[];
	/** For the journal. */
	actor?: Actor;
	signal: AbortSignal;
	onProgress?: (progress: Progress) => void;
}

export interface BackupResult {
	manifest: Manifest;
	/** For people: where the backup lies. */
	location: string;
	/** Those of the manifest, and what came up after it was written. */
	warnings: readonly string[];
}

/**
 * Backs up one source. When it resolves the backup exists, whole; when it rejects there is none, and what was stored
 * has been removed as far as the storage still answers (the next run removes the rest).
 * @throws BackupError
 */
export async function backUp(request: BackupRequest): Promise<BackupResult> {
	const { storage, group, signal } = request;
	assertGroup(group);
	const repository = await Repository.open(storage, { create: true, signal });
	const lock = await acquireLock(storage, group, { signal });
	try {
		const orphans = await repository.removeOrphans(group);
		const label = createLabel('full', new Date());
		try {
			return await writeBackup(repository, lock, label, orphans, request);
		} catch (error) {
			throw await cleanUp(repository, group, error);
		}
	} finally {
		await lock.release();
	}
}

async function writeBackup(
	repository: Repository,
	lock: Lock,
	label: string,
	orphans: number,
	request: BackupRequest,
): Promise<BackupResult> {
	const { storage, group, source, encryption, signal } = request;
	const startedAt = new Date();
	const common = {
		storage,
		group,
		label,
		encryption,
		zstdLevel: request.zstdLevel ?? DEFAULT_ZSTD_LEVEL,
		limits: { ...DEFAULT_LIMITS, ...request.limits },
		signal,
	};
	const open = await source.open({ signal });
	let object: StoredStream;
	let facts: Awaited<ReturnType<typeof open.finish>>;
	try {
		object = await storeStream({ ...common, name: open.objectName, body: open.body, onProgress: request.onProgress });
		facts = await open.finish();
	} finally {
		await open.close();
	}
	const storeText = async (name: string, text: string) =>
		await storeStream({ ...common, name, body: Readable.from([Buffer.from(text)]) });
	const globals = facts.globals === undefined ? undefined : await storeText('globals.sql', facts.globals);
	const contents = await storeText('contents.json', `${JSON.stringify(facts.contents, null, 1)}\n`);
	const manifest: Manifest = {
		format: FORMAT,
		program: PROGRAM,
		group,
		label,
		type: 'full',
		parents: [],
		startedAt: startedAt.toISOString(),
		finishedAt: new Date().toISOString(),
		source: { kind: source.kind, ...facts.details },
		codecs: encryption ? ['zstd', 'age'] : ['zstd'],
		encryption: encryption && (await describeEncryption(encryption, request, objectKey(group, label, object.name))),
		object,
		contents,
		...(globals && { globals }),
		warnings: [
			...lock.warnings,
			...(orphans > 0
				? [`removed ${orphans} leftover${orphans === 1 ? '' : 's'} of earlier runs that did not finish`]
				: []),
			...facts.warnings,
		],
	};
	await repository.writeManifest(manifest, { signal });
	return { manifest, location: `${storage.location}/${group}/${label}`, warnings: manifest.warnings };
}

async function describeEncryption(
	encryption: Encryption,
	request: BackupRequest,
	key: string,
): Promise<ManifestEncryption> {
	const proved = request.proveWith !== undefined;
	if (request.proveWith) await assertOpens(request.storage, key, request.proveWith, request.signal);
	return 'passphrase' in encryption
		? { method: 'passphrase', proved }
		: { method: 'recipients', recipients: encryption.recipients, proved };
}

/** The age header of a hundred recipients and the first chunk of the payload fit in here with room to spare. */
const PROOF_BYTES = 1024 * 1024;

/**
 * Proves that a key opens what really lies in storage, by reading its beginning back.
 * @throws BackupError 'wrong-identity', 'damaged'
 */
async function assertOpens(storage: Storage, key: string, keys: DecryptionKeys, signal: AbortSignal): Promise<void> {
	const body = await storage.read(key, { start: 0, length: PROOF_BYTES, signal });
	const decrypt = ageDecrypt(keys);
	const flow = pipeline(body, decrypt, { signal });
	const opened = new Promise<void>((resolve) => decrypt.once('data', () => resolve()));
	try {
		await Promise.race([opened, flow]);
	} catch (error) {
		if (!isBackupError(error, 'wrong-identity')) throw error;
		throw new BackupError('wrong-identity', 'the backup was not kept: the identity of the credential cannot open it', {
			hint: 'Add the recipient that belongs to the identity to the recipients, or remove the identity.',
			cause: error,
		});
	} finally {
		// The beginning alone ends in the middle of a chunk: that error says nothing.
		decrypt.destroy();
		await Promise.allSettled([flow]);
	}
}

/** Removes what a failed run stored. The error to report is the run's own. */
async function cleanUp(repository: Repository, group: string, error: unknown): Promise<unknown> {
	try {
		await repository.removeOrphans(group);
		return error;
	} catch (cleanUpError) {
		if (!isBackupError(error)) return error;
		const left = `What it had stored could not be removed (${messageOf(cleanUpError)}); the next run removes it.`;
		return new BackupError(error.code, error.message, {
			hint: error.hint ? `${error.hint} ${left}` : left,
			cause: error.cause,
			details: error.details,
		});
	}
}
