/**
 * Listings that `minio` gets wrong: it takes names such as 007 for numbers, loses the place between two uploads of one
 * name, and gives versions and delete markers apart, so that their order is lost.
 */
import type { S3Bucket } from './s3-bucket';
import { element, elements, escape } from './s3-text';

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
	/** Bytes. */
	size: number;
	modifiedAt: Date;
	etag: string;
}

/** Uploads whose names start with `prefix`, by name, all pages. */
export async function* unfinishedUploads(bucket: S3Bucket, prefix: string): AsyncGenerator<UnfinishedUpload> {
	for (let after: UnfinishedUpload | undefined, isTruncated = true; isTruncated; ) {
		const place = after && `key-marker=${escape(after.name)}&upload-id-marker=${escape(after.uploadId)}&`;
		const query = `${place ?? ''}max-uploads=1000&prefix=${escape(prefix)}&uploads`;
		const answer = await bucket.ask('list unfinished uploads of', prefix, query);
		const uploads = elements(answer, 'Upload').map(({ text }) => ({
			name: element(text, 'Key') ?? '',
			uploadId: element(text, 'UploadId') ?? '',
			startedAt: timeOf(text, 'Initiated'),
		}));
		yield* uploads;
		after = uploads.at(-1);
		isTruncated = element(answer, 'IsTruncated') === 'true' && after !== undefined;
	}
}

/** All versions of exactly this object, newest first. */
export async function versionsOf(bucket: S3Bucket, name: string): Promise<S3Version[]> {
	const found: S3Version[] = [];
	for (let isDone = false; !isDone; ) {
		const after = found.at(-1);
		const place = after && `key-marker=${escape(name)}&version-id-marker=${escape(after.versionId)}&`;
		const query = `${place ?? ''}prefix=${escape(name)}&versions`;
		const answer = await bucket.ask('list the versions of', name, query);
		const page = elements(answer, 'Version', 'DeleteMarker').map(({ name: kind, text }) => ({
			name: element(text, 'Key') ?? '',
			versionId: element(text, 'VersionId') ?? 'null',
			isMarker: kind === 'DeleteMarker',
			size: Number(element(text, 'Size') ?? 0),
			modifiedAt: timeOf(text, 'LastModified'),
			etag: (element(text, 'ETag') ?? '').replace(/&quot;|"/g, ''),
		}));
		// Names that go on after this one come behind all of its versions.
		const ours = page.filter((version) => version.name === name);
		found.push(...ours);
		isDone = element(answer, 'IsTruncated') !== 'true' || ours.length === 0 || ours.length < page.length;
	}
	return found;
}

function timeOf(text: string, name: string): Date {
	return new Date(element(text, name) ?? NaN);
}
