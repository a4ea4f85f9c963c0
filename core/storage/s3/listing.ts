/**
 * Listings, read without the library `minio`. That one takes names such as 007 for numbers, loses the place between two uploads of one
 * name, and gives versions and delete markers apart, so that their order is lost. Listings of objects it reads rightly, but with six times
 * the processor time and twice the memory (`bench/catalog.ts`).
 */
import { BackupError } from '../../base/errors';
import { element, elements, escape, plain, word } from './text';

/** A bucket as listings see it. */
export interface AskedBucket {
	readonly bucket: string;
	/** @param about what the question is about, for errors */
	ask(verb: string, about: string, query: string, signal?: AbortSignal): Promise<string>;
}

export interface S3Object {
	name: string;
	size: number;
	modifiedAt: Date;
	etag: string;
}

export interface UnfinishedUpload {
	name: string;
	uploadId: string;
	startedAt: Date;
}

/** One version of an object, or a marker that hides all that came before it. */
export interface S3Version {
	name: string;
	versionId: string;
	isMarker: boolean;
	/** Whether it is what the name means now. */
	isLatest: boolean;
	/** Bytes. */
	size: number;
	modifiedAt: Date;
	etag: string;
}

/** One answer of a listing, up to 1,000. */
export interface Page<Item = S3Object> {
	items: Item[];
	/** Whether there are more. */
	isTruncated: boolean;
}

/** Objects whose names start with `prefix` and come after `after`, in order. */
export async function pageOfObjects(
	bucket: AskedBucket,
	prefix: string,
	{ after = '', limit = 1000, signal }: { after?: string; limit?: number; signal?: AbortSignal } = {},
): Promise<Page> {
	// Paging by name, which every server knows, and in order, as the signature wants it.
	const place = after && `&marker=${escape(after)}`;
	const query = `encoding-type=url${place}&max-keys=${limit}&prefix=${escape(prefix)}`;
	const answer = whole(bucket, 'ListBucketResult', await bucket.ask('list', prefix, query, signal));
	const isEncoded = word(answer, 'EncodingType') === 'url';
	const items = elements(answer, 'Contents').map(({ text }) => ({
		name: nameOf(bucket, prefix, text, isEncoded),
		size: sizeOf(bucket, text),
		modifiedAt: timeOf(text, 'LastModified'),
		etag: etagOf(text),
	}));
	if (after !== '' && items.at(-1)?.name === after) throw noListing(bucket);
	const isTruncated = word(answer, 'IsTruncated') === 'true';
	// Without a name there is no place to go on from, and what comes behind would be taken for missing.
	if (isTruncated && items.length === 0) throw noListing(bucket);
	return { items, isTruncated };
}

/** Uploads whose names start with `prefix`, by name, all pages. */
export async function* unfinishedUploads(bucket: AskedBucket, prefix: string): AsyncGenerator<UnfinishedUpload> {
	for (let after: UnfinishedUpload | undefined, isTruncated = true; isTruncated; ) {
		const place = after && `key-marker=${escape(after.name)}&upload-id-marker=${escape(after.uploadId)}&`;
		const query = `${place ?? ''}max-uploads=1000&prefix=${escape(prefix)}&uploads`;
		const answer = whole(
			bucket,
			'ListMultipartUploadsResult',
			await bucket.ask('list unfinished uploads of', prefix, query),
		);
		const uploads = elements(answer, 'Upload').map(({ text }) => ({
			name: nameOf(bucket, prefix, text, false),
			uploadId: word(text, 'UploadId') ?? '',
			startedAt: timeOf(text, 'Initiated'),
		}));
		const last = uploads.at(-1);
		if (after && last?.name === after.name && last.uploadId === after.uploadId) throw noListing(bucket);
		yield* uploads;
		after = last;
		isTruncated = word(answer, 'IsTruncated') === 'true' && after !== undefined;
	}
}

