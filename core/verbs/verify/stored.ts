/** Depth "stored": every byte lies there as it was written. Needs no key. */
import { wayBack } from '../../records/deleted';
import { MANIFEST, objectKey } from '../../records/layout';
import { BackupError } from '../../base/errors';
import type { DecryptionKeys } from '../../codecs/age/age';
import type { Manifest, StoredStream } from '../../records/manifest';
import { digestStored } from '../../streams/pipeline';
import { type Repository } from '../../records/repository';
import { BadBackup, USE_ANOTHER } from './failure';

/** A backup under verification. */
export interface VerifiedBackup {
	repository: Repository;
	manifest: Manifest;
	/** The manifests of all that it needs, and its own, the last one. */
	chain: readonly Manifest[];
	keys: DecryptionKeys | null;
	/** Of reading from the storage, milliseconds. */
	stallTimeoutMs: number;
	/** Names of objects that were read whole just now, and were as they were stored. */
	alreadyRead: ReadonlySet<string>;
	signal: AbortSignal;
	onProgress: (phase: string, bytes: number, totalBytes: number) => void;
	warn: (text: string) => void;
}

/**
 * Compares sizes and digests with the manifest.
 * @throws BadBackup 'damaged', 'not-found'; BackupError of the storage
 */
export async function proveStored(subject: VerifiedBackup): Promise<void> {
	const { parts } = subject.manifest;
	const total = parts.reduce((sum, { stored }) => sum + stored.bytes, 0);
	let before = 0;
	for (const stream of parts) {
		await proveStream(subject, stream, (bytes) => subject.onProgress('stored', before + bytes, total));
		before += stream.stored.bytes;
	}
}

async function proveStream(
	subject: VerifiedBackup,
	stream: StoredStream,
	onProgress: (bytes: number) => void,
): Promise<void> {
	await assertSize(subject, stream);
	if (subject.alreadyRead.has(stream.name)) return;
	const first = await look(subject, stream, onProgress);
	if (first === null) return;
	// A byte may have changed on its way here: only what is wrong twice is wrong.
	const second = await look(subject, stream, onProgress);
	if (second !== null) throw second;
	subject.warn(`${stream.name} came wrong once and right once: look at the network, and at this machine’s memory`);
}

/** @throws BadBackup 'damaged', 'not-found' */
async function assertSize({ repository, manifest }: VerifiedBackup, { name, stored }: StoredStream): Promise<void> {
	const { storage } = repository;
	const { group, label } = manifest;
	const found = await storage.stat(objectKey(group, label, name));
	if (found?.size === stored.bytes) return;
	if (found) {
		throw new BadBackup('damaged', `${name} has ${found.size} bytes instead of ${stored.bytes}`, { hint: USE_ANOTHER });
	}
	if ((await storage.stat(objectKey(group, label, MANIFEST))) === null) {
		throw new BackupError('not-found', `${group}/${label} was removed while it was being verified`, {
			hint: 'Retention may have removed it. If not, look at the storage.',
		});
	}
	const back = await wayBack(storage, objectKey(group, label, name));
	throw new BadBackup('not-found', `${name} is missing`, { hint: back ?? USE_ANOTHER });
}

/** What is wrong with the bytes of an object, or null. */
async function look(
	{ repository, manifest, stallTimeoutMs, signal }: VerifiedBackup,
	{ name, stored }: StoredStream,
	onProgress: (bytes: number) => void,
): Promise<BadBackup | null> {
	const { group, label } = manifest;
	const found = await digestStored({
		storage: repository.storage,
		group,
		label,
		name,
		expectedBytes: stored.bytes,
		stallTimeoutMs,
		signal,
		onProgress,
	});
	if (found.sha256 === stored.sha256 && found.bytes === stored.bytes) return null;
	return new BadBackup('damaged', `${name} is not what was stored: its SHA-256 differs`, { hint: USE_ANOTHER });
}
