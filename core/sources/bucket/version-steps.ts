/** What there is to do for a bucket with all its versions: as `steps.ts`, object by object, each with its versions. */
import type { BucketObjects } from '../../storage/s3/objects';
import type { S3Version } from '../../storage/s3/listing';
import { Base } from '../files/archive/base.ts';
import type { MergedEntry } from '../files/merge.ts';
import type { Bytes } from '../files/names.ts';
import { isCurrent, keyOfObject, versionsBelow } from '../files/object.ts';
import { ObjectNames } from './names';
import { modifiedOf, type ReadStep, type Step } from './steps';
import { versionPathOf } from './version-names';

/** Versions of one object that are held in memory; what is older is left out, and named. */
export const MOST_VERSIONS = 100_000;

/** Told of what needs no step. */
interface Watch {
	/** The backup before has it as it is. */
	onUnchanged: (version: S3Version) => void;
	/** An object has more versions than are kept. */
	onTooMany: (name: string) => void;
}

/** An object: its versions, the newest first. */
type Versions = readonly S3Version[];

/**
 * Compares a bucket and its versions with the backup before, in the memory of the versions of one object. Whatever changes about one of
 * them, the index says all of that object anew; what the backup before has is not read again.
 * @param indexes of the backup before and its parents, newest first; none for a full backup
 * @throws BackupError as listing does; Fault 'damaged' of an index
 */
export async function* versionStepsOf(
	objects: BucketObjects,
	indexes: readonly string[],
	{ signal, ...watch }: Watch & { signal: AbortSignal },
): AsyncGenerator<Step, void, undefined> {
	const base = new Base(indexes);
	const names = new ObjectNames();
	try {
		for await (const versions of objectsOf(objects, watch, signal)) {
			if (versions === null) yield { kind: 'page' };
			else {
				const key = keyOfObject({ key: versions[0]!.name });
				yield* goneBefore(base, key);
				yield* stepsOfObject(versions, takeObject(base, key), names, watch);
			}
		}
		yield* goneBefore(base, null);
	} finally {
		base.close();
	}
}

/** Each object with its versions, the newest first; null behind each page of the listing. */
async function* objectsOf(
	objects: BucketObjects,
	{ onTooMany }: Watch,
	signal: AbortSignal,
): AsyncGenerator<Versions | null, void, undefined> {
	let current: S3Version[] = [];
	let count = 0;
	for await (const page of objects.listVersions(signal)) {
		for (const version of page) {
			if (current.length > 0 && current[0]!.name !== version.name) {
				yield current;
				[current, count] = [[], 0];
			}
			count++;
			if (count <= MOST_VERSIONS) current.push(version);
			else if (count === MOST_VERSIONS + 1) onTooMany(version.name);
		}
		yield null;
	}
	if (current.length > 0) yield current;
}

/** All that the backup before has of an object. */
function takeObject(base: Base, key: string): MergedEntry[] {
	const found: MergedEntry[] = [];
	const head = base.take(key);
	if (head) found.push(head);
	for (let next = base.takeBelow(versionsBelow(key)); next; next = base.takeBelow(versionsBelow(key))) found.push(next);
	return found;
}

/** Objects of which nothing is left, not even a delete marker. */
function* goneBefore(base: Base, key: string | null): Generator<Step> {
	for (let last = '', before = base.takeBefore(key); before; before = base.takeBefore(key)) {
		const { key: name } = before.object!;
		if (isCurrent(before.object!)) yield { kind: 'gone', before };
		else {
			if (name !== last) yield { kind: 'headless', name };
			yield { kind: 'drop', path: before.path };
		}
		last = name;
	}
}

function* stepsOfObject(
	versions: Versions,
	before: readonly MergedEntry[],
	names: ObjectNames,
	{ onUnchanged }: Watch,
): Generator<Step> {
	const [latest] = versions as [S3Version];
	const isLatest = (version: S3Version) => version === latest && version.isLatest;
	const head = latest.isLatest && !latest.isMarker ? latest : null;
	const headPath = head && names.pathOf(head.name);
	const headBefore = before.find(({ object }) => isCurrent(object!)) ?? null;
	const known = new Map(before.map((entry) => [entry.object!.version ?? 'null', entry]));
	const pathOf = (version: S3Version) => (version === head ? headPath! : versionPathOf(version));
	const asBefore = (version: S3Version): MergedEntry | null => {
		const entry = known.get(version.versionId);
		return entry && isSame(entry, version) ? entry : null;
	};
	const isAsBefore = (version: S3Version) => {
		const entry = asBefore(version);
		return entry?.path === pathOf(version) && entry.object!.latest === isLatest(version);
	};
	if (before.length === versions.length && versions.every(isAsBefore)) {
		for (const version of versions) onUnchanged(version);
		return;
	}
	const kept = new Set<Bytes>();
	const steps: Step[] = [];
	let order = -1;
	for (const version of versions.toReversed()) {
		const entry = asBefore(version);
		// As before where that can be, so that what expires at the old end changes nothing about the others.
		order = Math.max(order + 1, entry?.object!.order ?? 0);
		const facts = { id: version.versionId, latest: isLatest(version), order };
		const path = pathOf(version);
		const isHead = version === head;
		kept.add(path);
		if (entry && (entry.path === path || !isHead || !isCurrent(entry.object!))) {
			// By hand, a version that is current again is a link to its file, which must stay.
			if (isHead) kept.add(entry.path);
			steps.push({ kind: 'keep', before: entry, path, version: facts, object: version });
		} else if (version.isMarker) steps.push({ kind: 'marker', object: version, path, version: facts });
		else {
			const step: ReadStep = { kind: 'read', object: version, path, before: isHead ? headBefore : null };
			steps.push({ ...step, version: { ...facts, isKnown: isHead && before.length > 0 } });
		}
	}
	const first = head ? steps.pop()! : headOf(latest.name, headBefore, before);
	if (first) yield first;
	yield* steps;
	// The file of what was current goes with its line, or when another one takes its place.
	const isKept = (path: Bytes) => kept.has(path) || (path === headBefore?.path && first?.kind !== 'keep');
	for (const { path } of before) if (!isKept(path)) yield { kind: 'drop', path };
}

/** The first line of an object that is none now; where the backup before knows nothing of it, it needs none. */
function headOf(name: string, headBefore: MergedEntry | null, before: readonly MergedEntry[]): Step | null {
	if (headBefore) return { kind: 'gone', before: headBefore };
	return before.length > 0 ? { kind: 'headless', name } : null;
}

/** Whether it is the very version; only the one without an id can be another one with the same. */
function isSame({ object, size }: MergedEntry, version: S3Version): boolean {
	const { etag, modified, marker = false } = object!;
	if (marker !== version.isMarker || modified !== modifiedOf(version)) return false;
	return version.isMarker || (etag === version.etag && size === version.size);
}
