/**
 * Writing one object to a bucket: one request when it fits into one part, else parts in parallel.
 *
 * Requests are repeated here, against the rule that storages leave that to RetryingStorage: a part's bytes are in memory
 * only here, and nobody else could send them again.
 */
import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { BackupError, isBackupError } from '../../base/errors';
import { retry } from '../../base/retry';
import { classHeaders } from './at-rest';
import type { S3Bucket } from './bucket';
import { protecting } from './object-lock';
import { intoParts, partSizeOf, PartMemory, type Part } from './part';
import { assertFree, LAST_REQUESTS, ownObject, verified, type UploadedVersion, type Stored } from './stored';
import { UploadOptions } from './upload-options';

/**
 * @param bytes errors of it pass through as they are
 * @throws BackupError 'already-exists', 'damaged', and what the requests end with
 */
export async function upload(
	bucket: S3Bucket,
	name: string,
	bytes: AsyncIterable<Uint8Array>,
	options: UploadOptions,
): Promise<Stored> {
	const { partSize, maxParts, uniformParts, concurrency } = options;
	const memory = options.memory ?? new PartMemory((concurrency + 1) * partSize);
	const capacityOf = (number: number) => {
		if (number > maxParts) throw tooManyParts(bucket, name, options);
		return uniformParts ? partSize : partSizeOf(number, partSize, maxParts);
	};
	if (options.protect) await retry(() => options.lock.assertOn(), options.retry, options.signal);
	if (!options.isWatched) await assertFree(bucket, name, options);
	const parts = intoParts(bytes, capacityOf, memory, options.onMoved);
	const first = await parts.next();
	if (first.done) throw new BackupError('incomplete', 'the stream to store gave nothing, not even its end');
	let second: IteratorResult<Part, void>;
	try {
		second = await parts.next();
	} catch (error) {
		first.value.release();
		throw error;
	}
	if (second.done) return await uploadWhole(bucket, name, first.value, options);
	return await new MultipartUpload(bucket, name, options).run([first.value, second.value], parts);
}

async function uploadWhole(bucket: S3Bucket, name: string, part: Part, options: UploadOptions): Promise<Stored> {
	const { signal, onProgress } = options;
	const expected = { size: part.size, etag: part.md5.toString('hex') };
	let made: UploadedVersion;
	try {
		made = await retry(
			async (attempt) => {
				try {
					const versionId = await bucket.put(name, part, headersOf(options, part.size), signal);
					return { versionId, isRepeated: attempt > 1 };
				} catch (error) {
					if (attempt === 1 || !isBackupError(error, 'already-exists')) throw error;
					// An earlier attempt got through, and only its answer was lost.
					return await ownObject(bucket, name, expected, error);
				}
			},
			options.retry,
			signal,
		);
	} finally {
		part.release();
	}
	const unseen = { name, size: expected.size, modifiedAt: new Date(NaN) };
	const object = options.isWatched ? unseen : await verified(bucket, name, expected, options, made);
	onProgress?.(object.size);
	return object;
}

class MultipartUpload {
	readonly #etags: string[] = [];
	readonly #running = new Set<Promise<void>>();
	readonly #stop = new AbortController();
	readonly #signal: AbortSignal;
	#failure: { error: unknown } | undefined;
	#size = 0;
	#sent = 0;