/** Versions and markers of objects whose names start with `prefix`, by name, and of one name the newest first; those behind `after`. */
export async function pageOfVersions(
	bucket: AskedBucket,
	prefix: string,
	{ after, signal }: { after?: Pick<S3Version, 'name' | 'versionId'>; signal?: AbortSignal } = {},
): Promise<Page<S3Version>> {
	const place = after && `&key-marker=${escape(after.name)}`;
	const version = after && `&version-id-marker=${escape(after.versionId)}`;
	const query = `encoding-type=url${place ?? ''}&prefix=${escape(prefix)}${version ?? ''}&versions`;
	const answer = whole(bucket, 'ListVersionsResult', await bucket.ask('list the versions of', prefix, query, signal));
	const isEncoded = word(answer, 'EncodingType') === 'url';
	const items = elements(answer, 'Version', 'DeleteMarker').map(({ name: kind, text }) => ({
		name: nameOf(bucket, prefix, text, isEncoded),
		versionId: plain(word(text, 'VersionId') ?? 'null'),
		isMarker: kind === 'DeleteMarker',
		isLatest: word(text, 'IsLatest') === 'true',
		size: sizeOf(bucket, text),
		modifiedAt: timeOf(text, 'LastModified'),
		etag: etagOf(text),
	}));
	const last = items.at(-1);
	if (after && last?.name === after.name && last.versionId === after.versionId) throw noListing(bucket);
	const isTruncated = word(answer, 'IsTruncated') === 'true';
	if (isTruncated && items.length === 0) throw noListing(bucket);
	return { items, isTruncated };
}

/** Whether delete markers hide objects whose names start with `prefix`, among the first thousand versions: who deletes, deletes much. */
export async function hasMarkers(bucket: AskedBucket, prefix: string, signal?: AbortSignal): Promise<boolean> {
	const query = `max-keys=1000&prefix=${escape(prefix)}&versions`;
	const answer = whole(bucket, 'ListVersionsResult', await bucket.ask('list the versions of', prefix, query, signal));
	return elements(answer, 'DeleteMarker').some(({ text }) => word(text, 'IsLatest') === 'true');
}

/**
 * Everybody's objects are listed, with all that S3 allows in names; some servers encode them twice.
 * @throws BackupError 'unsupported' where it was not asked for
 */
function nameOf(bucket: AskedBucket, prefix: string, text: string, isEncoded: boolean): string {
	const written = plain(element(text, 'Key') ?? '');
	const name = isEncoded ? decode(written) : written;
	if (name === '' || !name.startsWith(prefix)) throw noListing(bucket);
	return name;
}

function sizeOf(bucket: AskedBucket, text: string): number {
	const size = Number(word(text, 'Size') ?? 0);
	if (!Number.isSafeInteger(size) || size < 0) throw noListing(bucket);
	return size;
}

function timeOf(text: string, name: string): Date {
	return new Date(word(text, name) ?? NaN);
}

function etagOf(text: string): string {
	// The quotes are `"` or an escape, by name or by number.
	return plain(word(text, 'ETag') ?? '').replaceAll('"', '');
}

/**
 * Nothing may pass for an empty listing but an empty listing: retention and copies go by what is not there.
 * @throws BackupError 'unsupported'
 */
function whole(bucket: AskedBucket, root: string, answer: string): string {
	if (answer.includes(`<${root}`) && answer.trimEnd().endsWith(`</${root}>`)) return answer;
	throw noListing(bucket);
}

function noListing({ bucket }: AskedBucket): BackupError {
	return new BackupError('unsupported', `the server of s3://${bucket} does not answer with a listing as S3 gives it`, {
		hint: 'Check that the endpoint is that of an S3 server, and that no proxy changes its answers.',
	});
}

/** As in a URL. Bytes that are no text are the replacement character. */
function decode(name: string): string {
	return name.replaceAll('+', ' ').replace(/(?:%[\da-f]{2})+/gi, (escapes) => {
		return Buffer.from(escapes.replaceAll('%', ''), 'hex').toString();
	});
}
