/** What a destination has of a backup already: nothing, parts that an interrupted copy left, or all of it. */
import type { SourceBackup } from '../chain';
import { BackupError } from '../../base/errors';
import { parseEvidenceName, whyNotOf } from '../../records/evidence';
import { readable } from '../../records/proof';
import type { Repository } from '../../records/repository';
import { readText } from '../../records/small-objects';
import type { StoredObject } from '../../storage/storage';
import { isEvidence } from '../../records/catalog';
import { tagName, objectKey, MANIFEST } from '../../records/layout';

/** Evidence of one copy that is read before it counts as not read back: which only costs another reading. */
const MAX_READ = 50;

/** Small objects of a backup that travel with it. A pin does not: it is a decision about one place. */
function travels(name: string): boolean {
	return isEvidence(name) || name === tagName(name.slice('tag-'.length, -'.json'.length));
}

export interface Look {
	/** A backup is there, the same one, with all its objects. */
	present: boolean;
	/** It was read back at the destination, well, after it was copied there. */
	proved: boolean;
	/** What lies there, by name. */
	there: Map<string, StoredObject>;
	/** Names of the evidence and the tags that the source has. */
	companions: string[];
}

/**
 * Looks at two listings, and at the manifest if there is one.
 * @throws BackupError 'already-exists' when another backup has this label there; 'damaged' when the copy there lacks
 * objects
 */
export async function lookAtCopy(
	from: Repository,
	to: Repository,
	{ manifest, text }: SourceBackup,
	signal: AbortSignal,
): Promise<Look> {
	const { group, label } = manifest;
	const here = byName(await from.objects(group, label));
	const there = byName(await to.objects(group, label));
	const present = there.has(MANIFEST);
	// Evidence that the source has too came from there, and says nothing about this place.
	const own = [...there.keys()].filter((name) => parseEvidenceName(name)?.ok && !here.has(name));
	if (present) await assertSame(to, { manifest, text }, there, signal);
	return {
		present,
		proved: present && (await hasEvidence(to, { group, label }, own, signal)),
		there,
		companions: [...here.keys()].filter(travels),
	};
}

/**
 * Whether one of these evidences says of this backup what its name says.
 * @param names by time, oldest first; of very many, only the newest are looked at
 */
export async function hasEvidence(
	repository: Repository,
	{ group, label }: { group: string; label: string },
	names: readonly string[],
	signal: AbortSignal,
): Promise<boolean> {
	for (const name of names.slice(-MAX_READ).reverse()) {
		const read = await readable(async () => await repository.readEvidence(group, label, name, signal), { signal });
		if ('why' in read) continue;
		const { manifestSha256 } = read.value;
		if (manifestSha256 !== null && whyNotOf(read.value, { group, label, name, manifestSha256 }) === null) return true;
	}
	return false;
}

async function assertSame(
	{ storage }: Repository,
	{ manifest, text }: SourceBackup,
	there: ReadonlyMap<string, StoredObject>,
	signal: AbortSignal,
): Promise<void> {
	const { group, label } = manifest;
	const place = `${storage.location}/${group}/${label}`;
	if ((await readText(storage, objectKey(group, label, MANIFEST), signal)) !== text) {
		throw new BackupError('already-exists', `${place} is another backup of the same name, and is not overwritten`, {
			hint: 'Its manifest differs from that of the source: verify both. Copy to a storage, or with a prefix, of its own.',
		});
	}
	const wrong = manifest.parts.find(({ name, stored }) => there.get(name)?.size !== stored.bytes);
	if (!wrong) return;
	throw new BackupError('damaged', `${place} was copied before, and ${wrong.name} is damaged or missing there`, {
		hint: 'Find out what changed it. Remove that copy by hand, its manifest first, then copy again.',
	});
}

function byName(objects: readonly StoredObject[]): Map<string, StoredObject> {
	return new Map(objects.map((object) => [object.key.slice(object.key.lastIndexOf('/') + 1), object]));
}
