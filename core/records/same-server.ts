/**
 * Whether a group's backups come from one server. Two servers that both have a database `shop` would fill the same group in turn:
 * the newest backup, what retention keeps, and what a restore takes, would be now one's and now the other's.
 */
import { createHash } from 'node:crypto';
import { BackupError, type ErrorCode } from '../base/errors';
import { inParallel } from '../base/in-parallel';
import type { Manifest } from './manifest';
import { NOT_AUTHENTIC } from './authority';
import { readable } from './proof';
import { chooseReadable } from './readable-choice';
import type { BackupEntry, Repository } from './repository';
import { newestOfEach } from './newest';

/** Manifests read at the same time. */
const READERS = 16;
/** Of these nobody can say where they came from, which keeps no backup from being made. */
const NOT_FOR_US: readonly ErrorCode[] = ['invalid-manifest', 'damaged', 'not-found', 'newer-format', ...NOT_AUTHENTIC];

/** What a backup's manifest says of where it came from. */
export interface Origin {
	/** Null where nobody knows. */
	server: string | null;
	/** Why the manifest cannot be read; null when it can. */
	unreadable: string | null;
}

/** Which servers backups came from, as far as their manifests can be read. */
export async function originsOf(
	repository: Repository,
	entries: readonly BackupEntry[],
	signal: AbortSignal,
): Promise<Map<BackupEntry, Origin>> {
	const origins = new Map<BackupEntry, Origin>();
	await inParallel(entries, READERS, async (entry) => {
		const read = async () => await repository.readManifest(entry.group, entry.label, signal);
		const found = await readable(read, { codes: NOT_FOR_US, signal });
		const isUnreadable = 'why' in found;
		origins.set(entry, {
			server: isUnreadable ? null : found.value.source.server,
			unreadable: isUnreadable ? found.why : null,
		});
	});
	return origins;
}

/** The newest backup of a group that can be read. */
export interface NewestBackup {
	manifest: Manifest;
	/** Of the manifest's text. */
	sha256: string;
}

/**
 * Reads the manifest of a group's newest backup; null where there is none that can be read.
 * @throws BackupError of the storage
 */
export async function readNewest(
	repository: Repository,
	group: string,
	signal: AbortSignal,
): Promise<NewestBackup | null> {
	const { chosen } = await chooseReadable(repository, await repository.list(group), newestOfEach, signal);
	const [newest] = chosen;
	if (!newest) return null;
	const read = async () => await repository.readManifestText(group, newest.label, signal);
	const found = await readable(read, { codes: NOT_FOR_US, signal });
	if ('why' in found) return null;
	const { manifest, text } = found.value;
	return { manifest, sha256: createHash('sha256').update(text).digest('hex') };
}

/**
 * Compares with the newest backup of the group: who allows another server once has done with it.
 * @param server null where it does not say which one it is
 * @returns a warning where another server is allowed, and it is one
 * @throws BackupError 'another-server'
 */
export function assertSameServer(
	newest: NewestBackup | null,
	server: string | null,
	{ allowed }: { allowed: boolean },
): string[] {
	const before = newest?.manifest.source.server ?? null;
	if (newest === null || server === null || before === null || before === server) return [];
	const { group, label } = newest.manifest;
	const found = `the newest backup of ${group}, ${label}, came from another server`;
	if (allowed) return [found];
	throw new BackupError('another-server', found, {
		hint: 'Give each server a group of its own (another group prefix). If this is the same one, moved, upgraded or made anew, allow another server for one run: --allow-another-server, or the option Allow Another Server.',
	});
}
