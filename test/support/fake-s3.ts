/** A server that answers as a test wants, for what no S3 server that can be started here does. */
import { createHash } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { StorageConfig } from '../../core/storage/config';

/** What comes back; undefined for "no such key". */
export interface FakeAnswer {
	headers?: Record<string, string>;
	body: string;
}
type Answer = (asked: { key: string; query: URLSearchParams }) => FakeAnswer | undefined;

/** Of all objects and versions. */
export const MODIFIED = new Date('2026-01-02T03:04:05.678Z');
const BUCKET = 'photos';
const NOTHING_THERE = '<Error><Code>NoSuchKey</Code></Error>';
const NO_TAGS = '<Tagging><TagSet></TagSet></Tagging>';

export class FakeS3 {
	/** The requests so far: `key?query`. */
	readonly seen: string[] = [];
	#answer: Answer = () => undefined;
	readonly #server = http.createServer((request, response) => {
		// Not as a URL: `..` is part of a name here.
		const [path, search = ''] = request.url!.split('?', 2) as [string, string?];
		const query = new URLSearchParams(search);
		const key = decodeURIComponent(path).slice(`/${BUCKET}/`.length);
		this.seen.push(`${key}?${search}`);
		request.resume();
		const found = this.#answer({ key, query }) ?? (query.has('tagging') ? { body: NO_TAGS } : undefined);
		const { headers = {}, body } = found ?? { body: NOTHING_THERE };
		response.writeHead(found ? 200 : 404, { 'content-length': Buffer.byteLength(body), ...headers });
		response.end(body);
	});

	static async start(): Promise<FakeS3> {
		const fake = new FakeS3();
		await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
		return fake;
	}

	/** How it answers from now on; without an answer, objects have no tags. */
	let(answer: Answer): void {
		this.#answer = answer;
	}

	config(): Extract<StorageConfig, { type: 's3' }> {
		const endpoint = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
		return { type: 's3', endpoint, bucket: BUCKET, accessKey: 'a', secretKey: 'b' };
	}

	async stop(): Promise<void> {
		this.#server.closeAllConnections();
		await new Promise((resolve) => this.#server.close(resolve));
	}
}

/** The answer to a request for an object. */
export function fakeObject(text: string, headers: Record<string, string> = {}): FakeAnswer {
	const own = { etag: `"${md5(text)}"`, 'last-modified': MODIFIED.toUTCString(), 'content-type': 'text/plain' };
	return { headers: { ...own, ...headers }, body: text };
}

/** The answer to a request for a listing, of names and texts. */
export function fakeListing(objects: Record<string, string>): FakeAnswer {
	const items = Object.entries(objects).map(([key, text]) => `<Contents>${attributesOf(key, text)}</Contents>`);
	return { body: `<ListBucketResult><IsTruncated>false</IsTruncated>${items.join('')}</ListBucketResult>` };
}

/** The answer to a request for versions: of each name the ids of its versions, newest first; the text of each is its id. */
export function fakeVersions(objects: Record<string, string[]>): FakeAnswer {
	const items = Object.entries(objects).flatMap(([key, ids]) =>
		ids.map(
			(id, at) =>
				`<Version><VersionId>${id}</VersionId><IsLatest>${at === 0}</IsLatest>${attributesOf(key, id)}</Version>`,
		),
	);
	return { body: `<ListVersionsResult><IsTruncated>false</IsTruncated>${items.join('')}</ListVersionsResult>` };
}

function attributesOf(key: string, text: string): string {
	return `<Key>${key}</Key><LastModified>${MODIFIED.toISOString()}</LastModified><ETag>"${md5(text)}"</ETag><Size>${text.length}</Size>`;
}

function md5(text: string): string {
	return createHash('md5').update(text).digest('hex');
}
