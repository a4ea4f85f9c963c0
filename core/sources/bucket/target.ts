/** What of a backup is in a bucket already: both passed in step, by the names of objects. */
import { BackupError } from '../../base/errors';
import type { BucketObjects } from '../../storage/s3/objects';
import type { MergedEntry } from '../files/merge.ts';
import { type Bytes, fromText, toDisplay } from '../files/names';
import type { ObjectFacts } from '../files/object';

/** Names of a dry run. */
export const MAX_LISTED = 1000;
/** Bytes of the name of an object (S3 user guide, Naming Amazon S3 objects). */
const MAX_NAME = 1024;

/** What becomes of objects that are there already. */
export type Existing = 'refuse' | 'keep' | 'replace';

/** What was found. */
export interface Match {
	/** Objects that are wanted, and those of them that are there already. */
	wanted: number;
	there: number;
	/** The first one that is there, without the prefix. */
	first: Bytes | null;
	/** What is to be written. */
	objects: number;
	bytes: number;
	/** The first thousand names of it. */
	listed: string[];
}

/**
 * Looks what is there.
 * @param wanted in the order of the index
 * @param options.add called with each entry that is to be written
 * @throws BackupError of listing; 'damaged' where an entry is no object; as `nameIn`
 */
export async function matchTarget(
	objects: BucketObjects,
	wanted: AsyncIterable<MergedEntry>,
	{ signal, existing, add }: { signal: AbortSignal; existing: Existing; add: (entry: MergedEntry) => void },
): Promise<Match> {
	const match: Match = { wanted: 0, there: 0, first: null, objects: 0, bytes: 0, listed: [] };
	const names = namesOf(objects, signal);
	let name = await next(names);
	try {
		for await (const entry of wanted) {
			match.wanted++;
			if (!entry.object) throw noObject(entry);
			const key = nameIn(objects, entry.object);
			while (name !== null && name < key) name = await next(names);
			const isThere = name === key;
			if (isThere) {
				match.there++;
				match.first ??= fromText(entry.object.key);
				if (existing !== 'replace') continue;
			}
			match.objects++;
			match.bytes += entry.size!;
			if (match.listed.length < MAX_LISTED) match.listed.push(toDisplay(key));
			add(entry);
		}
	} finally {
		await names.return();
	}
	return match;
}

/**
 * How an object is called in the bucket that it is restored into.
 * @throws BackupError 'invalid-input' where the prefix makes the name longer than S3 allows
 */
export function nameIn({ location, prefix }: BucketObjects, { key }: ObjectFacts): Bytes {
	const name = fromText(`${prefix}${key}`);
	if (prefix === '' || name.length <= MAX_NAME) return name;
	throw new BackupError(
		'invalid-input',
		`the name of ${toDisplay(fromText(key.slice(0, 80)))}… would have ${name.length} bytes in ${location}, and S3 allows ${MAX_NAME}`,
		{ hint: 'Restore without a prefix or below a shorter one, or name what is to be restored by patterns.' },
	);
}

async function* namesOf(objects: BucketObjects, signal: AbortSignal): AsyncGenerator<Bytes, void, undefined> {
	for await (const page of objects.list(signal)) for (const { name } of page) yield fromText(name);
}

async function next(names: AsyncGenerator<Bytes, void, undefined>): Promise<Bytes | null> {
	return (await names.next()).value ?? null;
}

function noObject({ path }: MergedEntry): BackupError {
	return new BackupError('damaged', `the index says that ${toDisplay(path)} is no object`, {
		hint: 'No program of ours writes that. Use another backup.',
	});
}
