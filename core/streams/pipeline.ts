/**
 * How bytes travel: source → digest → zstd → age → digest → storage, and back. The only place that joins streams.
 * A stored stream is proof that the source ended well and that every byte of it lies in storage.
 */
import type { Readable } from 'node:stream';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { unlessAborted } from '../base/deadline';
import { about, abortError, BackupError, isBackupError } from '../base/errors';
import { ageDecrypt, ageEncrypt, type DecryptionKeys, type Encryption } from '../codecs/age/age';
import { createDigest, startHashing } from '../codecs/digest/digest';
import { freeChunk, zstdCompress, zstdDecompress } from '../codecs/zstd/zstd';
import { type Limits, throttle, watchStall } from '../base/limits';
import { guardedFlow } from './guarded-flow';
import type { StoredStream } from '../records/manifest';
import { objectKey } from '../records/layout';
import type { Protection, Storage } from '../storage/storage';

export type { Limits } from '../base/limits';

export interface Progress {
	/** Bytes the source gave so far. */
	originalBytes: number;
	/** Bytes safe in storage so far. */
	storedBytes: number;
}

export interface StoreRequest {
	storage: Storage;
	group: string;
	label: string;
	/** The object's name without the extensions of the codecs, e.g. `dump.sql`. */
	name: string;
	/** Its chunks are taken over: see `OpenSource` in source.ts. */
	body: Readable;
	/** Takes each chunk back; their memory is freed when absent. */
	recycle?: (chunk: Buffer) => void;
	/** null stores in the clear. */
	encryption: Encryption | null;
	/** 1 (fastest) to 19 (smallest). */
	zstdLevel: number;
	limits: Limits;
	/** Keeps the object from being removed. */
	protect?: Protection;
	signal: AbortSignal;
	/** Called about once a second. */
	onProgress?: (progress: Progress) => void;
}

/** Extension of a stored stream: what to undo, from right to left, to get the original. */
export function codecExtension(encrypted: boolean): string {
	return encrypted ? '.zst.age' : '.zst';
}

/**
 * Stores a stream. When it resolves, the body ended well and the object is whole; when it rejects, nothing is left.
 * @throws BackupError of the source, of the storage, 'stalled', 'timed-out', 'cancelled'
 */
export async function storeStream(request: StoreRequest): Promise<StoredStream> {
	const { storage, body, limits, encryption } = request;
	// Before the first await: an error of the source that nobody listens to would end the whole process.
	let fail = (error: unknown): void => void (early ??= error);
	let early: unknown;
	body.on('error', (error) => fail(error));
	const original = createDigest('blake2b512');
	const stored = createDigest('sha256');
	const name = `${request.name}${codecExtension(encryption !== null)}`;
	try {
		await guardedFlow(
			{
				to: storage,
				key: objectKey(request.group, request.label, name),
				protect: request.protect,
				limits,
				advice: 'back up less at once',
				signal: request.signal,
				look: (storedBytes) => {
					request.onProgress?.({ originalBytes: original.bytes, storedBytes });
					const isThrough = stored.readableLength > 0 || stored.writableFinished;
					const waitingFor = isThrough ? `storage ${storage.location}` : 'source';
					return { moved: original.bytes + stored.bytes, waitingFor };
				},
				expected: () => stored.result().bytes,
			},
			async (guard) => {
				if (early !== undefined) guard.fail(early);
				fail = guard.fail;
				const { signal } = guard;
				signal.throwIfAborted();
				// The work of a passphrase takes a second, in which anything can fail.
				const encrypt = encryption ? [await unlessAborted(ageEncrypt(encryption), signal)] : [];
				const filters: Transform[] = [
					...(limits.bytesPerSecond ? [throttle(limits.bytesPerSecond, signal)] : []),
					original,
					zstdCompress({ level: request.zstdLevel, release: request.recycle ?? freeChunk }),
					...encrypt,
					stored,
				];
				return { last: stored, flowing: pipeline([body, ...filters], { signal }) };
			},
		);
	} catch (error) {
		body.destroy();
		throw error;
	}
	return {
		name,
		original: { bytes: original.result().bytes, blake2b512: original.result().hex },
		stored: { bytes: stored.result().bytes, sha256: stored.result().hex },
	};
}

export interface OpenRequest {
	storage: Storage;
	group: string;
	label: string;
	stream: StoredStream;
	/** null for a backup that is not encrypted. */
	keys: DecryptionKeys | null;
	signal: AbortSignal;
	/** Error the stream when the storage gives nothing for this long, milliseconds; wait for ever when absent. */
	stallTimeoutMs?: number;
	/** Called about once a second with the original bytes so far; needs `stallTimeoutMs`. */
	onProgress?: (bytes: number) => void;
}

/**
 * The original bytes of a stored stream. The stream ends only when every byte came back as it was stored: both digests
 * and lengths are compared, anything else errors it.
 * @throws BackupError 'not-found'; the stream errors with 'wrong-identity', 'damaged', 'stalled', the signal's reason, …
 */
