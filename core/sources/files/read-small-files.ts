/** A few small files of a backup, read into memory without restoring anything. */
import { createHash } from 'node:crypto';
import { BackupError } from '../../base/errors';
import type { OpenBackup } from '../source';
import type { FilesContents } from './contents';
import { entriesOf } from './entries-of';
import { storedSize } from './entry';
import type { MergedEntry } from './merge';
import { type Bytes, fromText, toDisplay } from './names';
import { archiveOf } from './parts';

/**
 * Reads files, each of which is compared with its digest. Links are not followed, but for another name of the same file.
 * @param options.paths from the root on, with or without a slash at their beginning
 * @param options.maxBytes of one file
 * @returns those that are there, by their path as it was given
 * @throws BackupError 'unsupported' for a file that is larger; 'damaged'; those of opening the backup's parts
 */
export async function readSmallFiles(
	backup: OpenBackup<FilesContents>,
	{ paths, maxBytes, signal }: { paths: readonly string[]; maxBytes: number; signal: AbortSignal },
): Promise<Map<string, Buffer>> {
	const wanted = new Map(paths.map((given) => [fromText(given.replace(/^\/+|\/+$/g, '')), given]));
	const found = await entriesAt(backup, new Set(wanted.keys()), signal);
	const links = [...found.values()].flatMap(({ type, target }) => (type === 'link' ? [target!] : []));
	const targets = links.length > 0 ? await entriesAt(backup, new Set(links), signal) : new Map<Bytes, MergedEntry>();
	const files = new Map<string, Buffer>();
	for (const [path, given] of wanted) {
		const entry = found.get(path);
		const file = entry?.type === 'link' ? targets.get(entry.target!) : entry;
		if (file?.type === 'file') files.set(given, await readFile(backup, file, maxBytes));
	}
	return files;
}

async function entriesAt(
	backup: OpenBackup<FilesContents>,
	paths: ReadonlySet<Bytes>,
	signal: AbortSignal,
): Promise<Map<Bytes, MergedEntry>> {
	const found = new Map<Bytes, MergedEntry>();
	for await (const entry of entriesOf(backup, signal)) {
		if (paths.has(entry.path)) found.set(entry.path, entry);
		if (found.size === paths.size) break;
	}
	return found;
}

async function readFile(backup: OpenBackup<FilesContents>, entry: MergedEntry, maxBytes: number): Promise<Buffer> {
	const { path, size = 0, at = 0, extents = [[0, size]], sha256, holder } = entry;
	const shown = toDisplay(path);
	if (size > maxBytes) {
		throw new BackupError('unsupported', `${shown} has ${size} bytes, and up to ${maxBytes} are read here`, {
			hint: 'Is it the right file?',
		});
	}
	const from = holder === 0 ? backup : backup.parents[holder - 1];
	if (!from) throw damaged(`${shown} lies in a backup that is not part of the chain`);
	const stored: Buffer[] = [];
	const access = await from.openAt(archiveOf(from.manifest));
	for await (const chunk of access.read(at, storedSize(entry))) stored.push(Buffer.from(chunk));
	const bytes = Buffer.alloc(size);
	let taken = 0;
	for (const [offset, length] of extents) {
		taken += Buffer.concat(stored).copy(bytes, offset, taken, taken + length);
	}
	if (createHash('sha256').update(bytes).digest('hex') !== sha256) throw damaged(`${shown} is not what its index says`);
	return bytes;
}

function damaged(message: string): BackupError {
	return new BackupError('damaged', message, { hint: 'Use another backup: a verification says which ones are sound.' });
}
