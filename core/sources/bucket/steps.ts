/** What there is to do: a bucket as it is, passed in step with what the backup before has of it. */
import type { BucketObjects } from '../../storage/s3/objects';
import type { S3Object } from '../../storage/s3/listing';
import { Base } from '../files/archive/base.ts';
import type { MergedEntry } from '../files/merge.ts';
import type { Bytes } from '../files/names.ts';
import { keyOfObject } from '../files/object.ts';
import { ObjectNames } from './names';

/** An object to read. */
export interface ReadStep {
	kind: 'read';
	object: S3Object;
	/** How it is named in the archive. */
	path: Bytes;
	/** What the backup before has of that name. */
	before: MergedEntry | null;
	/** In a backup with versions: which one it is, and whether the backup before has any version of what is current. */
	version?: VersionFacts & { isKnown: boolean };
}

/** Which version of an object is meant. */
export interface VersionFacts {
	id: string;
	latest: boolean;
	/** Its place among the versions: older ones have less. */
	order: number;
}

/** A version that the backup before has, perhaps under another path. */
export interface KeepStep {
	kind: 'keep';
	before: MergedEntry;
	path: Bytes;
	version: VersionFacts;
	object: S3Object;
}

/** One thing to do, in the order of the names of objects. */
export type Step =
	| ReadStep
	/** What the backup before has as current is not there any more. */
	| { kind: 'gone'; before: MergedEntry }
	| KeepStep
	/** A delete marker. */
	| { kind: 'marker'; object: S3Object; path: Bytes; version: VersionFacts }
	/** An object of which older versions are there, or were: it is none now, as in the backup before. */
	| { kind: 'headless'; name: string }
	/** A file of the backup before that is there no more, by hand. */
	| { kind: 'drop'; path: Bytes }
	/** A page of the listing was gone through. */
	| { kind: 'page' };

/**
 * Compares a bucket with the backup before, in the memory of a page of its listing.
 * @param indexes of the backup before and its parents, newest first; none for a full backup
 * @param onUnchanged called with each object that the backup before has as it is
 * @throws BackupError as listing does; Fault 'damaged' of an index
 */
export async function* stepsOf(
	objects: BucketObjects,
	indexes: readonly string[],
	{ onUnchanged, signal }: { onUnchanged: (object: S3Object) => void; signal: AbortSignal },
): AsyncGenerator<Step, void, undefined> {
	const base = new Base(indexes);
	const names = new ObjectNames();
	try {
		for await (const page of objects.list(signal)) {
			for (const object of page) {
				const key = keyOfObject({ key: object.name });
				yield* goneBefore(base, key);
				const path = names.pathOf(object.name);
				const before = base.take(key);
				if (before && isUnchanged(before, object, path)) onUnchanged(object);
				else yield { kind: 'read', object, path, before };
			}
			yield { kind: 'page' };
		}
		yield* goneBefore(base, null);
	} finally {
		base.close();
	}
}

function* goneBefore(base: Base, key: string | null): Generator<Step> {
	for (let before = base.takeBefore(key); before; before = base.takeBefore(key)) yield { kind: 'gone', before };
}

/**
 * Whether nothing was written to an object since the backup before. Who writes the same bytes again makes another time, and in buckets
 * with versions another version. Tags alone change nothing that a listing says.
 */
function isUnchanged({ object: before, size, path, changed }: MergedEntry, object: S3Object, at: Bytes): boolean {
	return (
		!changed &&
		path === at &&
		size === object.size &&
		before?.etag === object.etag &&
		before.modified === modifiedOf(object)
	);
}

/** When an object was written, as an index has it. */
export function modifiedOf({ modifiedAt }: { modifiedAt: Date }): string {
	return Number.isNaN(modifiedAt.getTime()) ? new Date(0).toISOString() : modifiedAt.toISOString();
}
