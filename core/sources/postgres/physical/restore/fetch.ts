/** Gives a server that restores one file of its log, put together from stored pieces: what its `restore_command` asks for. */
import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { abortError, BackupError } from '../../../../base/errors';
import type { Repository } from '../../../../records/repository';
import type { OpenBackup } from '../../../source';
import type { ClusterContents } from '../base/contents';
import { logGroupOf } from '../groups';
import { formatLsn, segmentOfName } from '../lsn';
import { toRestoreError } from './destination';
import { assertSameLog, readOwnLog } from './own-log';
import { buildIndex, type IndexedBase, type IndexedPiece, type LogIndex, readIndex, writeIndex } from './log-index';

export interface FetchRequest {
	repository: Repository;
	/** The base backup that the server was restored from: it says which log is its own. */
	base: IndexedBase;
	/** The name that the server asks for: `%f`. */
	file: string;
	/** Where it wants it: `%p`. Appears whole, or not at all. */
	to: string;
	/** Where log is missing, give what is before that, and nothing behind it; otherwise that is an error. */
	upToGap?: boolean;
	/** Opens one backup. */
	open: (group: string, label: string) => Promise<OpenBackup>;
	signal: AbortSignal;
}

/**
 * Fetches a file of the log.
 * @returns false where nothing of it is stored, which means to the server that the log ends before it
 * @throws BackupError for all that must not be taken for the end of the log: 'broken-log' where log is missing, and more of it is stored behind
 * that; 'not-found', 'damaged', 'wrong-identity', 'storage-failed', those of the storage
 */
export async function fetchLogFile(request: FetchRequest): Promise<boolean> {
	try {
		return await fetch(request);
	} catch (error) {
		throw request.signal.aborted ? abortError(request.signal) : toRestoreError(error);
	}
}

async function fetch(request: FetchRequest): Promise<boolean> {
	const { repository, base, file, to } = request;
	const folder = path.dirname(to);
	const known = await readIndex(folder, repository, base);
	if (known !== null) {
		const found = await find(known, file, folder);
		if (found?.isWhole) return await give(found, request);
	}
	// There may be more by now.
	const readBase = async () => (await request.open(base.group, base.label)).contents as ClusterContents;
	const index = await buildIndex(repository, base, { readBase, signal: request.signal });
	await writeIndex(folder, index);
	const found = await find(index, file, folder);
	if (found?.missing && !request.upToGap) throw gap(index);
	return found === null || found.bytes.length === 0 ? false : await give(found, request);
}

/** What of a file is stored. */
interface Found {
	/** Its beginning, as the base backup brought it, and where that ends; empty where it brought nothing of it. */
	own: { bytes: Buffer; end: bigint };
	/** In order, without holes; the first may hold something of what the base backup brought. `at` is the place in the file. */
	bytes: Array<Pick<IndexedPiece, 'label' | 'part'> & { from: number; length: number; at: number }>;
	/** The file has this size; null where it is as long as its bytes. */
	size: number | null;
	/** Nothing more can come. */
	isWhole: boolean;
	/** More is stored behind it, and something before that is not. */
	missing: boolean;
}

/** @param folder where the log is restored @returns null for a name that no log has, and for what the base backup brought as a whole */
async function find(index: LogIndex, file: string, folder: string): Promise<Found | null> {
	const [, history] = /^([0-9A-F]{8})\.history$/.exec(file) ?? [];
	if (history !== undefined) {
		const found = index.histories.findLast(({ timeline }) => timeline === parseInt(history, 16));
		if (!found) return null;
		return { ...WHOLE, bytes: [{ ...found, from: 0, length: Infinity, at: 0 }] };
	}
	const segment = segmentOfName(file, index.segmentBytes);
	return segment && (await findSegment(index, segment, folder));
}

const NOTHING = { bytes: Buffer.alloc(0), end: 0n };
const WHOLE = { own: NOTHING, size: null, isWhole: true, missing: false };

