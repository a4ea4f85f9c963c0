/** Makes one backup: lock, clean up after earlier failures, store the object and its contents, prove, write the manifest. */
import { MANIFEST, objectKey } from '../../records/layout';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Actor } from '../../records/journal/actor';
import { cleanUp, removeLeftovers } from './leftovers';
import { unlessAborted, within } from '../../base/deadline';
import { BackupError, isBackupError } from '../../base/errors';
import { ageDecrypt, type DecryptionKeys, type Encryption } from '../../codecs/age/age';
import { assertGroup, createLabel } from '../../records/label';
import { recordRun, type RunEnd, type RunRecord } from '../../records/journal/journal';
import { acquireLock, type Lock } from '../../records/locks/lock';
import { FORMAT, type Manifest, type ManifestEncryption, type StoredStream } from '../../records/manifest';
import { type Limits } from '../../base/limits';
import { withLimits } from '../limits';
import { type Progress, storeStream } from '../../streams/pipeline';
import { PROGRAM } from '../../base/program';
import { assertTag, Repository } from '../../records/repository';
import { assertSameServer } from '../../records/same-server';
import type { OpenSource, Source } from '../../sources/source';
import type { Protection, Storage } from '../../storage/storage';

/** Ends programs and connections, politely first. */
const CLOSE_MS = 30_000;

/** Level 3 is zstd's own default. */
export const DEFAULT_ZSTD_LEVEL = 3;

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
	/** Words that retention can go by, see `assertTag`. */
	tags?: string[];
	/** Keeps every object of the backup from being removed; only where the storage can. */
	protect?: Protection;
	/** The group's newest backup may have come from another server: this one was moved, upgraded or made anew. */
	allowAnotherServer?: boolean;
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
 * has been removed as far as the storage still answers (a later run removes the rest).
 * @throws BackupError 'locked' when another run writes to the group, or took over because this one had stood still; …
 */
export async function backUp(request: BackupRequest): Promise<BackupResult> {
	const { group, actor, tags = [] } = request;
	assertGroup(group);
	for (const tag of tags) assertTag(tag);
	return await withLimits({ ...request, advice: 'back up less at once' }, async ({ signal, limits, limited }) => {
		const storage = limited(request.storage);
		const { stallTimeoutMs } = limits;
		const repository = await Repository.open(storage, { create: true, signal, stallTimeoutMs });
		return await recordRun(
			storage,
			{ verb: 'dump', group, actor, signal },
			async (run) => await locked(repository, run, { ...request, storage, limits, signal }),
			describe,
		);
	});
}

