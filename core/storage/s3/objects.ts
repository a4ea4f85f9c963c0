/**
 * The objects of a bucket as other programs made them: with all names that S3 allows, and what S3 keeps beside their bytes. `S3Storage`
 * is for objects of ours, which have fewer of both.
 */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { BackupError, isBackupError } from '../../base/errors';
import { DEFAULT_RETRY, retry, type RetryPolicy } from '../../base/retry';
import { exactly } from '../exact';
import { encryptionHeaders } from './at-rest';
import { S3Bucket } from './bucket';
import { S3Connection } from './connection';
import { CreateOnly } from './create-only';
import { s3Error } from './errors';
import { pageOfObjects, type S3Object, type S3Version } from './listing';
import { ObjectLock } from './object-lock';
import { assertBucket, type S3Options, uploadSettings } from './s3';
import { element, elements, escape, plain, word } from './text';
import { upload } from './upload';
import { versionPages, versionsOf } from './version-pages';

/** What S3 keeps of an object beside its bytes, as its headers say it. */
export interface ObjectHead {
	/** Bytes. */
	size: number;
	etag: string;
	modifiedAt: Date;
	/** Absent in buckets without versions. */
	versionId?: string;
	/** The headers that belong to the object, by their lower-case names: `content-type`, `x-amz-meta-…`. One character per byte. */
	headers: Record<string, string>;
	storageClass?: string;
	/** How many tags it has, as far as the server says so. */
	tagCount: number;
}

/** An object that is being read. */
export interface OpenObject {
	head: ObjectHead;
	/** Ends after the last byte that was asked for, and in no other way. */
	body: Readable;
}

/** Headers that belong to an object and come back with it (S3 API reference, PutObject), besides `x-amz-meta-…`. */
const OWN_HEADERS = [
	'content-type',
	'cache-control',
	'content-disposition',
	'content-encoding',
	'content-language',
	'expires',
	'x-amz-website-redirect-location',
];
const READ_HINT =
	'To back a bucket up, allow the key s3:ListBucket on it, and s3:GetObject and s3:GetObjectTagging on its objects; docs/buckets.md has the policy.';
const READ_VERSIONS_HINT =
	'To back a bucket up with its versions, allow the key s3:ListBucket and s3:ListBucketVersions on it, and s3:GetObject, s3:GetObjectVersion, s3:GetObjectTagging and s3:GetObjectVersionTagging on its objects; docs/buckets.md has the policy.';
const WRITE_HINT =
	'To restore into a bucket, allow the key s3:ListBucket on it, and s3:GetObject, s3:PutObject, s3:AbortMultipartUpload, s3:GetObjectTagging and s3:PutObjectTagging on its objects; docs/buckets.md has the policy.';
const WRITE_VERSIONS_HINT =
	'To restore versions into a bucket, allow the key s3:ListBucket, s3:ListBucketVersions and s3:GetBucketVersioning on it, and s3:GetObjectVersion, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload, s3:GetObjectVersionTagging and s3:PutObjectTagging on its objects; docs/buckets.md has the policy.';
const HINTS = {
	'back up': READ_HINT,
	'back up versions': READ_VERSIONS_HINT,
	restore: WRITE_HINT,
	'restore versions': WRITE_VERSIONS_HINT,
};

export class BucketObjects {
	/** For people: `s3://bucket/prefix`. */
	readonly location: string;
	/** Objects whose names begin like this; empty for all. */
	readonly prefix: string;
	readonly #options: S3Options;
	readonly #connection: S3Connection;
	readonly #bucket: S3Bucket;
	readonly #retry: RetryPolicy;
	readonly #createOnly = new CreateOnly();

	/**
	 * @param purpose which rights an error names
	 * @throws BackupError 'invalid-input'
	 */
	constructor(
		options: S3Options,
		private readonly purpose: keyof typeof HINTS,
	) {
		assertBucket(options.bucket);
		const prefix = (options.prefix ?? '').replace(/^\/+|\/+$/g, '');
		this.location = `s3://${options.bucket}${prefix && `/${prefix}`}`;
		this.prefix = prefix && `${prefix}/`;
		this.#options = options;
		this.#connection = new S3Connection(options);
		this.#bucket = new S3Bucket(this.#connection, options.bucket, null, {});
		this.#retry = options.retry ?? DEFAULT_RETRY;
	}

