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
		const found = find(known, file);
		if (found?.isWhole) return await give(found, request);
	}
	// There may be more by now.
	const readBase = async () => (await request.open(base.group, base.label)).contents as ClusterContents;
	const index = await buildIndex(repository, base, { readBase, signal: request.signal });
	await writeIndex(folder, index);
	const found = find(index, file);
	if (found?.missing && !request.upToGap) throw gap(index);
	return found === null || found.bytes.length === 0 ? false : await give(found, request);
}

/** What of a file is stored. */
interface Found {
	/** In order, without holes. */
	bytes: Array<Pick<IndexedPiece, 'label' | 'part'> & { from: number; length: number }>;
	/** The file has this size; null where it is as long as its bytes. */
	size: number | null;
	/** Nothing more can come. */
	isWhole: boolean;
	/** More is stored behind it, and something before that is not. */
	missing: boolean;
}

/** @returns null for a name that no log has */
function find(index: LogIndex, file: string): Found | null {
	const [, history] = /^([0-9A-F]{8})\.history$/.exec(file) ?? [];
	if (history !== undefined) {
		const found = index.histories.findLast(({ timeline }) => timeline === parseInt(history, 16));
		if (!found) return null;
		return { bytes: [{ ...found, from: 0, length: Infinity }], size: null, isWhole: true, missing: false };
	}
	const segment = segmentOfName(file, index.segmentBytes);
	return segment && findSegment(index, segment);
}

function findSegment(index: LogIndex, { timeline, start }: { timeline: number; start: bigint }): Found {
	const until = start + BigInt(index.segmentBytes);
	const [baseEnd, end] = [BigInt(index.baseEnd), BigInt(index.end)];
	const found: Found = { bytes: [], size: index.segmentBytes, isWhole: false, missing: false };
	let at = start;
	for (const { label, part, ...piece } of index.pieces) {
		const [first, last] = [BigInt(piece.start), BigInt(piece.end)];
		if (piece.timeline !== timeline || first > at || last <= at) continue;
		const to = last < until ? last : until;
		found.bytes.push({ label, part, from: Number(at - first), length: Number(to - at) });
		at = to;
		if (at === until) return { ...found, isWhole: true };
	}
	// Pieces overlap by a page at least, so that a hole is where log is missing; what the base backup brings may lack its beginning.
	const isBehindBase = until > baseEnd;
	const isHole = index.pieces.some((piece) => piece.timeline === timeline && BigInt(piece.start) > at);
	found.missing = isBehindBase && ((isHole && start > baseEnd) || (index.gap !== null && until > end));
	return found;
}

/** Writes it beside its place first, so that the server never finds a part of it. */
async function give({ bytes, size }: Found, { base, to, open, signal }: FetchRequest): Promise<boolean> {
	const half = `${to}.${randomUUID()}`;
	const handle = await fs.open(half, 'wx', 0o600);
	try {
		let at = 0;
		for (const { label, part, from, length } of bytes) {
			const backup = await open(logGroupOf(base.group), label);
			const stored = backup.manifest.parts.find(({ role, name }) => role === 'data' && name === part)!;
			const access = await backup.openAt(stored);
			for await (const chunk of access.read(from, Math.min(length, stored.original.bytes - from))) {
				if (signal.aborted) throw abortError(signal);
				await handle.write(chunk, 0, chunk.length, at);
				at += chunk.length;
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

function gap({ end, gap: label }: LogIndex): BackupError {
	return new BackupError(
		'broken-log',
		`nothing is stored of the log behind ${formatLsn(BigInt(end))}${label === null ? '' : `, up to ${label}`}`,
		{
			hint: 'What is before that can be restored: add --up-to-gap to restore_command. To have what is behind it, restore from a later base backup.',
		},
	);
}
