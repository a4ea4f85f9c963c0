/** Makes one backup: lock, clean up after earlier failures, store the object and its contents, prove, write the manifest. */
import { MANIFEST, objectKey, SIGNATURE } from '../../records/layout';
import { setTimeout as delay } from 'node:timers/promises';
import { lossText } from '../../records/approval';
import type { Authority } from '../../records/authority';
import type { Actor } from '../../records/journal/actor';
import { removeLeftovers, withoutLeftovers } from './leftovers';
import { unlessAborted, within } from '../../base/deadline';
import { BackupError } from '../../base/errors';
import type { DecryptionKeys, Encryption } from '../../codecs/age/age';
import { describeEncryption, hostRecipientOf, withHost } from './encryption';
import { assertGroup, type BackupType, createLabel, parseLabel } from '../../records/label';
import type { RunEnd } from '../../records/journal/journal';
import type { Lock } from '../../records/locks/lock';
import { dataSize, FORMAT, isForHost, type Manifest, type StoredPart } from '../../records/manifest';
import { type Limits } from '../../base/limits';
import { type Run, runVerb } from '../run';
import { type Progress, storeStream } from '../../streams/pipeline';
import { PROGRAM } from '../../base/program';
import { assertTag, Repository } from '../../records/repository';
import { assertSameServer, readNewest } from '../../records/same-server';
import type { OpenSource, Source, SourceFacts, SourcePart } from '../../sources/source';
import { readContents } from '../open-backup';
import { type AutoType, chooseBase } from './base';
import { lossesOf } from './losses';
import type { Protection, Storage } from '../../storage/storage';

/** Ends programs and connections, politely first. */
const CLOSE_MS = 30_000;

/** Level 3 is zstd's own default. */
export const DEFAULT_ZSTD_LEVEL = 3;

export interface BackupRequest {
	storage: Storage;
	group: string;
	source: Source;
	/** `differential` builds on the newest full backup, `incremental` on the newest of all; or rules. @default 'full' */
	type?: BackupType | AutoType;
	/** null stores in the clear: everyone who reads the storage reads the data. */
	encryption: Encryption | null;
	/**
	 * Keys that should open the backup, to prove that they do, and that open the one it builds on; absent where only recipients
	 * are known.
	 */
	proveWith?: DecryptionKeys;
	/**
	 * An identity of the host that makes backups. It opens what they must hold, but no data: so a host that cannot read its
	 * backups can make the next differential or incremental one, and compare counts.
	 */
	hostKey?: string;
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
	/** Signs the backup, and says whose signatures count of what is there. */
	authority?: Authority;
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
	const result = await backUpNews(request);
	if (result !== null) return result;
	throw new BackupError('source-missing', `there is nothing new for ${request.group}`, {
		hint: 'What has been written since the backup before is backed up when there is something.',
	});
}

/** The same, of a source that may have nothing new. @returns null then; the journal has the run all the same */
export async function backUpNews(request: BackupRequest): Promise<BackupResult | null> {
	const { group, actor, tags = [] } = request;
	assertGroup(group);
	assertEncrypted(request);
	for (const tag of tags) assertTag(tag);
	const { storage, lockWaitMs, authority } = request;
	const { value: manifest, warnings } = await runVerb(
		{
			...{ verb: 'backup', group, actor, lockWaitMs, limits: request.limits, signal: request.signal },
			advice: 'back up less at once',
			open: async ({ signal, limits: { stallTimeoutMs }, limited }) =>
				await Repository.open(limited(storage), { create: true, signal, stallTimeoutMs, authority }),
		},
		async (run) =>
			await run.asWriter(run.repository, group, 'backup', async (lock, signal) => {
				const left = await removeLeftovers(run.repository, group, lock);
				const limited = { ...request, storage: run.repository.storage, limits: run.limits, signal };
				return await writeBackup(run, lock, left, limited);
			}),
		describe,
	);
	return manifest && { manifest, location: `${storage.location}/${group}/${manifest.label}`, warnings };
}

