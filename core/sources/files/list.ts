/** What is inside of archives, and how two of them differ: from their indexes alone. */
import { BackupError } from '../../base/errors';
import type { OpenBackup } from '../source';
import type { Entry } from './entry';
import { entriesOf } from './entries-of';
import type { MergedEntry } from './merge';
import { type Bytes, fromText, toDisplay } from './names';

/** One thing that a backup holds. */
export interface ListedEntry {
	/** For people. */
	path: string;
	type: Entry['type'];
	/** Bytes of a file; null of all else. */
	size: number | null;
	/** Octal digits. */
	mode: string;
	/** Name or number. */
	owner: string;
	/** ISO 8601, UTC. */
	modifiedAt: string;
	/** What a link points to; null of all else. */
	target: string | null;
	/** Which backup of the chain holds its contents. */
	backup: string;
}

/** Something that is not the same in two backups. */
export interface ListedChange {
	path: string;
	change: 'added' | 'removed' | 'changed';
	/** Of what changed: contents, mode, owner, time, type, target. */
	what: string[];
}

/**
 * Gives what a backup holds, in the order of its index.
 * @param options.path only this folder, and all below it; or one file
 * @throws BackupError 'not-found' when there is no such path; those of opening its parts
 */
export async function* listEntries(
	backup: OpenBackup,
	{ path, signal }: { path?: string; signal: AbortSignal },
): AsyncGenerator<ListedEntry, void, undefined> {
	const wanted = path === undefined ? '' : fromText(path.replace(/^\/+|\/+$/g, ''));
	let found = false;
	for await (const entry of entriesOf(backup, signal)) {
		if (!isWithin(entry.path, wanted)) continue;
		found = true;
		yield listed(entry, backup);
	}
	if (found || wanted === '') return;
	const { group, label } = backup.manifest;
	throw new BackupError('not-found', `${group}/${label} has nothing called ${path}`, {
		hint: 'List it without a path: names begin at the root, e.g. srv/www/index.html.',
	});
}

/**
 * Compares two backups of a group: what was added, removed, changed from the first to the second.
 * @throws BackupError those of opening their parts
 */
export async function* diffBackups(
	before: OpenBackup,
	after: OpenBackup,
	signal: AbortSignal,
): AsyncGenerator<ListedChange, void, undefined> {
	const left = entriesOf(before, signal);
	const right = entriesOf(after, signal);
	try {
		let a = await next(left);
		let b = await next(right);
		while (a ?? b) {
			if (a && (!b || a.key < b.key)) {
				yield { path: toDisplay(a.path), change: 'removed', what: [] };
				a = await next(left);
			} else if (b && (!a || b.key < a.key)) {
				yield { path: toDisplay(b.path), change: 'added', what: [] };
				b = await next(right);
			} else {
				const what = differences(a!, b!);
				if (what.length > 0) yield { path: toDisplay(b!.path), change: 'changed', what };
				a = await next(left);
				b = await next(right);
			}
		}
	} finally {
		await left.return();
		await right.return();
	}
}

async function next(entries: AsyncGenerator<MergedEntry, void, undefined>): Promise<MergedEntry | null> {
	return (await entries.next()).value ?? null;
}

function differences(a: Entry, b: Entry): string[] {
	return [
		a.type !== b.type ? 'type' : null,
		a.sha256 !== b.sha256 ? 'contents' : null,
		a.target !== b.target ? 'target' : null,
		a.mode !== b.mode ? 'mode' : null,
		a.uid !== b.uid || a.gid !== b.gid ? 'owner' : null,
		a.mtime !== b.mtime ? 'time' : null,
	].filter((each) => each !== null);
}

function isWithin(path: Bytes, wanted: Bytes): boolean {
	return wanted === '' || path === wanted || path.startsWith(`${wanted}/`);
}

function listed(entry: MergedEntry, { manifest: { label, parents } }: OpenBackup): ListedEntry {
	const { path, type, size, mode = 0, user, uid, mtime, target, holder } = entry;
	return {
		path: toDisplay(path),
		type,
		size: size ?? null,
		mode: mode.toString(8).padStart(4, '0'),
		owner: user === undefined ? String(uid) : toDisplay(user),
		modifiedAt: isoTime(mtime!),
		target: target === undefined ? null : toDisplay(target),
		backup: holder === 0 ? label : (parents[holder - 1] ?? label),
	};
}

/** Beyond the years that a date can hold, the seconds themselves. */
function isoTime(mtime: string): string {
	const date = new Date(Number(mtime) * 1000);
	return Number.isNaN(date.getTime()) ? `@${mtime}` : date.toISOString();
}
