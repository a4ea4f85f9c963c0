/**
 * Places in the write-ahead log (log sequence numbers, LSN), and the names of the files it lies in. A place is a count of
 * bytes since the cluster was made, as PostgreSQL writes it: two hexadecimal numbers of 32 bits, `16/B374D848`.
 */
import { BackupError } from '../../../base/errors';

/** Bytes of a page of the log, in every server that is built as usual. */
export const WAL_PAGE_BYTES = 8192;

const LSN = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i;

/** Whether something is a place in the log, as text. */
export function isLsn(value: unknown): value is string {
	return typeof value === 'string' && LSN.test(value);
}

/**
 * Reads a place in the log.
 * @throws BackupError 'invalid-input'
 */
export function parseLsn(text: string): bigint {
	const [, high, low] = LSN.exec(text) ?? [];
	if (high === undefined || low === undefined) {
		throw new BackupError('invalid-input', `"${text}" is no place in the write-ahead log`, {
			hint: 'Write it as PostgreSQL does: 16/B374D848.',
		});
	}
	return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

/** As PostgreSQL writes it. */
export function formatLsn(lsn: bigint): string {
	return `${hex(lsn >> 32n)}/${hex(lsn & 0xffff_ffffn)}`;
}

/** As text of 16 digits, which sorts as the places do. */
export function sortableLsn(lsn: bigint): string {
	return hex(lsn).padStart(16, '0');
}

/**
 * The name of the file that holds a place of a timeline.
 * @param segmentBytes size of such files in this cluster: 16 MB unless its `initdb` was told otherwise
 */
export function segmentName(timeline: number, lsn: bigint, segmentBytes: number): string {
	const number = lsn / BigInt(segmentBytes);
	const perGroup = 0x1_0000_0000n / BigInt(segmentBytes);
	return [BigInt(timeline), number / perGroup, number % perGroup].map((part) => hex(part).padStart(8, '0')).join('');
}

/** Which file of the log a name means: its timeline, and the place of its first byte; null for what is no such name. */
export function segmentOfName(name: string, segmentBytes: number): { timeline: number; start: bigint } | null {
	if (!/^[0-9A-F]{24}$/.test(name)) return null;
	const [timeline, group, within] = [0, 8, 16].map((at) => BigInt(`0x${name.slice(at, at + 8)}`));
	const perGroup = 0x1_0000_0000n / BigInt(segmentBytes);
	return { timeline: Number(timeline), start: (group! * perGroup + within!) * BigInt(segmentBytes) };
}

/** The name of the file that says where a timeline comes from. */
export function historyName(timeline: number): string {
	return `${timelineText(timeline)}.history`;
}

/** A timeline as it stands in names of files: eight digits. */
export function timelineText(timeline: number): string {
	return hex(BigInt(timeline)).padStart(8, '0');
}

/** The first byte of the file that holds a place. */
export function segmentStart(lsn: bigint, segmentBytes: number): bigint {
	return lsn - (lsn % BigInt(segmentBytes));
}

/** Where a timeline ended, of those that a history file names. */
export interface TimelineEnd {
	timeline: number;
	end: bigint;
}

const HISTORY_LINE = /^\s*(\d{1,10})\s+([0-9A-F]{1,8}\/[0-9A-F]{1,8})(?:\s|$)/i;

/** Reads a history file: one line per ancestor, the oldest first. What is no such line is a comment. */
export function parseHistory(text: string): TimelineEnd[] {
	return text.split('\n').flatMap((line) => {
		const [, timeline, end] = HISTORY_LINE.exec(line) ?? [];
		return timeline === undefined || end === undefined ? [] : [{ timeline: Number(timeline), end: parseLsn(end) }];
	});
}

function hex(value: bigint): string {
	return value.toString(16).toUpperCase();
}
