/** Makes one backup exist at a destination: what an interrupted copy left, what is missing, and the manifest last. */
import type { Look } from './look';
import { damagedAtSource, DIFFERS, isOfSource, missingAtSource, sendObject } from './object';
import type { SourceBackup } from '../chain';
import type { CopyProgress } from './types';
import { BackupError, isBackupError, afterTidying } from '../../base/errors';
import type { Limits } from '../../base/limits';
import type { Manifest, StoredStream } from '../../records/manifest';
import { digestStored } from '../../streams/pipeline';
import type { Repository } from '../../records/repository';
import { sizeText } from '../../base/size-text';
import { readText, writeText } from '../../records/small-objects';
import type { Protection } from '../../storage/storage';
import { isCompanion } from '../../records/catalog';
import { objectKey, EXPIRED, MANIFEST, SIGNATURE } from '../../records/layout';

export interface LabelCopy {
	from: Repository;
	to: Repository;
	backup: SourceBackup;
	limits: Limits;
	protect?: Protection;
	/** @throws BackupError 'locked' when the destination's lock was lost */
	assertHeld: () => Promise<void>;
	signal: AbortSignal;
	/** Bytes that lie at the destination, or that were read back there, of all. */
	onProgress: (phase: CopyProgress['phase'], bytes: number, totalBytes: number) => void;
	/** Called with the seconds that each reading back took. */
	onProved: (seconds: number) => void;
	/** Called with the bytes of each object that was sent. */
	onSent: (bytes: number) => void;
	warn: (text: string) => void;
}

/**
 * Copies a backup that the destination lacks. Only for the holder of the group's lock there. All data has been read back
 * there, and is what the manifest says, before the manifest makes it a backup. When it rejects before that, whole objects may
 * be left for the next attempt, but nothing of a source that is damaged; after it, what goes with the backup may be missing.
 * @throws BackupError
 */
export async function copyLabel(job: LabelCopy, look: Look): Promise<void> {
	const { to, backup, protect, signal } = job;
	try {
		const kept = await keepWhole(job, look);
		await sendStreams(job, kept);
		await job.assertHeld();
		await copySignature(job);
		await to.writeManifestText(backup.manifest, backup.text, { signal, protect });
	} catch (error) {
		if (!isOfSource(error)) throw error;
		throw await withoutTraces(job, error, look);
	}
	// After the manifest: evidence and tags say that there was a backup.
	await copyCompanions(job, look.companions);
}

/** Before the manifest, as at the source: what exists is signed, if it was. */
async function copySignature({ from, to, backup, protect, signal }: LabelCopy): Promise<void> {
	const { group, label } = backup.manifest;
	const key = objectKey(group, label, `${MANIFEST}${SIGNATURE}`);
	if (!(await from.storage.stat(key))) return;
	await writeText(to.storage, key, await readText(from.storage, key, signal), { signal, protect });
}

/** What goes with a backup besides its data: evidence and tags, to the letter. It stays without protection, as at the source. */
export async function copyCompanions({ from, to, backup, signal, warn }: LabelCopy, names: readonly string[]) {
	const { group, label } = backup.manifest;
	for (const name of names) {
		const key = objectKey(group, label, name);
		try {
			await writeText(to.storage, key, await readText(from.storage, key, signal), { signal });
		} catch (error) {
			// Gone meanwhile, or no file of ours: the backup itself must not wait for it.
			if (!isBackupError(error, 'not-found', 'damaged')) throw error;
			warn(`${name} was not copied: ${error.message}`);
		}
	}
}

/**
 * Keeps the objects that an interrupted copy sent whole, and what a copy that lost its manifest has beside its data; removes all
 * else of this label. @returns names of the whole ones
 */
async function keepWhole(job: LabelCopy, { there }: Look): Promise<Set<string>> {
	const { to, backup } = job;
	const { group, label } = backup.manifest;
	const kept = new Set<string>();
	// After the mark of an expiry, all that lies there is to be removed; what is to come must not carry the mark.
	if (there.has(EXPIRED)) await to.removeLeftover({ group, label });
	else {
		for (const [name, { key, size }] of there) {
			const stream = backup.manifest.parts.find((each) => each.name === name);
			if (stream?.stored.bytes === size && (await isAsStored(job, to, stream))) kept.add(name);
			else if (!isCompanion(name)) await to.storage.remove(key);
		}
	}
	await to.storage.removeUnfinished(`${group}/${label}/`);
	return kept;
}

async function sendStreams(job: LabelCopy, kept: ReadonlySet<string>): Promise<void> {
	const streams = job.backup.manifest.parts;
	const sum = (some: readonly StoredStream[]) => some.reduce((bytes, { stored }) => bytes + stored.bytes, 0);
	const missing = streams.filter(({ name }) => !kept.has(name));
	await assertSpace(job, sum(missing));
	const total = sum(streams);
	let done = total - sum(missing);
	for (const stream of missing) {
		await send(job, stream, (phase, bytes) => job.onProgress(phase, done + bytes, total));
		done += stream.stored.bytes;
		job.onSent(stream.stored.bytes);
		job.onProgress('copying', done, total);
	}
}

