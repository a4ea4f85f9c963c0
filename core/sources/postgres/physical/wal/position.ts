/** How far the log is stored, and how the next piece is known to belong behind it. */
import { createHash } from 'node:crypto';
import { BackupError } from '../../../../base/errors';
import type { Manifest } from '../../../../records/manifest';
import { START_OVER } from '../errors';
import { isLsn, parseLsn, WAL_PAGE_BYTES } from '../lsn';
import { LOG } from './word';

/** Where the newest backup of log ends, as its manifest says in the clear. */
export interface LogPosition {
	timeline: number;
	/** Behind the last byte that is stored. */
	end: bigint;
	/** SHA-256, hex, of the bytes of the last page up to `end`. */
	tail: string;
	/** The mark of the server. */
	server: string | null;
}

/** Where the last page begins, which is read again by the next run. */
export function tailStart(end: bigint): bigint {
	const page = BigInt(WAL_PAGE_BYTES);
	return end - (end % page === 0n ? page : end % page);
}

/**
 * How far the log is stored.
 * @param previous the newest backup of the group
 * @throws BackupError 'invalid-manifest' where it does not say so
 */
export function positionOf(previous: Manifest | null): LogPosition | null {
	if (previous?.source.kind !== LOG) return null;
	const { end } = assertLogRange(previous);
	const { timeline, tail } = previous.source.details;
	if (typeof timeline !== 'number' || typeof tail !== 'string') throw unclear(previous);
	return { timeline, end, tail, server: previous.source.server };
}

/** Places in the log: of the first byte, and behind the last one. */
export interface LogRange {
	start: bigint;
	end: bigint;
}

/** What of the log a base backup or a backup of log holds, as its manifest says in the clear; null where it does not say so. */
export function logRangeOf({ source }: Pick<Manifest, 'source'>): LogRange | null {
	const { walStart, walEnd } = source.details;
	return isLsn(walStart) && isLsn(walEnd) ? { start: parseLsn(walStart), end: parseLsn(walEnd) } : null;
}

/** The same. @throws BackupError 'invalid-manifest' where it does not say so */
export function assertLogRange(manifest: Manifest): LogRange {
	const range = logRangeOf(manifest);
	if (range === null) throw unclear(manifest);
	return range;
}

function unclear({ group, label }: Manifest): BackupError {
	return new BackupError('invalid-manifest', `${group}/${label} does not say how far it goes`, {
		hint: 'No program of ours writes that. Look at who else writes to this storage.',
	});
}

/**
 * Looks whether what the server has in the last page that is stored is what is stored.
 * @param log of the server, from {@link tailStart} on
 * @throws BackupError 'broken-log' when it is not; those of the stream
 */
export async function assertTail(log: AsyncIterable<Buffer>, { end, tail }: LogPosition): Promise<void> {
	const hash = createHash('sha256');
	let missing = Number(end - tailStart(end));
	for await (const bytes of log) {
		const part = bytes.subarray(0, missing);
		hash.update(part);
		missing -= part.length;
	}
	if (missing > 0) throw behind();
	if (hash.digest('hex') === tail) return;
	throw new BackupError('broken-log', 'the server’s log is another one than the one that is stored', {
		hint: `${START_OVER} It was put back to an older state, or replaced.`,
	});
}

/** The server has not written yet what is stored. */
export function behind(): BackupError {
	return new BackupError('broken-log', 'the server’s log ends before the one that is stored', {
		hint: `${START_OVER} It was put back to an older state.`,
	});
}
