/** From an object as it was read to its line of the index. */
import type { ObjectHead } from '../../storage/s3/objects';
import type { Entry } from '../files/entry.ts';
import { modifiedOf, type ReadStep } from './steps';

/** What the index says of an object, but for its contents. */
export function entryOf({ object, path }: ReadStep, head: ObjectHead, tags: Record<string, string> | undefined): Entry {
	const { size, etag, versionId, headers, storageClass } = head;
	// To a second in a header; in a listing to what the server has, which the next backup compares.
	const modified = modifiedOf(etag === object.etag ? object : head);
	return {
		...{
			path,
			type: 'file',
			mode: 0o644,
			uid: 0,
			gid: 0,
			mtime: `${(Date.parse(modified) / 1000).toFixed(3)}000000`,
			size,
		},
		object: {
			...{ key: object.name, etag, modified },
			...(versionId !== undefined && { version: versionId }),
			headers,
			...(tags && { tags }),
			...(storageClass !== undefined && { storageClass }),
		},
	};
}
