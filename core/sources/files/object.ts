/** What an index says of an entry that was an object of a bucket, besides what it says of a file. */
import { Fault } from './fault.ts';
import { fromText } from './names.ts';

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
	/** Whether it is the latest of its versions. Absent in backups without versions. */
	latest?: boolean;
	/** Its place among the versions: older ones have less. Absent in backups without versions. */
	order?: number;
	/** It has no contents, and hides the versions before it: somebody deleted the object. */
	marker?: true;
}

/** Whether it is what its name meant then: no older version, and no delete marker. */
export function isCurrent({ latest, marker }: ObjectFacts): boolean {
	return latest !== false && marker !== true;
}

/**
 * The key by which an entry of an object is sorted: by its name as S3 sorts names, and of one name what was current first, then the
 * others, oldest first. NUL is less than anything in a name: there it is written otherwise, in the same order.
 */
export function keyOfObject(object: ObjectFacts): string {
	const name = fromText(object.key).replaceAll('\x01', '\x01\x02').replaceAll('\0', '\x01\x01');
	return isCurrent(object) ? name : `${name}\0${String(object.order).padStart(ORDER_DIGITS, '0')}`;
}

/** What the keys of those versions of an object begin with that were not current. @param key of what was current */
export function versionsBelow(key: string): string {
	return `${key}\0`;
}

const ORDER_DIGITS = 10;
const MAX_ORDER = 10 ** ORDER_DIGITS - 1;

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
	const facts = (value ?? {}) as Record<string, unknown>;
	const { key, etag, modified, version, headers, tags = {}, storageClass, latest, order, marker } = facts;
	if (!isText(key) || key === '') throw damaged();
	if (isGone) return assertNoVersion(latest ?? order ?? marker);
	if (latest !== undefined || marker !== undefined) {
		if (typeof latest !== 'boolean' || (marker !== undefined && marker !== true)) throw damaged();
		if (!Number.isSafeInteger(order) || (order as number) < 0 || (order as number) > MAX_ORDER) throw damaged();
	}
	if (!isText(etag) || !isText(modified) || Number.isNaN(Date.parse(modified))) throw damaged();
	if (!isOptionalText(version) || !isOptionalText(storageClass)) throw damaged();
	if (!isTexts(headers) || !isTexts(tags)) throw damaged();
	for (const [name, text] of Object.entries(headers)) {
		if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(text)) throw damaged();
	}
}

/** What is gone is a name, and no version of it. */
function assertNoVersion(fact: unknown): void {
	if (fact !== undefined) throw damaged();
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
