/** Objects in a bucket of Amazon S3 or of any server that speaks its protocol. */
import { Readable } from 'node:stream';
import { abortError, BackupError, isBackupError } from '../../base/errors';
import { DEFAULT_RETRY, type RetryPolicy } from '../../base/retry';
import { takeBody } from '../body';
import { assertRange, exactly } from '../exact';
import { assertKey, assertPrefix, isKey } from '../key';
import { assertRemovable } from '../append-only';
import { assertProtection } from '../protection';
import { type AtRest, assertStorageClass, encryptionHeaders } from './at-rest';
import { ObjectLock } from './object-lock';
import { S3Versions } from './versions';
import { S3Bucket } from './bucket';
import { type S3Object } from './listing';
import { askOnlyIfAbsent } from './ask-only-if-absent';
import { CreateOnly } from './create-only';
import { S3Connection, type S3ConnectionOptions } from './connection';
import { s3Error } from './errors';
import { hasMarkers, pageOfObjects, unfinishedUploads, type UnfinishedUpload } from './listing';
import type { PartMemory } from './part';
import type {
	CallOptions,
	OnlyIfAbsent,
	Protecting,
	ReadOptions,
	Storage,
	StoredObject,
	Unfinished,
	WriteOptions,
} from '../storage';
import { upload } from './upload';
import { type UploadOptions } from './upload-options';

export interface S3Options extends S3ConnectionOptions, AtRest {
	bucket: string;
	/** Path inside the bucket. */
	prefix?: string;
	/** Bytes of the first parts, 5 MiB to 5 GiB. Also the largest object that is written in one request. @default 8 MiB, for R2 64 MiB */
	partSize?: number;
	/** Some providers allow 1,000. @default 10_000 */
	maxParts?: number;
	/** Parts sent at the same time. An upload holds one more in memory. @default 4 */
	concurrency?: number;
	/** Keeps all parts as large as the first; Cloudflare R2 demands it. @default true for R2, else false */
	uniformParts?: boolean;
	/** The keys may not delete: see {@link Storage.appendOnly}. @default false */
	appendOnly?: boolean;
	/** For the requests of one `write`. */
	retry?: RetryPolicy;
	/** Takes the place of each upload's own memory, to watch it. */
	memory?: PartMemory;
}

const MIB = 1024 * 1024;

export class S3Storage implements Storage {
	readonly location: string;
	readonly protection: Protecting;
	readonly appendOnly: boolean;
	readonly #bucket: S3Bucket;
	readonly #connection: S3Connection;
	readonly #versions: S3Versions;
	/** With a '/' at the end, or empty. */
	readonly #prefix: string;
	readonly #upload: UploadOptions;
	readonly #options: S3Options;