	/**
	 * Asks whether the bucket can be listed.
	 * @returns what time the server has, to a second
	 * @throws BackupError 'bucket-not-found', 'access-denied', those of the connection
	 */
	async look(signal?: AbortSignal): Promise<Date> {
		const query = `max-keys=1&prefix=${escape(this.prefix)}`;
		const { headers } = await this.#read(
			() => this.#bucket.request('list', '', { method: 'GET', query }, '', signal),
			signal,
		);
		const time = new Date(headers.date ?? NaN);
		return Number.isNaN(time.getTime()) ? new Date() : time;
	}

	/**
	 * Pages of the objects below the prefix, sorted by the bytes of their names.
	 * @throws BackupError 'unsupported' where the server sorts otherwise
	 */
	async *list(signal?: AbortSignal): AsyncGenerator<S3Object[], void, undefined> {
		let last: Buffer | null = null;
		for (let after = '', isTruncated = true; isTruncated; ) {
			const page = await this.#read(() => pageOfObjects(this.#bucket, this.prefix, { after, signal }), signal);
			for (const { name } of page.items) {
				const bytes: Buffer = Buffer.from(name);
				if (last && Buffer.compare(last, bytes) >= 0) throw unsorted(this.location);
				last = bytes;
			}
			if (page.items.length > 0) yield page.items;
			after = page.items.at(-1)?.name ?? after;
			isTruncated = page.isTruncated;
		}
	}

	/**
	 * Pages of the versions and delete markers below the prefix, sorted by the bytes of their names; of one name the newest first.
	 * @throws BackupError 'unsupported' where the server sorts otherwise
	 */
	async *listVersions(signal?: AbortSignal): AsyncGenerator<S3Version[], void, undefined> {
		const attempt = async <T>(request: () => Promise<T>) => await this.#read(request, signal);
		let last: S3Version | undefined;
		for await (const page of versionPages(this.#bucket, this.prefix, { attempt, signal })) {
			for (const version of page) {
				const isSame = version.name === last?.name;
				if (last && !isSame && Buffer.compare(Buffer.from(last.name), Buffer.from(version.name)) > 0) {
					throw unsorted(this.location);
				}
				last = version;
			}
			yield page;
		}
	}

	/** Whether a listing names exactly this object. */
	async isListed(key: string, signal?: AbortSignal): Promise<boolean> {
		const page = await this.#read(() => pageOfObjects(this.#bucket, key, { limit: 1, signal }), signal);
		return page.items[0]?.name === key;
	}

	/** All versions and delete markers of one object, newest first. */
	async versionsOf(key: string, signal?: AbortSignal): Promise<S3Version[]> {
		return await this.#read(() => versionsOf(this.#bucket, key, signal), signal);
	}

	/** Whether the bucket keeps versions of what is written from now on. */
	async keepsVersions(signal?: AbortSignal): Promise<boolean> {
		const answer = await this.#read(() => this.#bucket.ask('see the versioning of', '', 'versioning', signal), signal);
		return word(answer, 'Status') === 'Enabled';
	}

	/** Hides an object behind a delete marker, in a bucket that keeps versions. */
	async hide(key: string, signal?: AbortSignal): Promise<void> {
		await this.#read(() => this.#bucket.remove(key, undefined, signal), signal);
	}

	/**
	 * Begins to read an object.
	 * @param options.start first byte
	 * @param options.etag refused where it is not this object any more
	 * @param options.version its id; else what the name means now
	 * @throws BackupError 'not-found', 'access-denied', 'already-exists' where `etag` does not match, 'unsupported' where another version comes; the body
	 * errors with what breaks it
	 */
	async open(
		key: string,
		options: { start?: number; etag?: string; version?: string; signal?: AbortSignal } = {},
	): Promise<OpenObject> {
		const { start = 0, etag, version, signal } = options;
		const condition: Record<string, string> = etag === undefined ? {} : { 'if-match': `"${etag}"` };
		const range = start > 0 ? `bytes=${start}-` : undefined;
		const response = await this.#read(() => this.#bucket.get(key, range, signal, { condition, version }), signal);
		const size = Number(response.headers['content-length'] ?? NaN);
		if (!Number.isSafeInteger(size) || (start > 0 && response.statusCode !== 206)) {
			response.destroy();
			throw new BackupError('unsupported', `the server of ${this.location} does not say which bytes it sends`, {
				hint: 'Check for a proxy that changes answers: ranges and Content-Length are needed.',
			});
		}
		const given = response.headers['x-amz-version-id'];
		if (version !== undefined && given !== undefined && given !== version) {
			response.destroy();
			throw new BackupError(
				'unsupported',
				`the server of ${this.location} gives another version of ${key} than was asked for`,
				{ hint: 'Check for a proxy that drops what follows the ? of an address.' },
			);
		}
		const action = `cannot read s3://${this.#options.bucket}/${key}`;
		const body = exactly(response, size, {
			signal,
			toError: (error) => s3Error(action, error),
			onWrongLength: (got) =>
				new BackupError('connection-lost', `${action}: the connection ended after ${got} of ${size} bytes`),
		});
		// Who asks for more about the object first does not listen yet, and will find it broken.
		body.on('error', () => undefined);
		return { head: headOf(response.headers, start + size), body };
	}

	/**
	 * The tags of an object, or of a version of it.
	 * @throws BackupError 'access-denied', 'not-found'; 'unsupported' where the server has none
	 */
	async tags(key: string, signal?: AbortSignal, version?: string): Promise<Record<string, string>> {
		const query = version === undefined ? 'tagging' : `tagging&versionId=${escape(version)}`;
		const { body } = await this.#read(
			() => this.#bucket.request('read the tags of', key, { method: 'GET', query }, '', signal),
			signal,
		);
		const textOf = (xml: string, name: string) => plain(element(xml, name) ?? '');
		return Object.fromEntries(elements(body, 'Tag').map(({ text }) => [textOf(text, 'Key'), textOf(text, 'Value')]));
	}

	/**
	 * Writes an object with what belongs to it. Whoever writes has to look before whether it is there, and to read it back.
	 * @param options.headers as {@link ObjectHead} has them
	 * @param options.replace takes the place of an object of that name; else there must be none
	 * @throws BackupError 'already-exists', 'access-denied', errors of the body
	 */
	async write(
		key: string,
		body: AsyncIterable<Uint8Array>,
		options: { headers: Record<string, string>; tags: Record<string, string>; replace: boolean; signal: AbortSignal },
	): Promise<void> {
		const { headers, tags, replace, signal } = options;
		const bucket = new S3Bucket(this.#connection, this.#options.bucket, replace ? null : this.#createOnly, {
			...headers,
			...encryptionHeaders(this.#options),
		});
		const lock = new ObjectLock(bucket, this.location);
		try {
			await upload(bucket, key, body, {
				...{ ...uploadSettings(this.#options), lock, replace, signal, isWatched: true },
				retry: this.#retry,
			});
			if (Object.keys(tags).length > 0) await this.#putTags(key, tags, signal);
		} catch (error) {
			throw this.#rightsNamed(error);
		}
	}

	close(): void {
		this.#connection.close();
	}

	async #putTags(key: string, tags: Record<string, string>, signal: AbortSignal): Promise<void> {
		const set = Object.entries(tags).map(
			([name, value]) => `<Tag><Key>${xml(name)}</Key><Value>${xml(value)}</Value></Tag>`,
		);
		const payload = `<Tagging><TagSet>${set.join('')}</TagSet></Tagging>`;
		// Servers want a digest of it, as of everything that changes what is there (S3 API reference, PutObjectTagging).
		const headers = { 'content-md5': createHash('md5').update(payload).digest('base64') };
		const request = { method: 'PUT', query: 'tagging', headers };
		await retry(() => this.#bucket.request('tag', key, request, payload, signal), this.#retry, signal);
	}

	async #read<T>(request: () => Promise<T>, signal?: AbortSignal): Promise<T> {
		try {
			return await retry(request, this.#retry, signal);
		} catch (error) {
			throw this.#rightsNamed(error);
		}
	}

	/** What is denied here is not what a storage of backups needs: the hint names other rights. */
	#rightsNamed(error: unknown): unknown {
		if (!isBackupError(error, 'access-denied')) return error;
		const hint = HINTS[this.purpose];
		return new BackupError(error.code, error.message, { hint, details: error.details, cause: error });
	}
}

