/**
 * The requests that a storage needs of one bucket, one method each, with our errors. Names of objects here are whole,
 * with the storage's prefix. Built on the parts of `minio` that send one request; what joins several is ours, because
 * its `putObject` hangs when the source fails, buffers 528 MiB for a stream of unknown size, sends one part after the
 * other, and goes on with somebody else's abandoned upload of the same name.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { BackupError, isBackupError } from '../../base/errors';
import { answerText } from './answer';
import type { S3Connection } from './connection';
import type { CreateOnly } from './create-only';
import { s3Error, S3Refusal } from './errors';
import { pageOfObjects, S3Object } from './listing';
import type { Part } from './part';
import { escape, word } from './text';

/** What only an object's own HEAD tells. */
export interface S3Facts extends S3Object {
	/** Absent in buckets without versions. */
	versionId?: string;
}

type Headers = Record<string, string>;

/** A request about an object, with everything but its name. */
export interface S3Request {
	method: string;
	/** Names and values in the form of a URL. */
	query?: string;
	headers?: Headers;
}

const ON_PURPOSE =
	'If these keys may not delete on purpose, say so: Keys May Not Delete in the credential, appendOnly=true in a storage URL.';

export class S3Bucket {
	constructor(
		readonly connection: S3Connection,
		readonly bucket: string,
		/** Makes new objects on the condition that there is none of that name; null makes them without it. */
		private readonly createOnly: CreateOnly | null,
		/** Sent with every new object. */
		private readonly headers: Headers,
	) {}

	/** Facts of an object, or null. Also null when the bucket is missing: HEAD answers do not tell. */
	async head(name: string, signal?: AbortSignal): Promise<S3Facts | null> {
		try {
			const { headers } = await this.#send(name, { method: 'HEAD' }, '', signal);
			return factsOf(name, headers);
		} catch (error) {
			if (!(error instanceof S3Refusal)) throw this.#error('look at', name, error);
			if (error.status === 404) return null;
			// The answer to a HEAD request has no body and so no reason; a listing that fails for the same reason says it.
			await pageOfObjects(this, name, { limit: 1, signal });
			throw this.#error('look at', name, error);
		}
	}

