/** What there is to do for a bucket with all its versions: as `steps.ts`, object by object, each with its versions. */
import type { BucketObjects } from '../../storage/s3/objects';
import type { S3Version } from '../../storage/s3/listing';
import { Base } from '../files/archive/base.ts';
import type { MergedEntry } from '../files/merge.ts';
import type { Bytes } from '../files/names.ts';
import { isCurrent, keyOfObject, versionsBelow } from '../files/object.ts';
import { ObjectNames } from './names';
import { type KeepStep, modifiedOf, type ReadStep, type Step } from './steps';
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
				yield* stepsOfObject(new Compared(versions, takeObject(base, key), names), watch);
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

/** One object: its versions, beside what the backup before has of it. */
class Compared {
	readonly name: string;
	/** What its name means now; null behind a delete marker. */
	readonly head: S3Version | null;
	readonly headBefore: MergedEntry | null;
	readonly #headPath: Bytes | null;
	/** By the ids of versions. */
	readonly #known: Map<string, MergedEntry>;

	constructor(
		readonly versions: Versions,
		readonly before: readonly MergedEntry[],
		names: ObjectNames,
	) {
		const [latest] = versions as [S3Version];
		this.name = latest.name;
		this.head = latest.isLatest && !latest.isMarker ? latest : null;
		this.#headPath = this.head && names.pathOf(latest.name);
		this.headBefore = before.find(({ object }) => isCurrent(object!)) ?? null;
		this.#known = new Map(before.map((entry) => [entry.object!.version ?? 'null', entry]));
	}

	pathOf(version: S3Version): Bytes {
		return version === this.head ? this.#headPath! : versionPathOf(version);
	}

	isLatest(version: S3Version): boolean {
		return version === this.versions[0] && version.isLatest;
	}

	/** What the backup before has of this very version. */
	asBefore(version: S3Version): MergedEntry | null {
		const entry = this.#known.get(version.versionId);
		return entry && isSame(entry, version) ? entry : null;
	}

	/** Whether the backup before has the same versions in the same places. */
	isAsBefore(): boolean {
		return (
			this.before.length === this.versions.length &&
			this.versions.every((version) => {
				const entry = this.asBefore(version);
				return entry?.path === this.pathOf(version) && entry.object!.latest === this.isLatest(version);
			})
		);
	}
}

function* stepsOfObject(object: Compared, { onUnchanged }: Watch): Generator<Step> {
	if (object.isAsBefore()) {
		for (const version of object.versions) onUnchanged(version);
		return;
	}
	const steps = stepsOfVersions(object);
	const first = object.head ? steps.at(-1)! : headOf(object);
	if (first) yield first;
	yield* object.head ? steps.slice(0, -1) : steps;
	yield* dropped(object, steps, first);
}

type VersionStep = ReadStep | KeepStep | Extract<Step, { kind: 'marker' }>;

/** One step for each version, the oldest first. */
function stepsOfVersions(object: Compared): VersionStep[] {
	const { head, headBefore, before } = object;
	let order = -1;
	return object.versions.toReversed().map((version) => {
		const entry = object.asBefore(version);
		// As before where that can be, so that what expires at the old end changes nothing about the others.
		order = Math.max(order + 1, entry?.object!.order ?? 0);
		const facts = { id: version.versionId, latest: object.isLatest(version), order };
		const path = object.pathOf(version);
		const isHead = version === head;
		if (entry && (entry.path === path || !isHead || !isCurrent(entry.object!))) {
			return { kind: 'keep', before: entry, path, version: facts, object: version };
		}
		if (version.isMarker) return { kind: 'marker', object: version, path, version: facts };
		const isKnown = isHead && before.length > 0;
		return {
			...{ kind: 'read', object: version, path, before: isHead ? headBefore : null },
			version: { ...facts, isKnown },
		};
	});
}

/** Files of the backup before that are there no more. */
function* dropped({ before, head, headBefore }: Compared, steps: VersionStep[], first: Step | null): Generator<Step> {
	const kept = new Set(steps.map(({ path }) => path));
	// The file of what was current goes with its line, or when another one takes its place.
	if (headBefore && first?.kind !== 'keep') kept.add(headBefore.path);
	// By hand, a version that is current again is a link to its file, which must stay.
	if (head && first?.kind === 'keep') kept.add(first.before.path);
	for (const { path } of before) if (!kept.has(path)) yield { kind: 'drop', path };
}

/** The first line of an object that is none now; where the backup before knows nothing of it, it needs none. */
function headOf({ name, headBefore, before }: Compared): Step | null {
	if (headBefore) return { kind: 'gone', before: headBefore };
	return before.length > 0 ? { kind: 'headless', name } : null;
}

/** Whether it is the very version; only the one without an id can be another one with the same. */
function isSame({ object, size }: MergedEntry, version: S3Version): boolean {
	const { etag, modified, marker = false } = object!;
	if (marker !== version.isMarker || modified !== modifiedOf(version)) return false;
	return version.isMarker || (etag === version.etag && size === version.size);
}
