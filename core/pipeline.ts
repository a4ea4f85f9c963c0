/**
 * How bytes travel: source → digest → zstd → age → digest → storage, and back. The only place that joins streams.
 * A stored stream is proof that the source ended well and that every byte of it lies in storage.
 */
import type { Readable } from 'node:stream';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { abortError, BackupError } from './errors';
import { ageDecrypt, ageEncrypt, type DecryptionKeys, type Encryption } from './filters/age';
import { createDigest } from './filters/digest';
import { zstdCompress, zstdDecompress } from './filters/zstd';
import type { StoredStream } from './manifest';
import { objectKey } from './repository';
import type { Storage } from './storage/storage';

export interface Limits {
	/** Stop when no byte moves for this long, milliseconds. */
	stallTimeoutMs: number;
	/** Stop when it takes longer than this, milliseconds. */
	hardTimeoutMs: number;
	/** Read the source no faster than this; no limit when absent. */
	bytesPerSecond?: number;
}

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
	/** null stores in the clear. */
	encryption: Encryption | null;
	/** 1 (fastest) to 19 (smallest). */
	zstdLevel: number;
	limits: Limits;
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
	const abort = new AbortController();
	const aborted = new Promise<void>((resolve) => abort.signal.addEventListener('abort', () => resolve()));
	let failure: Error | undefined;
	const fail = (error: unknown) => {
		failure ??= error instanceof Error ? error : new Error(String(error));
		abort.abort(failure);
	};
	const onCancel = () => fail(abortError(request.signal));
	if (request.signal.aborted) onCancel();
	request.signal.addEventListener('abort', onCancel, { once: true });

	const original = createDigest('blake2b512');
	const stored = createDigest('sha256');
	let storedBytes = 0;
	const name = `${request.name}${codecExtension(encryption !== null)}`;
	const watch = watchProgress(limits, fail, () => {
		request.onProgress?.({ originalBytes: original.bytes, storedBytes });
		return {
			moved: original.bytes + stored.bytes + storedBytes,
			waitingFor: stored.readableLength > 0 ? `storage ${storage.location}` : 'source',
		};
	});
	try {
		abort.signal.throwIfAborted();
		const filters: Transform[] = [
			...(limits.bytesPerSecond ? [throttle(limits.bytesPerSecond, abort.signal)] : []),
			original,
			zstdCompress({ level: request.zstdLevel, ownsChunks: true }),
			...(encryption ? [await ageEncrypt(encryption)] : []),
			stored,
		];
		const flow = pipeline([body, ...filters], { signal: abort.signal }).catch(fail);
		const written = storage
			.write(objectKey(request.group, request.label, name), stored, {
				signal: abort.signal,
				onProgress: (bytes) => {
					storedBytes = bytes;
				},
			})
			.catch(fail);
		// A source that does not let go must not hold up the failure; whoever opened it closes it.
		await Promise.race([flow, aborted]);
		const object = await written;
		if (failure !== undefined) throw failure;
		const result = {
			name,
			original: { bytes: original.result().bytes, blake2b512: original.result().hex },
			stored: { bytes: stored.result().bytes, sha256: stored.result().hex },
		};
		if (object?.size !== result.stored.bytes) {
			await storage.remove(objectKey(request.group, request.label, name));
			throw new BackupError('damaged', `${storage.location} kept ${object?.size} of ${result.stored.bytes} bytes`, {
				hint: 'The storage lost bytes without saying so. Do not trust it before you know why.',
			});
		}
		return result;
	} catch (error) {
		body.destroy();
		throw failure ?? error;
	} finally {
		watch.stop();
		request.signal.removeEventListener('abort', onCancel);
	}
}

/** Ends the run when nothing moves, or when it takes too long. */
function watchProgress(
	limits: Limits,
	fail: (error: unknown) => void,
	look: () => { moved: number; waitingFor: string },
): { stop(): void } {
	let last = { moved: 0, at: performance.now() };
	const stall = setInterval(
		() => {
			const { moved, waitingFor } = look();
			if (moved !== last.moved) last = { moved, at: performance.now() };
			else if (performance.now() - last.at >= limits.stallTimeoutMs) {
				fail(
					new BackupError(
						'stalled',
						`nothing moved for ${seconds(limits.stallTimeoutMs)}; waiting for the ${waitingFor}`,
						{
							hint: 'Check the network and the load of both sides. If such pauses are normal here, raise the stall timeout.',
						},
					),
				);
			}
		},
		Math.min(1000, limits.stallTimeoutMs / 4),
	);
	const hard = sleepUntil(limits.hardTimeoutMs, () =>
		fail(
			new BackupError('timed-out', `not done within ${seconds(limits.hardTimeoutMs)}`, {
				hint: 'Raise the maximum duration, or back up less at once.',
			}),
		),
	);
	return {
		stop() {
			clearInterval(stall);
			hard.abort();
		},
	};
}

/** A timer that may be longer than the 24.8 days of setTimeout. */
function sleepUntil(ms: number, then: () => void): AbortController {
	const stop = new AbortController();
	const MAX = 2 ** 31 - 1;
	void (async () => {
		for (let left = ms; left > 0; left -= MAX) await sleep(Math.min(left, MAX), undefined, { signal: stop.signal });
		then();
	})().catch((error: unknown) => {
		if (!stop.signal.aborted) throw error;
	});
	return stop;
}

function seconds(ms: number): string {
	return ms < 120_000 ? `${Math.round(ms / 1000)} seconds` : `${Math.round(ms / 60_000)} minutes`;
}

/** Lets bytes pass at a steady rate: sleeps as soon as it is ahead of time. */
function throttle(bytesPerSecond: number, signal: AbortSignal): Transform {
	const start = performance.now();
	let passed = 0;
	return new Transform({
		transform(chunk: Buffer, _encoding, done) {
			passed += chunk.length;
			const aheadMs = (passed / bytesPerSecond) * 1000 - (performance.now() - start);
			if (aheadMs < 5) return done(null, chunk);
			sleep(aheadMs, undefined, { signal }).then(
				() => done(null, chunk),
				(error: Error) => done(error),
			);
		},
	});
}

export interface OpenRequest {
	storage: Storage;
	group: string;
	label: string;
	stream: StoredStream;
	/** null for a backup that is not encrypted. */
	keys: DecryptionKeys | null;
	signal: AbortSignal;
}

/**
 * The original bytes of a stored stream. The stream ends only when every byte came back as it was stored: both digests
 * and lengths are compared, anything else errors it.
 * @throws BackupError 'not-found'; the stream errors with 'wrong-identity', 'damaged', …
 */
export async function openStream(request: OpenRequest): Promise<Readable> {
	const { storage, stream } = request;
	const key = objectKey(request.group, request.label, stream.name);
	const where = `${storage.location}/${key}`;
	const body = await storage.read(key, { signal: request.signal });
	const stored = createDigest('sha256');
	const original = createDigest('blake2b512');
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
	});
	const filters = [
		stored,
		...(request.keys ? [ageDecrypt(request.keys)] : []),
		zstdDecompress({ requireSeekTable: true }),
		original,
		compare,
	];
	// The reader sees every failure as an error of `compare`.
	pipeline([body, ...filters], { signal: request.signal }).catch((error: Error) => compare.destroy(error));
	return compare;
}
