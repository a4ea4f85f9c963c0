/** From an object as it was read to its line of the index. */
import { hash } from 'node:crypto';
import type { ObjectHead } from '../../storage/s3/objects';
import type { Entry } from '../files/entry.ts';
import type { Bytes } from '../files/names.ts';
import { type KeepStep, modifiedOf, type ReadStep, type Step, type VersionFacts } from './steps';

/** What the index says of an object, but for its contents. */
export function entryOf(
	{ object, path, version }: ReadStep,
	head: ObjectHead,
	tags: Record<string, string> | undefined,
): Entry {
	const { size, etag, headers, storageClass } = head;
	// The listing's: some servers do not repeat it with the object, and then it would look like another one in the next backup.
	const id = version ? idOf(version) : head.versionId;
	// To a second in a header; in a listing to what the server has, which the next backup compares.
	const modified = modifiedOf(etag === object.etag ? object : head);
	return {
		...attributesOf(path, modified, size),
		object: {
			...{ key: object.name, etag, modified },
			...(id !== undefined && { version: id }),
			...(version && placeOf(version)),
			headers,
			...(tags && { tags }),
			...(storageClass !== undefined && { storageClass }),
		},
	};
}

/** What the index says of a delete marker: a file without contents. */
export function markerOf({ object, path, version }: Extract<Step, { kind: 'marker' }>): Entry {
	const modified = modifiedOf(object);
	return {
		...attributesOf(path, modified, 0),
		sha256: hash('sha256', '', 'hex'),
		object: {
			...{ key: object.name, etag: '', modified, version: version.id },
			...{ ...placeOf(version), marker: true, headers: {} },
		},
	};
}

/** What the index says of a version that another backup of the chain holds. */
export function keptOf({ before, path, version }: KeepStep): Entry {
	const { key: _, holder, ...entry } = before;
	return { ...entry, path, in: holder + 1, object: { ...entry.object!, ...placeOf(version) } };
}

function attributesOf(path: Bytes, modified: string, size: number) {
	const mtime = `${(Date.parse(modified) / 1000).toFixed(3)}000000`;
	return { path, type: 'file' as const, mode: 0o644, uid: 0, gid: 0, mtime, size };
}

/** Absent of what was written before the bucket kept versions. */
function idOf({ id }: VersionFacts): string | undefined {
	return id === 'null' ? undefined : id;
}

function placeOf({ latest, order }: VersionFacts) {
	return { latest, order };
}
