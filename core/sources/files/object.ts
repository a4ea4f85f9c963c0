/** What an index says of an entry that was an object of a bucket, besides what it says of a file. */
import { Fault } from './fault.ts';

/** An object of a bucket; of one that is gone, its key alone. */
export interface ObjectFacts {
	/** Its name in the bucket. The path of the entry is made of it, so that it is one. */
	key: string;
	/** As the listing says it, and so without quotes. */
	etag?: string;
	/** When it was written, as the listing says it: ISO 8601, UTC. */
	modified?: string;
	/** Of the version that was read; absent in buckets without versions. */
	version?: string;
	/** Its own headers, by lower-case names, one character per byte: `content-type`, `cache-control`, `x-amz-meta-…`. */
	headers?: Record<string, string>;
	tags?: Record<string, string>;
	storageClass?: string;
}

/** More than S3 allows of each: names of 1,024 bytes, 2 KB of metadata, 50 tags. */
const MAX_TEXT = 64 * 1024;
const MAX_MEMBERS = 200;
/** Names of headers (RFC 9110, 5.6.2), and values that can be sent: no line breaks. */
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Looks at what an index says of an object.
 * @param isGone of one that is gone, the index says the key alone
 * @throws Fault 'damaged'
 */
export function assertObject(value: unknown, isGone: boolean): asserts value is ObjectFacts {
	const { key, etag, modified, version, headers, tags = {}, storageClass } = (value ?? {}) as Record<string, unknown>;
	if (!isText(key) || key === '') throw damaged();
	if (isGone) return;
	if (!isText(etag) || !isText(modified) || Number.isNaN(Date.parse(modified))) throw damaged();
	if (!isOptionalText(version) || !isOptionalText(storageClass)) throw damaged();
	if (!isTexts(headers) || !isTexts(tags)) throw damaged();
	for (const [name, text] of Object.entries(headers)) {
		if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(text)) throw damaged();
	}
}

function isText(value: unknown): value is string {
	return typeof value === 'string' && value.length <= MAX_TEXT;
}

function isOptionalText(value: unknown): boolean {
	return value === undefined || isText(value);
}

function isTexts(value: unknown): value is Record<string, string> {
	if (typeof value !== 'object' || value === null) return false;
	const texts = Object.values(value);
	return texts.length <= MAX_MEMBERS && texts.every(isText);
}

function damaged(): Fault {
	return new Fault(
		'damaged',
		'a line of the index has an object that cannot be',
		'No program of ours writes that. Use another backup.',
	);
}