	/** @throws BackupError 'invalid-input' */
	constructor(options: S3Options) {
		const prefix = (options.prefix ?? '').replace(/^\/+|\/+$/g, '');
		assertPrefix(prefix);
		assertBucket(options.bucket);
		this.#options = options;
		this.appendOnly = options.appendOnly ?? false;
		this.location = `s3://${options.bucket}${prefix && `/${prefix}`}`;
		this.#prefix = prefix && `${prefix}/`;
		this.#connection = new S3Connection(options);
		this.#bucket = new S3Bucket(this.#connection, options.bucket, new CreateOnly(), encryptionHeaders(options));
		const lock = new ObjectLock(this.#bucket, this.location);
		this.#versions = new S3Versions(this.#bucket, lock);
		this.protection = {
			extend: async (key, wanted) => await lock.extend(this.#name(key), wanted),
			until: async (key) => await lock.until(this.#name(key)),
		};
		this.#upload = {
			...uploadSettings(options),
			lock,
			retry: options.retry ?? DEFAULT_RETRY,
			memory: options.memory,
		};
	}

	async write(key: string, body: Readable, options: WriteOptions = {}): Promise<StoredObject> {
		const bytes = takeBody(body, options.signal);
		try {
			const name = this.#name(key);
			if (options.protect) assertProtection(options.protect);
			return this.#facts(await upload(this.#bucket, name, bytes, { ...this.#upload, ...options }));
		} finally {
			bytes.discard();
		}
	}

	async read(key: string, options: ReadOptions = {}): Promise<Readable> {
		assertKey(key);
		assertRange(options);
		const { signal, start = 0, length } = options;
		if (signal?.aborted) throw abortError(signal);
		if (length === 0) return await this.#readNothing(key);
		const isWhole = start === 0 && length === undefined;
		const range = isWhole ? undefined : `bytes=${start}-${length === undefined ? '' : start + length - 1}`;
		let response;
		try {
			response = await this.#bucket.get(this.#prefix + key, range, signal);
		} catch (error) {
			// The whole range lies beyond the end.
			if (isBackupError(error) && error.details?.s3Code === 'InvalidRange') return Readable.from([]);
			throw error;
		}
		const { statusCode, headers } = response;
		const size = Number(headers['content-length'] ?? NaN);
		if (
			!Number.isSafeInteger(size) ||
			(range && (statusCode !== 206 || !headers['content-range']?.startsWith(`bytes ${start}-`)))
		) {
			response.destroy();
			throw new BackupError('unsupported', `the server of ${this.location} does not say which bytes it sends`, {
				hint: 'Check for a proxy that changes answers: ranges and Content-Length are needed.',
			});
		}
		const action = `cannot read ${this.location}/${key}`;
		return exactly(response, size, {
			signal,
			toError: (error) => s3Error(action, error),
			onWrongLength: (got) =>
				new BackupError('connection-lost', `${action}: the connection ended after ${got} of ${size} bytes`),
		});
	}

	async stat(key: string, { signal }: CallOptions = {}): Promise<StoredObject | null> {
		const name = this.#name(key);
		if (signal?.aborted) throw abortError(signal);
		const object = await this.#bucket.head(name, signal);
		if (object) return this.#facts(object);
		// Only a listing tells a missing bucket from a missing object.
		await pageOfObjects(this.#bucket, name, { limit: 1, signal });
		return null;
	}

	async *list(prefix: string, { signal }: CallOptions = {}): AsyncIterable<StoredObject> {
		assertPrefix(prefix);
		if (signal?.aborted) throw abortError(signal);
		for (let after = '', isTruncated = true; isTruncated; ) {
			const page = await pageOfObjects(this.#bucket, this.#prefix + prefix, { after, signal });
			// Other programs' objects can have names that are no keys, such as "folder/".
			for (const object of page.items.map((item) => this.#facts(item)).filter(({ key }) => isKey(key))) {
				yield object;
				if (signal?.aborted) throw abortError(signal);
			}
			after = page.items.at(-1)?.name ?? after;
			isTruncated = page.isTruncated;
		}
	}

	async remove(key: string, { signal }: CallOptions = {}): Promise<void> {
		assertKey(key);
		assertRemovable(this);
		if (signal?.aborted) throw abortError(signal);
		await this.#versions.remove(this.#name(key), signal);
	}

	async removeUnfinished(
		prefix: string,
		accept: (key: string, startedAt: Date) => boolean = () => true,
	): Promise<number> {
		let removed = 0;
		for await (const { key, startedAt, ...upload } of this.#uploads(prefix)) {
			if (!accept(key, startedAt)) continue;
			await this.#bucket.abort(upload);
			removed++;
		}
		return removed;
	}

	async *unfinished(prefix: string): AsyncIterable<Unfinished> {
		for await (const { key, startedAt } of this.#uploads(prefix)) yield { key, startedAt };
	}

	async *#uploads(prefix: string): AsyncIterable<Unfinished & UnfinishedUpload> {
		assertPrefix(prefix);
		for await (const upload of unfinishedUploads(this.#bucket, this.#prefix + prefix)) {
			const key = upload.name.slice(this.#prefix.length);
			if (isKey(key)) yield { ...upload, key };
		}
	}

	async hasDeleted(prefix: string, { signal }: CallOptions = {}): Promise<boolean> {
		assertPrefix(prefix);
		if (signal?.aborted) throw abortError(signal);
		return await hasMarkers(this.#bucket, this.#prefix + prefix, signal);
	}

	async onlyIfAbsent(key: string, { signal }: CallOptions = {}): Promise<OnlyIfAbsent> {
		const name = this.#name(key);
		if (signal?.aborted) throw abortError(signal);
		return await askOnlyIfAbsent(this.#bucket, name, signal);
	}

	outer(): Storage[] {
		const names = this.#prefix.split('/').slice(0, -1);
		return names.map((_, at) => new S3Storage({ ...this.#options, prefix: names.slice(0, -1 - at).join('/') }));
	}

	/** S3 has no way to ask. */
	async space({ signal }: CallOptions = {}): Promise<null> {
		if (signal?.aborted) throw abortError(signal);
		return null;
	}

	async close(): Promise<void> {
		this.#connection.close();
	}

	async #readNothing(key: string): Promise<Readable> {
		if (await this.stat(key)) return Readable.from([]);
		throw new BackupError('not-found', `${this.location}/${key} does not exist`);
	}

	/** @throws BackupError 'invalid-input' */
	#name(key: string): string {
		assertKey(key);
		return this.#prefix + key;
	}

	#facts({ name, size, modifiedAt }: Pick<S3Object, 'name' | 'size' | 'modifiedAt'>): StoredObject {
		return { key: name.slice(this.#prefix.length), size, modifiedAt };
	}
}

/**
 * By the rules of S3 ("Bucket naming rules"), which minio checks as well, with an error that names no remedy.
 * @throws BackupError 'invalid-input'
 */
export function assertBucket(bucket: string): void {
	const isName =
		/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket) && !bucket.includes('..') && !/^\d+(\.\d+){3}$/.test(bucket);
	if (isName) return;
	throw new BackupError('invalid-input', `"${bucket.slice(0, 70)}" is not a valid bucket name`, {
		hint: 'A bucket’s name has 3 to 63 lower-case letters, digits, dots and dashes. A path inside the bucket belongs into the prefix.',
	});
}

/**
 * How uploads are cut into parts, and kept.
 * @throws BackupError 'invalid-input'
 */
export function uploadSettings(options: S3Options): UploadSettings {
	const isR2 = /\.r2\.cloudflarestorage\.com(:\d+)?\/?$/.test(options.endpoint ?? '');
	const { uniformParts = isR2, maxParts = 10_000, concurrency = 4 } = options;
	const { partSize = uniformParts ? 64 * MIB : 8 * MIB } = options;
	assertSizes({ partSize, maxParts, concurrency, uniformParts });
	assertStorageClass(options.storageClass);
	return { partSize, maxParts, concurrency, uniformParts, storageClass: options.storageClass };
}

type UploadSettings = Pick<UploadOptions, 'partSize' | 'maxParts' | 'concurrency' | 'uniformParts' | 'storageClass'>;

function assertSizes({ partSize, maxParts, concurrency }: UploadSettings): void {
	const isInteger = [partSize, maxParts, concurrency].every(Number.isSafeInteger);
	if (
		isInteger &&
		partSize >= 5 * MIB &&
		partSize <= 5120 * MIB &&
		maxParts >= 10 &&
		maxParts <= 10_000 &&
		concurrency >= 1
	)
		return;
	throw new BackupError('invalid-input', 'the sizes for uploads cannot be used', {
		hint: 'Use a part size from 5 MiB to 5 GiB, 10 to 10,000 parts, and at least one part at a time.',
	});
}