	/**
	 * @param range HTTP's byte range; the whole object when absent. Not every server heeds it: see the answer's status.
	 * @param options.condition on the object, such as If-Match
	 * @param options.version its id; else what the name means now
	 */
	async get(
		name: string,
		range: string | undefined,
		signal?: AbortSignal,
		{ condition = {}, version }: { condition?: Headers; version?: string } = {},
	): Promise<IncomingMessage> {
		return await this.#try('read', name, async () => {
			const headers = { ...condition, ...(range && { range }) };
			const query = version === undefined ? '' : `versionId=${escape(version)}`;
			const request = { method: 'GET', bucketName: this.bucket, objectName: name, headers, query };
			return await (await this.connection.client(signal)).makeRequestAsync(request, '', [200, 206]);
		});
	}

	/**
	 * Makes an object in one request. The signal counts only until the last byte is out: after it, the server decides.
	 * @returns the new version, in buckets that keep them
	 */
	async put(name: string, part: Part, more: Headers, signal?: AbortSignal): Promise<string | undefined> {
		return await this.#make(name, async (condition) => {
			const headers = { ...this.headers, ...more, ...condition };
			const response = await this.#sendPart(name, '', part, headers, { body: signal });
			return versionOf(response.headers);
		});
	}

	async initiate(name: string, more: Headers, signal?: AbortSignal): Promise<string> {
		return await this.#try('write', name, async () => {
			const client = await this.connection.client(signal);
			return await client.initiateNewMultipartUpload(this.bucket, name, { ...this.headers, ...more });
		});
	}

	/** @returns the part's ETag */
	async putPart(name: string, uploadId: string, part: Part, signal?: AbortSignal): Promise<string> {
		return await this.#try('write', name, async () => {
			const query = `partNumber=${part.number}&uploadId=${encodeURIComponent(uploadId)}`;
			const response = await this.#sendPart(name, query, part, {}, { request: signal });
			return (response.headers.etag ?? '').replaceAll('"', '');
		});
	}

	/**
	 * Joins the parts. Amazon S3, R2 and newer MinIO refuse it when there is an object of that name meanwhile; others
	 * ignore the condition. Not through minio's own: it cannot send the condition and fails on answers without an ETag.
	 * @returns the new version, in buckets that keep them
	 */
	async complete(name: string, uploadId: string, etags: string[]): Promise<string | undefined> {
		return await this.#make(name, async (condition) => {
			const parts = etags.map(
				(etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>&quot;${etag}&quot;</ETag></Part>`,
			);
			const client = await this.connection.client();
			const response = await client.makeRequestAsync(
				{
					method: 'POST',
					bucketName: this.bucket,
					objectName: name,
					query: `uploadId=${encodeURIComponent(uploadId)}`,
					headers: { ...condition },
				},
				`<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join('')}</CompleteMultipartUpload>`,
			);
			const answer = await answerText(response, `s3://${this.bucket}`);
			// A server that needs long begins with 200 and may still fail.
			if (answer.includes('<Error>')) throw new S3Refusal(500, word(answer, 'Code') ?? 'InternalError');
			return versionOf(response.headers);
		});
	}

	/** Gives up an upload; that it is gone already is no error. */
	async abort({ name, uploadId }: { name: string; uploadId: string }): Promise<void> {
		try {
			const client = await this.connection.client();
			await client.abortMultipartUpload(this.bucket, name, encodeURIComponent(uploadId));
		} catch (error) {
			if (!(error instanceof S3Refusal && error.code === 'NoSuchUpload')) throw this.#error('tidy up', name, error);
		}
	}

	/**
	 * Removes an object, or only one version of it.
	 * @returns whether the server hid it behind a delete marker instead, because the bucket keeps versions
	 */
	async remove(name: string, versionId?: string, signal?: AbortSignal): Promise<boolean> {
		const query = versionId === undefined ? '' : `versionId=${escape(versionId)}`;
		const request = { method: 'DELETE', query };
		const { headers } = await this.request('remove', name, request, '', signal).catch((error: unknown) => {
			if (!isBackupError(error, 'access-denied')) throw error;
			throw error.withHint(ON_PURPOSE);
		});
		return versionId === undefined && headers['x-amz-delete-marker'] === 'true';
	}

	/** A question to the bucket. @param about what it is about, for errors: "cannot <verb> s3://bucket/<about>" */
	async ask(verb: string, about: string, query: string, signal?: AbortSignal): Promise<string> {
		return await this.#try(verb, about, async () => (await this.#send('', { method: 'GET', query }, '', signal)).body);
	}

	/** Any other request about an object. @param verb for errors: "cannot <verb> s3://…" */
	async request(
		verb: string,
		name: string,
		request: S3Request,
		payload = '',
		signal?: AbortSignal,
	): Promise<{ headers: IncomingHttpHeaders; body: string }> {
		return await this.#try(verb, name, () => this.#send(name, request, payload, signal));
	}

	/** @param name the bucket's own when empty */
	async #send(name: string, request: S3Request, payload = '', signal?: AbortSignal) {
		const options = { bucketName: this.bucket, ...(name && { objectName: name }), ...request };
		const client = await this.connection.client(signal);
		const response = await client.makeRequestAsync(options, payload, [200, 204]);
		return { headers: response.headers, body: await answerText(response, `s3://${this.bucket}`) };
	}

	async #sendPart(
		name: string,
		query: string,
		part: Part,
		headers: Headers,
		signals: { request?: AbortSignal; body?: AbortSignal },
	): Promise<IncomingMessage> {
		const client = await this.connection.client(signals.request);
		// Content-MD5 is part of the signature and covers the bytes. Over http, minio would add a SHA-256 that costs twice as much.
		client.enableSHA256 = false;
		const response = await client.makeRequestStreamAsync(
			{
				method: 'PUT',
				bucketName: this.bucket,
				objectName: name,
				query,
				headers: {
					...headers,
					'content-length': String(part.size),
					// The server checks it; buckets with object lock do not take anything without.
					'content-md5': part.md5.toString('base64'),
				},
			},
			part.stream(signals.body),
			'',
			[200],
			this.connection.region,
		);
		await answerText(response, `s3://${this.bucket}`);
		return response;
	}

	/** Makes an object, on the condition that there is none where that is wanted. */
	async #make<T>(name: string, request: (condition: Headers) => Promise<T>): Promise<T> {
		const { createOnly } = this;
		return await this.#try('write', name, async () => await (createOnly ? createOnly.send(request) : request({})));
	}

	async #try<T>(verb: string, name: string, request: () => Promise<T>): Promise<T> {
		try {
			return await request();
		} catch (error) {
			throw this.#error(verb, name, error);
		}
	}

	#error(verb: string, name: string, error: unknown): BackupError {
		return s3Error(`cannot ${verb} s3://${this.bucket}/${name}`, error);
	}
}

function factsOf(name: string, headers: IncomingHttpHeaders): S3Facts {
	return {
		name,
		size: Number(headers['content-length']),
		modifiedAt: new Date(headers['last-modified'] ?? NaN),
		etag: (headers.etag ?? '').replaceAll('"', ''),
		versionId: versionOf(headers),
	};
}

/** The version 'null' is no version: it is overwritten, as everything is in buckets without versions. */
function versionOf(headers: IncomingHttpHeaders): string | undefined {
	const id = headers['x-amz-version-id'];
	return typeof id === 'string' && id !== 'null' ? id : undefined;
}