type OnBytes = (phase: CopyProgress['phase'], bytes: number) => void;

/** Sends an object and reads it back. A byte may have changed on its way: only what is wrong twice is wrong. */
async function send(job: LabelCopy, stream: StoredStream, onProgress: OnBytes): Promise<void> {
	const { from, to, backup, limits, protect, signal } = job;
	const { name, stored } = stream;
	const key = objectKey(backup.manifest.group, backup.manifest.label, name);
	const attempt = async () => {
		const onSent = (bytes: number) => onProgress('copying', bytes);
		await sendObject({ from: from.storage, to: to.storage, key, stored, limits, protect, signal, onProgress: onSent });
		if (await isAsStored(job, to, stream, (bytes) => onProgress('verifying', bytes))) return;
		const left = await removeObject(to, key);
		await assertSource(job, stream);
		throw new BackupError('damaged', `${to.storage.location}/${key} was not kept as it was sent: its SHA-256 differs`, {
			hint: left === null ? DOUBT : `${DOUBT} The object could not be removed (${left}).`,
			details: { isLeft: left !== null },
		});
	};
	try {
		return await attempt();
	} catch (error) {
		if (!isBackupError(error, 'damaged') || error.details?.isLeft) throw error;
	}
	await attempt();
	job.warn(`${name} came wrong once and right once: look at the network, and at this machine’s memory`);
}

/** @returns why it is still there, such as a lock; null when it is gone */
async function removeObject({ storage }: Repository, key: string): Promise<string | null> {
	try {
		await storage.remove(key);
		return null;
	} catch (error) {
		if (!isBackupError(error)) throw error;
		return error.message;
	}
}

/** What to think of a storage that changes what it was given. */
export const DOUBT = 'The storage changes or loses bytes without saying so. Do not trust it before you know why.';

/** @throws BackupError 'damaged', 'not-found' of the source */
async function assertSource(job: LabelCopy, stream: StoredStream): Promise<void> {
	const { group, label } = job.backup.manifest;
	const place = `${job.from.storage.location}/${objectKey(group, label, stream.name)}`;
	try {
		if ((await isAsStored(job, job.from, stream)) || (await isAsStored(job, job.from, stream))) return;
	} catch (error) {
		throw isBackupError(error, 'not-found') ? missingAtSource(place, error) : error;
	}
	throw damagedAtSource(place, DIFFERS);
}

/** Whether an object is what the manifest says, where it lies. */
async function isAsStored(
	{ backup, limits, signal, onProved }: LabelCopy,
	{ storage }: Repository,
	{ name, stored }: StoredStream,
	onProgress?: (bytes: number) => void,
): Promise<boolean> {
	const { group, label } = backup.manifest;
	const { stallTimeoutMs } = limits;
	const started = performance.now();
	const expectedBytes = stored.bytes;
	const found = await digestStored({ storage, group, label, name, expectedBytes, stallTimeoutMs, signal, onProgress });
	onProved((performance.now() - started) / 1000);
	return found.bytes === stored.bytes && found.sha256 === stored.sha256;
}

/** Rather before the first byte than after the last one that fits. Where the storage cannot know, its own error will tell. */
async function assertSpace({ to: { storage } }: LabelCopy, needed: number): Promise<void> {
	const space = await storage.space();
	if (!space || space.free >= needed) return;
	throw new BackupError(
		'storage-full',
		`${storage.location} has ${sizeText(space.free)} left, and ${sizeText(needed)} are to be copied`,
		{ hint: 'Make room there, let retention remove old copies, or choose another storage.' },
	);
}

/** Leaves nothing at the destination of a backup that cannot be copied. The error to throw is that of the source. */
async function withoutTraces(job: LabelCopy, error: BackupError, { there }: Look): Promise<unknown> {
	const { manifest } = job.backup;
	const said = await removedMeanwhile(job, manifest, error);
	// It was a backup before, and only its manifest is lost.
	if ([...there.keys()].some(isCompanion)) return said;
	const tidy = async () => {
		await job.assertHeld();
		await job.to.removeLeftover(manifest);
	};
	return await afterTidying(
		said,
		tidy,
		(why) => `What was copied of it is still there (${why}); prune removes it later.`,
	);
}

/** An object can be missing because somebody removed the whole backup: then it is not damaged. */
async function removedMeanwhile(
	{ from: { storage } }: LabelCopy,
	{ group, label }: Manifest,
	error: BackupError,
): Promise<BackupError> {
	if (error.code !== 'not-found' || (await storage.stat(objectKey(group, label, MANIFEST)))) return error;
	return new BackupError('not-found', `${group}/${label} was removed from ${storage.location} while it was copied`, {
		hint: 'Somebody removed it without minding that it was being read. Copy another backup.',
		cause: error,
	});
}