function headOf(headers: IncomingHttpHeaders, size: number): ObjectHead {
	const own = Object.entries(headers).filter(
		(header): header is [string, string] =>
			typeof header[1] === 'string' && (OWN_HEADERS.includes(header[0]) || header[0].startsWith('x-amz-meta-')),
	);
	const text = (name: string) => (typeof headers[name] === 'string' ? headers[name] : undefined);
	const versionId = text('x-amz-version-id');
	const storageClass = text('x-amz-storage-class');
	return {
		...{ size, etag: (headers.etag ?? '').replaceAll('"', '') },
		modifiedAt: new Date(headers['last-modified'] ?? NaN),
		...(versionId !== undefined && versionId !== 'null' && { versionId }),
		headers: Object.fromEntries(own.sort(([a], [b]) => (a < b ? -1 : 1))),
		...(storageClass !== undefined && { storageClass }),
		tagCount: Number(text('x-amz-tagging-count') ?? 0),
	};
}

function unsorted(location: string): BackupError {
	return new BackupError('unsupported', `the server of ${location} does not list objects in the order of their names`, {
		hint: 'Buckets for directories (S3 Express) are like that: they cannot be backed up.',
	});
}

function xml(text: string): string {
	return text.replace(/[<>&"'\r]/g, (mark) => `&#${mark.charCodeAt(0)};`);
}