export async function openStream(request: OpenRequest): Promise<Readable> {
	const { storage, stream, signal, stallTimeoutMs, onProgress } = request;
	const key = objectKey(request.group, request.label, stream.name);
	const where = `${storage.location}/${key}`;
	const stop = new AbortController();
	const stored = createDigest('sha256', stream.stored.bytes);
	const original = createDigest('blake2b512', stream.original.bytes);
	const compare = new Transform({
		transform: (chunk, _encoding, done) => done(null, chunk),
		flush(done) {
			const different =
				stored.result().hex !== stream.stored.sha256 || original.result().hex !== stream.original.blake2b512;
			done(
				different
					? new BackupError('damaged', `${where} is not what was stored`, {
							hint: 'The object was changed or damaged in the storage. Use another backup.',
						})
					: null,
			);
		},
		// Whichever filter fails, the pipeline destroys this one with the error as it is: here is the last place to say of what.
		destroy: (error, done) => done(error && named(where, error)),
	});
	const filters = [
		stored,
		...(request.keys ? [ageDecrypt(request.keys)] : []),
		zstdDecompress({ requireSeekTable: true }),
		original,
		compare,
	];
	let giveUp = (error: Error) => stop.abort(error);
	const stall =
		stallTimeoutMs === undefined
			? null
			: watchStall(
					stallTimeoutMs,
					(error) => giveUp(error),
					() => {
						onProgress?.(original.bytes);
						const waitingFor = compare.readableLength > 0 ? null : `storage ${storage.location}`;
						return { moved: stored.bytes + original.bytes, waitingFor };
					},
				);
	let body: Readable;
	try {
		body = await opened(storage, key, AbortSignal.any([signal, stop.signal]));
	} catch (error) {
		stall?.stop();
		throw error;
	}
	// From now on, the reader sees every failure as an error of `compare`, also one from before it began to read.
	compare.on('error', () => undefined);
	giveUp = (error) => compare.destroy(error);
	pipeline([body, ...filters]).catch((error: Error) => compare.destroy(error));
	const onAbort = () => compare.destroy(abortError(signal));
	if (signal.aborted) onAbort();
	signal.addEventListener('abort', onAbort, { once: true });
	compare.once('close', () => {
		// A storage that hangs hears of it, even if its stream cannot be destroyed before it answers.
		stop.abort();
		signal.removeEventListener('abort', onAbort);
		stall?.stop();
	});
	return compare;
}

/** Puts the object's name to what is wrong with its bytes: a filter sees nothing else. */
export function named<E>(where: string, error: E): E | BackupError {
	if (!isBackupError(error, 'damaged', 'wrong-identity', 'unsupported')) return error;
	const told = about(where, error) as BackupError;
	return told.code === 'damaged' && !told.hint ? told.withHint(DAMAGED) : told;
}

const DAMAGED =
	'The object was changed or damaged in the storage. Use another backup: a verification says which ones are sound.';

/** Begins to read. A storage that does not let go must not hold up the failure; what it gives later is destroyed. */
export async function opened(
	storage: Storage,
	key: string,
	signal: AbortSignal,
	range: { start?: number; length?: number } = {},
): Promise<Readable> {
	const reading = storage.read(key, { ...range, signal });
	reading
		.then((body) => {
			// Whatever it says before somebody reads it is heard by the reader, who finds it broken.
			body.on('error', () => undefined);
			if (signal.aborted) body.destroy();
		})
		.catch(() => undefined);
	return await unlessAborted(reading, signal);
}

export interface DigestRequest {
	storage: Storage;
	group: string;
	label: string;
	/** The object's name. */
	name: string;
	/** About how many bytes it has. */
	expectedBytes: number;
	stallTimeoutMs: number;
	signal: AbortSignal;
	/** Called about once a second with the bytes so far. */
	onProgress?: (bytes: number) => void;
}

/**
 * Size and SHA-256 of an object as it lies in storage. Nothing else is done with its bytes.
 * @throws BackupError 'not-found', 'stalled', those of the storage
 */
export async function digestStored(request: DigestRequest): Promise<{ bytes: number; sha256: string }> {
	const { storage, onProgress } = request;
	const stop = new AbortController();
	const signal = AbortSignal.any([request.signal, stop.signal]);
	const hashing = startHashing('sha256', request.expectedBytes);
	let bytes = 0;
	const stall = watchStall(
		request.stallTimeoutMs,
		(error) => stop.abort(error),
		() => {
			onProgress?.(bytes);
			return { moved: bytes, waitingFor: `storage ${storage.location}` };
		},
	);
	try {
		const body = await opened(storage, objectKey(request.group, request.label, request.name), signal);
		const count = async () => {
			for await (const chunk of body as AsyncIterable<Buffer>) {
				bytes += chunk.length;
				await hashing.update(chunk);
			}
			return { bytes, sha256: await hashing.digest() };
		};
		// A storage that does not let go must not hold up the failure.
		return await unlessAborted(count(), signal);
	} finally {
		hashing.stop();
		stall.stop();
		stop.abort();
	}
}