function describe({ manifest, warnings }: BackupResult): RunEnd {
	const { label, object, encryption, startedAt, finishedAt } = manifest;
	return {
		outcome: 'ok',
		label,
		facts: {
			originalBytes: object.original.bytes,
			storedBytes: object.stored.bytes,
			seconds: (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000,
			encryption: encryption?.method ?? 'none',
			proved: encryption?.proved ?? false,
			warnings: warnings.length,
		},
	};
}

type LimitedRequest = BackupRequest & { limits: Limits };

async function locked(repository: Repository, run: RunRecord, request: LimitedRequest): Promise<BackupResult> {
	const { storage, group, actor, signal, lockWaitMs } = request;
	const onWait = () => run.progress('waiting for the lock', 0);
	const lock = await acquireLock(storage, group, { signal, actor, waitMs: lockWaitMs, onWait });
	try {
		const left = await removeLeftovers(repository, group, lock);
		const label = createLabel('full', new Date());
		try {
			const held = { ...request, signal: AbortSignal.any([signal, lock.lost]) };
			const manifest = await writeBackup(repository, lock, label, left, run, held);
			run.warnings.unshift(...manifest.warnings);
			return { manifest, location: `${storage.location}/${group}/${label}`, warnings: run.warnings };
		} catch (error) {
			throw await cleanUp(repository, group, label, error);
		}
	} finally {
		const known = lock.warnings.length;
		await lock.release();
		run.warnings.push(...lock.warnings.slice(known));
	}
}

/** Opens a source. One that does not let go of its opening is closed when it has done. */
async function openSource(source: Source, options: Parameters<Source['open']>[0]): Promise<OpenSource> {
	const { signal } = options;
	const opening = source.open(options);
	opening
		.then(async (late) => {
			late.body.on('error', () => undefined);
			if (signal.aborted) await late.close();
		})
		// Of what is opened for nobody, nobody wants to know why it could not be closed.
		.catch(() => undefined);
	return await unlessAborted(opening, signal);
}

async function writeBackup(
	repository: Repository,
	lock: Lock,
	label: string,
	left: readonly string[],
	run: RunRecord,
	request: LimitedRequest,
): Promise<Manifest> {
	const { storage, group, source, encryption, protect, signal, onProgress } = request;
	const startedAt = new Date();
	const common = {
		storage,
		group,
		label,
		encryption,
		zstdLevel: request.zstdLevel ?? DEFAULT_ZSTD_LEVEL,
		limits: request.limits,
		protect,
		signal,
	};
	const open = await openSource(source, { signal, stallTimeoutMs: request.limits.stallTimeoutMs });
	let object: StoredStream;
	const notes: string[] = [];
	let facts: Awaited<ReturnType<typeof open.finish>>;
	try {
		const allowed = request.allowAnotherServer === true;
		notes.push(...(await assertSameServer(repository, group, open.server ?? null, { allowed, signal })));
		object = await storeStream({
			...common,
			name: open.objectName,
			body: open.body,
			recycle: open.recycle,
			onProgress: (progress) => {
				run.progress('storing', progress.originalBytes);
				onProgress?.(progress);
			},
		});
		facts = await unlessAborted(open.finish(), signal);
	} finally {
		await within(CLOSE_MS, 'the source', async () => await open.close());
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
		warnings: [...lock.warnings, ...left, ...notes, ...facts.warnings],
	};
	await publish(repository, lock, manifest, request);
	return manifest;
}

/**
 * Writes the manifest, if the group is still ours. Whoever stood still for so long that another run took over must not call
 * a backup what that run may have tidied up, so it looks once before and once after: in between, it may stand still again.
 */
async function publish(
	repository: Repository,
	lock: Lock,
	manifest: Manifest,
	{ storage, tags = [], protect, signal }: BackupRequest,
): Promise<void> {
	const { group, label } = manifest;
	await lock.assertHeld();
	await assertStored(storage, manifest);
	await repository.writeManifest(manifest, { signal });
	await lock.assertHeld();
	// After the manifest: a tag, like evidence, says that there was a backup.
	await repository.writeTags(group, label, tags, { signal, protect });
	// Not before it is final: a protected manifest could not be taken back.
	if (protect) await storage.protection?.extend(objectKey(group, label, MANIFEST), protect);
}

/**
 * Everything the manifest will promise is there: whoever else tidies up in this storage was not faster.
 * @throws BackupError 'damaged'
 */
async function assertStored(storage: Storage, { group, label, object, contents, globals }: Manifest): Promise<void> {
	for (const { name, stored } of [object, contents, ...(globals ? [globals] : [])]) {
		const found = await storage.stat(objectKey(group, label, name));
		if (found?.size === stored.bytes) continue;
		throw new BackupError('damaged', `${storage.location}/${objectKey(group, label, name)} is gone, or was changed`, {
			hint: 'Somebody else removes or changes objects in this storage. Find out who, then run it again.',
		});
	}
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
		throw new BackupError('wrong-identity', `${key} was not kept: the identity of the credential cannot open it`, {
			hint: 'Add the recipient that belongs to the identity to the recipients, or remove the identity.',
			cause: error,
		});
	} finally {
		// The beginning alone ends in the middle of a chunk: that error says nothing.
		decrypt.destroy();
		await Promise.allSettled([flow]);
	}
}