async function findSegment(
	index: LogIndex,
	{ timeline, start }: { timeline: number; start: bigint },
	folder: string,
): Promise<Found | null> {
	const { segmentBytes, baseTimeline } = index;
	const until = start + BigInt(segmentBytes);
	const [baseEnd, end] = [BigInt(index.baseEnd), BigInt(index.end)];
	const isOwn = timeline === baseTimeline && start < baseEnd;
	const brought = isOwn ? await readOwnLog({ folder, timeline, end: baseEnd, segmentBytes }, start) : null;
	if (brought?.length === segmentBytes) return null;
	const own = brought === null ? NOTHING : { bytes: brought, end: baseEnd };
	const found: Found = { own, bytes: [], size: segmentBytes, isWhole: false, missing: false };
	let at = start + BigInt(own.bytes.length);
	for (const { label, part, ...piece } of index.pieces) {
		const [first, last] = [BigInt(piece.start), BigInt(piece.end)];
		if (piece.timeline !== timeline || first > at || last <= at) continue;
		const to = last < until ? last : until;
		// With what the base backup has of it, to be compared.
		const from = found.bytes.length > 0 ? at : first > start ? first : start;
		found.bytes.push({ label, part, from: Number(from - first), length: Number(to - from), at: Number(from - start) });
		at = to;
		if (at === until) return { ...found, isWhole: true };
	}
	// Pieces overlap by a page at least, so that a hole is where log is missing; what the base backup brings may lack its beginning.
	const isBehindBase = until > baseEnd;
	const isHole = index.pieces.some((piece) => piece.timeline === timeline && BigInt(piece.start) > at);
	if (isOwn && isBehindBase && brought === null && at === start && end > baseEnd) throw noOwnLog(folder);
	found.missing = isBehindBase && ((isHole && start > baseEnd) || (index.gap !== null && until > end));
	return found;
}

/** Writes it beside its place first, so that the server never finds a part of it. */
async function give({ own, bytes, size }: Found, { base, to, open, signal }: FetchRequest): Promise<boolean> {
	const half = `${to}.${randomUUID()}`;
	const handle = await fs.open(half, 'wx', 0o600);
	try {
		await handle.write(own.bytes);
		for (const { label, part, from, length, at } of bytes) {
			let place = at;
			const backup = await open(logGroupOf(base.group), label);
			const stored = backup.manifest.parts.find(({ role, name }) => role === 'data' && name === part)!;
			const access = await backup.openAt(stored);
			for await (const chunk of access.read(from, Math.min(length, stored.original.bytes - from))) {
				if (signal.aborted) throw abortError(signal);
				const brought = own.bytes.subarray(place, place + chunk.length);
				assertSameLog(brought, chunk, { name: `${backup.manifest.group}/${label}`, end: own.end });
				await handle.write(chunk, 0, chunk.length, place);
				place += chunk.length;
			}
		}
		// Behind the last byte that is stored: zeros, as behind the last one that a server has written.
		if (size !== null) await handle.truncate(size);
		await handle.close();
		await fs.rename(half, to);
		return true;
	} catch (error) {
		await handle.close().catch(() => undefined);
		await fs.rm(half, { force: true });
		throw error;
	}
}

function noOwnLog(folder: string): BackupError {
	return new BackupError('broken-log', `the log that the base backup brought is not in ${folder}`, {
		hint: 'Let the command write into the folder pg_wal of the restored cluster, as the server asks it to, with what the restore has put there.',
	});
}

function gap({ end, gap: label }: LogIndex): BackupError {
	return new BackupError(
		'broken-log',
		`nothing is stored of the log behind ${formatLsn(BigInt(end))}${label === null ? '' : `, up to ${label}`}`,
		{
			hint: 'What is before that can be restored: add --up-to-gap to restore_command. To have what is behind it, restore from a later base backup.',
		},
	);
}