	constructor(
		private readonly bucket: S3Bucket,
		private readonly name: string,
		private readonly options: UploadOptions,
	) {
		this.#signal = options.signal ? AbortSignal.any([options.signal, this.#stop.signal]) : this.#stop.signal;
		// Each part in flight listens, with its request and with its pause: no leak, although more than Node expects.
		setMaxListeners(10 + 2 * options.concurrency, this.#signal);
	}

	async run(first: Part[], rest: AsyncGenerator<Part, void>): Promise<Stored> {
		const { bucket, name, options } = this;
		let uploadId: string | undefined;
		let versionId: string | undefined;
		try {
			uploadId = await this.#initiate(first);
			for (const part of first) this.#start(uploadId, part);
			// Reading on waits for the producer. A part that failed meanwhile ends the reading as well.
			for await (const part of this.#untilFailure(rest)) this.#start(uploadId, part);
			await Promise.all(this.#running);
			if (this.#failure) throw this.#failure.error;
			await assertFree(bucket, name, options);
			versionId = await this.#complete(uploadId);
		} catch (error) {
			// What the parts still say after this is only that they were stopped.
			const reason = this.#failure?.error ?? error;
			this.#stop.abort(reason);
			// A part that arrives after the upload was given up would stay for ever.
			await Promise.all(this.#running);
			if (uploadId !== undefined) await this.#giveUp(uploadId, reason);
			throw reason;
		}
		return await verified(bucket, name, { size: this.#size, etag: this.#etag }, options, { versionId });
	}

	async #initiate(parts: Part[]): Promise<string> {
		try {
			const size = parts.reduce((sum, part) => sum + part.size, 0);
			const initiate = () => this.bucket.initiate(this.name, headersOf(this.options, size), this.#signal);
			return await retry(initiate, this.options.retry, this.#signal);
		} catch (error) {
			for (const part of parts) part.release();
			throw error;
		}
	}

	/** Never rejects: the first failure is kept, and stops everything else. */
	#start(uploadId: string, part: Part): void {
		const sending = this.#sendPart(uploadId, part)
			.catch((error: unknown) => {
				this.#failure ??= { error };
				this.#stop.abort(error);
			})
			.finally(() => {
				part.release();
				this.#running.delete(sending);
			});
		this.#running.add(sending);
	}

	async #sendPart(uploadId: string, part: Part): Promise<void> {
		this.#size += part.size;
		const put = () => this.bucket.putPart(this.name, uploadId, part, this.#signal);
		this.#etags[part.number - 1] = await retry(put, this.options.retry, this.#signal);
		this.#sent += part.size;
		this.options.onProgress?.(this.#sent);
	}

	/** The parts that follow; fails at once when one that is being sent fails. */
	async *#untilFailure(parts: AsyncGenerator<Part, void>): AsyncGenerator<Part> {
		const failed = new Promise<null>((resolve) => {
			this.#stop.signal.addEventListener('abort', () => resolve(null), { once: true });
		});
		while (!this.#failure) {
			const next = parts.next();
			const result = await Promise.race([next, failed]);
			if (result === null) {
				// The part being filled, should it still come, belongs to nobody; an error of the body comes second.
				void next.then(({ value }) => value?.release()).catch(() => undefined);
			} else if (result.done) {
				return;
			} else {
				yield result.value;
			}
		}
		throw this.#failure.error;
	}

	async #complete(uploadId: string): Promise<string | undefined> {
		const { bucket, name } = this;
		try {
			// Without the signal: a request to join the parts cannot be taken back.
			return await retry(() => bucket.complete(name, uploadId, this.#etags), this.options.retry);
		} catch (error) {
			return (await ownObject(bucket, name, { size: this.#size, etag: this.#etag }, error)).versionId;
		}
	}

	async #giveUp(uploadId: string, reason: unknown): Promise<void> {
		try {
			await retry(() => this.bucket.abort({ name: this.name, uploadId }), LAST_REQUESTS);
		} catch (error) {
			// The server is gone or refuses: the first reason counts, and removeUnfinished will find the upload.
			if (!isBackupError(error)) throw new AggregateError([reason, error]);
		}
	}

	/** Amazon's rule for an object of several parts: the MD5 of their MD5s, and their number. */
	get #etag(): string {
		const digests = this.#etags.map((etag) => Buffer.from(etag, 'hex'));
		return `${createHash('md5').update(Buffer.concat(digests)).digest('hex')}-${digests.length}`;
	}
}

/** @param size bytes of the object that are known by now */
function headersOf({ protect, storageClass }: UploadOptions, size: number): Record<string, string> {
	return { ...classHeaders(storageClass, size), ...(protect && protecting(protect)) };
}

function tooManyParts(bucket: S3Bucket, name: string, { maxParts }: UploadOptions): BackupError {
	return new BackupError('unsupported', `s3://${bucket.bucket}/${name} does not fit into ${maxParts} parts`, {
		hint: 'Set a larger part size for this storage.',
	});
}
