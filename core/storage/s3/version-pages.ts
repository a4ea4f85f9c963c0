/**
 * Versions over the pages of a listing. A page begins behind a version that was named before, and that one may be gone by then, as rules
 * of a bucket remove versions at any time. Then Ceph leaves out all other versions of its name, and MinIO begins that name anew. So a
 * page is asked for from behind an earlier version, and counts only when it shows one that is known.
 */
import { BackupError } from '../../base/errors';
import { type AskedBucket, pageOfVersions, type Page, type S3Version } from './listing';

/** Versions that are remembered, to find the place again. */
const REMEMBERED = 128;

interface PagesOptions {
	signal?: AbortSignal;
	/** Does one request, and tries it again. */
	attempt?: <T>(request: () => Promise<T>) => Promise<T>;
}

/**
 * Pages of the versions and markers of objects whose names start with `prefix`, as `pageOfVersions` sorts them. Each that is there from
 * the beginning to the end comes exactly once.
 * @throws BackupError 'storage-failed' where all that is remembered was removed before the next page; those of listing
 */
export async function* versionPages(
	bucket: AskedBucket,
	prefix: string,
	{ signal, attempt = async (request) => await request() }: PagesOptions = {},
): AsyncGenerator<S3Version[], void, undefined> {
	const ask = async (after?: S3Version) => await attempt(() => pageOfVersions(bucket, prefix, { after, signal }));
	let known: S3Version[] = [];
	for (let isTruncated = true; isTruncated; ) {
		const page = known.length === 0 ? await ask() : await pageBehind(known, ask);
		if (page === null) throw movedOn(bucket, known.at(-1)!);
		if (page.items.length > 0) yield page.items;
		known = [...known, ...page.items].slice(-REMEMBERED);
		isTruncated = page.isTruncated;
	}
}

/** All versions of exactly this object, newest first. */
export async function versionsOf(bucket: AskedBucket, name: string, signal?: AbortSignal): Promise<S3Version[]> {
	const found: S3Version[] = [];
	for await (const page of versionPages(bucket, name, { signal })) {
		const ours = page.filter((version) => version.name === name);
		found.push(...ours);
		// Names that go on after this one come behind all of its versions.
		if (ours.length < page.length) break;
	}
	return found;
}

/** What comes behind the last of the known ones; null where none of them leads there. */
async function pageBehind(
	known: readonly S3Version[],
	ask: (after?: S3Version) => Promise<Page<S3Version>>,
): Promise<Page<S3Version> | null> {
	const isKnown = new Set(known.map(idOf));
	const last = known.at(-1)!;
	for (const place of placesBefore(known)) {
		const { items, isTruncated } = await ask(place);
		const at = items.findLastIndex((version) => isKnown.has(idOf(version)));
		if (at < 0) continue;
		// What was added before the last one is for the next backup.
		const fresh = items.slice(at + 1).filter(({ name }) => !isBefore(name, last.name));
		if (fresh.length > 0 || !isTruncated) return { items: fresh, isTruncated };
	}
	return null;
}

/** Not the last one itself: nothing would show whether the page begins where it should. Then each time twice as far back. */
function* placesBefore(known: readonly S3Version[]): Generator<S3Version | undefined> {
	for (let back = 2; back <= known.length; back *= 2) yield known.at(-back);
	// All that there was is known.
	if (known.length < REMEMBERED) yield undefined;
}

function idOf({ name, versionId }: S3Version): string {
	return `${versionId}/${name}`;
}

function isBefore(name: string, other: string): boolean {
	return name !== other && Buffer.compare(Buffer.from(name), Buffer.from(other)) < 0;
}

function movedOn({ bucket }: AskedBucket, { name }: S3Version): BackupError {
	return new BackupError(
		'storage-failed',
		`versions of s3://${bucket}/${name} were removed faster than they could be listed`,
		{
			hint: 'Try again when the rule or program that removes them has ended.',
		},
	);
}