/** @throws BackupError 'invalid-input' where something that must be encrypted would be stored in the clear */
function assertEncrypted({ group, source: { mustEncrypt }, encryption }: BackupRequest): void {
	if (mustEncrypt === undefined || encryption !== null) return;
	throw new BackupError('invalid-input', `${group} may not be stored without encryption`, { hint: mustEncrypt });
}

function describe(made: Manifest | null): RunEnd {
	if (made === null) return { outcome: 'ok', facts: { unchanged: true } };
	const { label, type, status, encryption, startedAt, finishedAt, ...manifest } = made;
	return {
		outcome: status === 'whole' ? 'ok' : 'degraded',
		label,
		facts: {
			...dataSize(manifest),
			type,
			seconds: (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000,
			encryption: encryption?.method ?? 'none',
			proved: encryption?.proved ?? false,
		},
	};
}

type LimitedRequest = BackupRequest & { limits: Limits };

/** Opens a source. One that does not let go of its opening is closed when it has done. */
async function openSource(source: Source, options: Parameters<Source['open']>[0]): Promise<OpenSource | null> {
	const { signal } = options;
	const opening = source.open(options);
	opening
		.then(async (late) => {
			if (signal.aborted) await late?.close();
		})
		// Of what is opened for nobody, nobody wants to know why it could not be closed.
		.catch(() => undefined);
	return await unlessAborted(opening, signal);
}

/** @returns null where the source has nothing new */
async function writeBackup(
	run: Run,
	lock: Lock,
	left: readonly string[],
	request: LimitedRequest,
): Promise<Manifest | null> {
	const { repository } = run;
	const { group, source, signal, limits, type: wanted = 'full' } = request;
	const { stallTimeoutMs } = limits;
	const newest = await readNewest(repository, group, signal);
	const keys = request.proveWith ?? null;
	const chosen = await chooseBase(
		group,
		wanted,
		{ kind: source.kind, encryption: request.encryption },
		{
			...{ repository, keys, signal, stallTimeoutMs },
			hostKey: request.hostKey,
		},
	);
	const { base, notes } = chosen;
	const readPrevious = async () =>
		newest &&
		(await readContents(newest.manifest, { repository, keys, hostKey: request.hostKey, signal, stallTimeoutMs }));
	const begun = await begin(newest?.manifest.label, chosen.type, signal);
	const { startedAt } = begun;
	const open = await openSource(source, {
		...{ signal, stallTimeoutMs, base, previous: newest?.manifest ?? null, readPrevious },
	});
	if (open === null) return null;
	const type = open.type ?? chosen.type;
	const label = type === chosen.type ? begun.label : createLabel(type, startedAt);
	try {
		let parts: StoredPart[];
		let facts: SourceFacts;
		try {
			const allowed = request.allowAnotherServer === true;
			notes.push(...assertSameServer(newest, open.server ?? null, { allowed }));
			parts = await storeParts(open, label, run, request);
			facts = await unlessAborted(open.finish(), signal);
		} finally {
			await within(CLOSE_MS, 'the source', async () => await open.close());
		}
		const lost = await lossesOf(repository, newest, { label, shrunk: facts.shrunk, signal });
		const warnings = [...left, ...notes, ...lost.now.map(lossText), ...facts.warnings];
		const manifest: Manifest = {
			format: FORMAT,
			program: PROGRAM,
			repository: repository.id!,
			group,
			label,
			type,
			parents: type === 'full' || base === null ? [] : [base.manifest.label, ...base.manifest.parents],
			status: facts.incomplete ? 'incomplete' : 'whole',
			startedAt: startedAt.toISOString(),
			finishedAt: new Date().toISOString(),
			source: { kind: source.kind, server: open.server ?? null, details: facts.details },
			codecs: request.encryption ? ['zstd', 'age'] : ['zstd'],
			encryption: request.encryption && (await describeEncryption(request.encryption, request, label, parts)),
			parts,
			previous: newest && { label: newest.manifest.label, sha256: newest.sha256 },
			warnings: [...lock.warnings, ...warnings],
			...(lost.all.length > 0 && { shrunk: lost.all }),
		};
		await publish(repository, lock, manifest, request);
		run.warn(...warnings, ...(facts.named ?? []));
		return manifest;
	} catch (error) {
		throw await withoutLeftovers(repository, group, label, error);
	}
}

/** So many labels are drawn until one sorts behind that of a backup of the same second. */
const MAX_DRAWS = 1000;

/**
 * Begins a backup: its time, and a label that sorts behind that of the newest one, for labels tell which is the newest, and their
 * times are in seconds. Within a chain, a second passes; between full backups another random suffix is enough, as a rule.
 * @param newest label of the newest backup
 */
async function begin(newest: string | undefined, type: BackupType, signal: AbortSignal) {
	const before = newest === undefined ? null : parseLabel(newest);
	const startedAt = new Date();
	const left = before === null ? 0 : before.startedAt.getTime() + 1000 - startedAt.getTime();
	const isSameSecond = left > 0 && left <= 1000;
	const isChain = before !== null && (before.type !== 'full' || type !== 'full');
	for (let draws = 0; draws < MAX_DRAWS && !(isSameSecond && isChain); draws++) {
		const label = createLabel(type, startedAt);
		if (!isSameSecond || label > newest!) return { startedAt, label };
	}
	// A timer may be early by a millisecond.
	await delay(left + 2, undefined, { signal });
	const later = new Date();
	return { startedAt: later, label: createLabel(type, later) };
}

/** Stores the parts one after the other, as the source gives them. */
async function storeParts(open: OpenSource, label: string, run: Run, request: LimitedRequest): Promise<StoredPart[]> {
	const { storage, group, encryption, hostKey, limits, protect, signal, onProgress } = request;
	const zstdLevel = request.zstdLevel ?? DEFAULT_ZSTD_LEVEL;
	const hostRecipient = await hostRecipientOf({ encryption, hostKey });
	const parts: StoredPart[] = [];
	const done = { originalBytes: 0, storedBytes: 0 };
	const remaining = open.parts()[Symbol.asyncIterator]();
	for (;;) {
		const next = remaining.next();
		// Of what comes when nobody waits for it any more, an error that nobody hears would end the process.
		next.then(
			({ value }) => (value as SourcePart | undefined)?.body.on('error', () => undefined),
			() => undefined,
		);
		const given = await unlessAborted(next, signal);
		if (given.done) return parts;
		const { role, name, body, recycle } = given.value;
		run.progress('storing', done.originalBytes);
		const stored = await storeStream({
			...{ storage, group, label, name, body, recycle, zstdLevel, limits, protect, signal },
			encryption: isForHost(role) ? withHost(encryption, hostRecipient) : encryption,
			onProgress: ({ originalBytes, storedBytes }) => {
				const progress = {
					originalBytes: done.originalBytes + originalBytes,
					storedBytes: done.storedBytes + storedBytes,
				};
				run.progress('storing', progress.originalBytes);
				onProgress?.(progress);
			},
		});
		parts.push({ role, ...stored });
		done.originalBytes += stored.original.bytes;
		done.storedBytes += stored.stored.bytes;
	}
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
	if (protect === undefined) return;
	const manifestKey = objectKey(group, label, MANIFEST);
	await storage.protection?.extend(manifestKey, protect);
	// Without its signature, it would be nobody's.
	if (repository.authority.key) await storage.protection?.extend(`${manifestKey}${SIGNATURE}`, protect);
}

/**
 * Everything the manifest will promise is there: whoever else tidies up in this storage was not faster.
 * @throws BackupError 'damaged'
 */
async function assertStored(storage: Storage, { group, label, parts }: Manifest): Promise<void> {
	for (const { name, stored } of parts) {
		const found = await storage.stat(objectKey(group, label, name));
		if (found?.size === stored.bytes) continue;
		throw new BackupError('damaged', `${storage.location}/${objectKey(group, label, name)} is gone, or was changed`, {
			hint: 'Somebody else removes or changes objects in this storage. Find out who, then run it again.',
		});
	}
}
