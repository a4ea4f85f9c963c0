/** Folders and files below the base folder on an SFTP server. No link below it is followed. */
import path from 'node:path/posix';
import type { Stats } from 'ssh2';
import { untilAborted } from '../../base/deadline';
import { BackupError } from '../../base/errors';
import { inParallel } from '../../base/in-parallel';
import { compareKeys, isKey } from '../key';
import type { StoredObject } from '../storage';
import type { SftpFiles } from './files';

/** The type in a file's mode (inode(7)). */
const TYPE_BITS = 0o170000;
const REGULAR = 0o100000;
const FOLDER = 0o040000;

/** Requests on their way at once. */
const LOOKS_AT_ONCE = 16;

type Attributes = Pick<Stats, 'mode' | 'size' | 'mtime'>;

export function isRegular({ mode }: { mode: number }): boolean {
	return (mode & TYPE_BITS) === REGULAR;
}

/**
 * Makes a folder and those above it, below the base.
 * @throws BackupError 'already-exists' when an object lies where a folder is needed, 'access-denied' for symbolic links
 */
export async function makeFolders(files: SftpFiles, base: string, folder: string): Promise<void> {
	const missing: string[] = [];
	for (let current = folder; current.startsWith(`${base}/`); current = path.dirname(current)) {
		const found = await files.look(current);
		if (found?.isDirectory()) break;
		if (found?.isSymbolicLink()) throw linked(current);
		if (found) {
			throw new BackupError('already-exists', `${current} is an object, so that nothing can be written below it`);
		}
		missing.unshift(current);
	}
	for (const each of missing) {
		try {
			await files.makeDir(each);
		} catch (error) {
			// Somebody else may have been faster.
			if (!(await files.look(each))?.isDirectory()) throw error;
		}
	}
}

/** Removes a folder and those above it, below the base, as long as they are empty. */
export async function removeEmpty(files: SftpFiles, base: string, folder: string): Promise<void> {
	for (let current = folder; current.startsWith(`${base}/`); current = path.dirname(current)) {
		if (!(await files.removeDir(current))) return;
	}
}

export interface WalkOptions {
	prefix: string;
	/** The last segment of the key that a file name stands for, or null to leave the file out. */
	keyName: (file: string) => string | null;
	signal?: AbortSignal;
}

/** Every file whose key would start with a prefix, by key ascending. Links and names that cannot be keys are left out. */
export async function* walkTree(
	files: SftpFiles,
	folder: string,
	options: WalkOptions,
	parent = '',
): AsyncGenerator<StoredObject & { file: string }> {
	const { prefix, keyName, signal } = options;
	const entries = await untilAborted(async () => await entriesOf(files, folder), signal);
	const found = entries.flatMap(({ filename, attrs }) => {
		const isFolder = (attrs.mode & TYPE_BITS) === FOLDER;
		// Where no name would be short enough for a key, nothing of ours lies; so folders have a bottom.
		if (isFolder) return isKey(`${parent}${filename}/a`) ? [{ filename, attrs, key: `${parent}${filename}/` }] : [];
		const segment = isRegular(attrs) ? keyName(filename) : null;
		return segment === null ? [] : [{ filename, attrs, key: `${parent}${segment}` }];
	});
	// With its slash, a folder takes the place in the order of keys that its objects have.
	found.sort((a, b) => compareKeys(a.key, b.key));
	for (const { filename, attrs, key } of found) {
		const file = path.join(folder, filename);
		if (key.endsWith('/')) {
			if (key.startsWith(prefix) || prefix.startsWith(key)) yield* walkTree(files, file, options, key);
		} else if (key.startsWith(prefix)) {
			yield { key, file, size: attrs.size, modifiedAt: new Date(attrs.mtime * 1000) };
		}
	}
}

/** What lies in a folder, with its attributes: some servers give names alone, and are asked for each. */
async function entriesOf(files: SftpFiles, folder: string): Promise<Array<{ filename: string; attrs: Attributes }>> {
	const named = await files.names(folder);
	const entries = await inParallel(named, LOOKS_AT_ONCE, async ({ filename, attrs }) => {
		// By the protocol, each of them may be missing; the types do not say so.
		const given: Partial<Attributes> = attrs;
		const isGiven = given.mode !== undefined && given.size !== undefined && given.mtime !== undefined;
		const found = isGiven ? attrs : await files.look(path.join(folder, filename));
		return found === null ? [] : [{ filename, attrs: found }];
	});
	return entries.flat();
}

function linked(folder: string): BackupError {
	return new BackupError('access-denied', `${folder} is reached through a symbolic link`, {
		hint: 'Links inside the folder are not followed. Use real folders, or set the link’s target as the storage’s folder.',
	});
}
