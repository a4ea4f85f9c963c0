/** Folders found by patterns: one per customer, one per volume. */
import { isUtf8 } from 'node:buffer';
import fs from 'node:fs';
import path from 'node:path';
import { BackupError } from '../../base/errors';
import { matchesGlob } from '../../base/glob';

/** A folder, and what its pattern's wildcards stood for. */
export interface FoundFolder {
	/** Of the segments with wildcards, joined by a slash: `acme` for `/srv/customers/*`. */
	name: string;
	path: string;
}

/** More is a pattern that means something else. */
const MOST = 10_000;

const hasWildcard = (segment: string) => /[*?]/.test(segment);

/**
 * Finds the folders that patterns name, sorted by path. `*` stands for any characters of one name, `?` for one; a pattern that begins with
 * `!` leaves out the names it matches. Hidden folders are found by patterns that name their dot.
 * @param options.assertAllowed called with each folder before its names are read
 * @param options.isWanted asked of each name
 * @throws BackupError 'invalid-input', 'source-missing' where nothing is found, 'access-denied'
 */
export function findFolders(
	patterns: readonly string[],
	{
		assertAllowed = () => undefined,
		isWanted = () => true,
	}: { assertAllowed?: (folder: string) => void; isWanted?: (name: string) => boolean } = {},
): FoundFolder[] {
	const wanted = patterns.filter((pattern) => !pattern.startsWith('!'));
	const without = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1));
	if (wanted.length === 0) {
		throw new BackupError('invalid-input', 'no folder pattern given', {
			hint: 'Name one like /srv/customers/*: each folder that matches becomes a backup of its own.',
		});
	}
	const found = wanted.flatMap((pattern) => foldersOf(pattern, assertAllowed));
	const left = found.filter(({ name }) => isWanted(name) && !without.some((pattern) => matchesGlob(name, pattern)));
	const byPath = new Map(left.map((each) => [each.path, each]));
	if (byPath.size === 0) {
		throw new BackupError('source-missing', `no folder matches ${wanted.join(', ')}`, {
			hint: 'Is the disk mounted, and is the pattern right as n8n sees the folders? In a container, they must be mounted into it.',
		});
	}
	const folders = [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
	assertNamesDiffer(folders);
	return folders;
}

function foldersOf(pattern: string, assertAllowed: (folder: string) => void): FoundFolder[] {
	if (!path.isAbsolute(pattern) || pattern.includes('\0')) {
		throw new BackupError('invalid-input', `"${pattern}" is not an absolute path`, {
			hint: 'Write the pattern from the root on, e.g. /srv/customers/*.',
		});
	}
	const segments = path.resolve(pattern).split('/').slice(1);
	if (!segments.some(hasWildcard)) {
		throw new BackupError('invalid-input', `"${pattern}" has no * in it`, {
			hint: 'Put a * where the names are that differ, e.g. /srv/customers/*, or archive the paths together.',
		});
	}
	let folders: FoundFolder[] = [{ name: '', path: '/' }];
	for (const segment of segments) {
		folders = hasWildcard(segment)
			? folders.flatMap((folder) => below(folder, segment, assertAllowed))
			: folders.map(({ name, path: above }) => ({ name, path: path.join(above, segment) }));
		if (folders.length > MOST) {
			throw new BackupError('invalid-input', `${pattern} matches more than ${MOST} folders`, {
				hint: 'Name fewer: each becomes a backup of its own.',
			});
		}
	}
	return folders.filter((folder) => isFolder(folder.path));
}

function below({ name, path: above }: FoundFolder, segment: string, assertAllowed: (folder: string) => void) {
	if (!isFolder(above)) return [];
	assertAllowed(above);
	return namesIn(above)
		.filter((each) => matchesGlob(each, segment) && (segment.startsWith('.') || !each.startsWith('.')))
		.map((each) => ({ name: name === '' ? each : `${name}/${each}`, path: path.join(above, each) }))
		.filter((each) => isFolder(each.path));
}

function namesIn(folder: string): string[] {
	const names = read(folder, () => fs.readdirSync(folder, { encoding: 'buffer' }));
	const odd = names.find((name) => !isUtf8(name));
	if (!odd) return names.map((name) => name.toString());
	throw new BackupError('unsupported', `${path.join(folder, odd.toString())} has a name that is not UTF-8`, {
		hint: 'Rename it, so that its group can have a name, or archive the folder above it together.',
	});
}

function isFolder(place: string): boolean {
	return read(place, () => fs.statSync(place, { throwIfNoEntry: false }))?.isDirectory() ?? false;
}

function read<Read>(place: string, how: () => Read): Read {
	try {
		return how();
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		throw new BackupError('access-denied', `cannot read ${place}: ${code}`, {
			hint: 'Allow the user that runs n8n to read it, or leave it out of the pattern with a line such as "!name".',
			cause: error,
		});
	}
}

/** Two of the same name would share a group, and each would take the other's files for changed. */
function assertNamesDiffer(folders: readonly FoundFolder[]): void {
	for (const [name, [one, other]] of Map.groupBy(folders, (folder) => folder.name)) {
		if (!other) continue;
		throw new BackupError('invalid-input', `${one!.path} and ${other.path} would both be "${name}"`, {
			hint: 'Back them up with two nodes, and give each a group prefix of its own.',
		});
	}
}
