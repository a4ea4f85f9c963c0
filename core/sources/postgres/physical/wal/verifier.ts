/**
 * Reads a write-ahead log without a server: the header of each page, the length, checksum and predecessor of each record. So a
 * gap, a flipped bit or old contents of a file that is used again are seen, and the moment of the last commit is known. The
 * layout is PostgreSQL's (`src/include/access/xlog_internal.h`, `xlogrecord.h`), 13 to 18, on little-endian machines.
 *
 * Places are plain numbers here, exact up to 8 PB of log: numbers without a limit would cost half of the speed.
 */
import { BackupError } from '../../../../base/errors';
import { crc32cOf, CRC32C_START, updateCrc32c } from '../../../../codecs/digest/crc32c';
import { formatLsn, WAL_PAGE_BYTES } from '../lsn';

/** What pages of each major version begin with. */
const MAJORS: Readonly<Record<number, number>> = {
	0xd106: 13,
	0xd10d: 14,
	0xd110: 15,
	0xd113: 16,
	0xd116: 17,
	0xd118: 18,
};
const PAGE_HEADER = 24;
/** Of the first page of a file. */
const LONG_HEADER = 40;
const RECORD_HEADER = 24;
/** Flags of a page. */
const CONTINUES = 1;
const LONG = 2;
/** The server crashed within the record before, and what follows replaces it. */
const OVERWRITES = 8;
/** Resource managers, and the kinds of their records that are looked into. */
const XLOG = 0;
const XACT = 1;
const SWITCH = 0x40;
/**
 * The kinds of records about transactions with which one ends: COMMIT, ABORT, COMMIT_PREPARED, ABORT_PREPARED. Each begins with its time. So
 * does no other kind: PREPARE (0x10), ASSIGNMENT (0x50), INVALIDATIONS (0x60; written where `wal_level` is `logical`).
 */
const ENDINGS: ReadonlySet<number> = new Set([0x00, 0x20, 0x30, 0x40]);
const COMMITS: ReadonlySet<number> = new Set([0x00, 0x30]);
/** The bits of a record about transactions that say its kind. */
const XACT_KIND = 0x70;
const RESTORE_POINT = 0x70;
/** Records are limited to a bit over 1 GB. */
const MAX_RECORD = 1_074_790_400;
/** Enough for the time of a commit, and for the name of a restore point. */
const KEPT = 128;
/** Between 1970 and 2000, where PostgreSQL's times begin, in microseconds. */
const EPOCH_US = 946_684_800_000_000n;
/** Milliseconds from 1970 that a Date can hold, in both directions. */
const MAX_DATE = 8_640_000_000_000_000n;

/** A name that somebody gave to a moment, with `pg_create_restore_point`. */
export interface RestorePoint {
	name: string;
	lsn: string;
}

/** What a piece of log holds. */
export interface LogSummary {
	records: number;
	/** Transactions that were committed. */
	commits: number;
	/**
	 * The latest time at which a transaction was committed or rolled back: a server that is told to stop at an earlier one does stop. Times do not
	 * always rise along the log. Null where no transaction ended.
	 */
	lastCommit: Date | null;
	restorePoints: RestorePoint[];
	/** Behind the last whole record; null where there is none. */
	end: string | null;
	major: number | null;
	systemIdentifier: string | null;
}

export interface VerifierOptions {
	segmentBytes: number;
	/** Refuses log of any other cluster. */
	systemIdentifier?: string;
	/** Of the file names; pages may have the numbers of its ancestors, in rising order. */
	timeline: number;
}

export class LogVerifier {
	readonly #options: VerifierOptions;
	/** Place of the next byte; null before the first one. */
	#next: number | null = null;
	/** The beginning of a page whose end has not come. */
	#rest: Buffer = Buffer.alloc(0);
	#major: number | null = null;
	#systemIdentifier: string | null;
	#lastTimeline = 0;
	/** A page was read: from now on, a continuation belongs to a record that we know. */
	#started = false;
	/** Filled up with zeros from here on. */
	#ended = false;
	/** The rest of a file after a switch means nothing. */
	#skipTo = 0;

	// Of the record that is being read:
	#inRecord = false;
	#recordAt = 0;
	#length = 0;
	#have = 0;
	#crc = 0;
	readonly #head = Buffer.alloc(RECORD_HEADER);
	readonly #kept = Buffer.alloc(KEPT);
	#keptBytes = 0;

	#previous: number | null = null;
	#end: number | null = null;
	#records = 0;
	#commits = 0;
	/** Milliseconds since 1970. */
	#lastCommit: number | null = null;
	readonly #points: RestorePoint[] = [];

	constructor(options: VerifierOptions) {
		this.#options = options;
		this.#systemIdentifier = options.systemIdentifier ?? null;
	}

	/**
	 * Takes the next bytes.
	 * @param at their place; the first ones begin at a page
	 * @throws BackupError 'damaged' with the place
	 */
	add(bytes: Buffer, at: bigint): void {
		const place = Number(at);
		if (this.#next !== null && place !== this.#next)
			throw this.#damaged(place, `follows ${lsn(this.#next)}: bytes are missing`);
		if (this.#next === null && place % WAL_PAGE_BYTES !== 0)
			throw this.#damaged(place, 'is not the beginning of a page');
		this.#next = place + bytes.length;
		const start = place - this.#rest.length;
		const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
		let done = 0;
		for (; done + WAL_PAGE_BYTES <= all.length; done += WAL_PAGE_BYTES) {
			this.#page(all, done, start + done, WAL_PAGE_BYTES);
		}
		this.#rest = Buffer.from(all.subarray(done));
	}

	/** The bytes end here. A record that is cut is no error: the rest of it is in the next piece. @throws BackupError as `add` */
	finish(): LogSummary {
		const rest = this.#rest;
		if (rest.length >= PAGE_HEADER) {
			this.#page(Buffer.concat([rest, Buffer.alloc(8)]), 0, this.#next! - rest.length, rest.length);
		}
		this.#rest = Buffer.alloc(0);
		return {
			records: this.#records,
			commits: this.#commits,
			lastCommit: this.#lastCommit === null ? null : new Date(this.#lastCommit),
			restorePoints: this.#points,
			end: this.#end === null ? null : lsn(this.#end),
			major: this.#major,
			systemIdentifier: this.#systemIdentifier,
		};
	}

	#page(bytes: Buffer, offset: number, at: number, length: number): void {
		if (at < this.#skipTo) return;
		const info = this.#pageHeader(bytes, offset, at);
		if (info === null) return;
		const isFirst = at % this.#options.segmentBytes === 0;
		if (isFirst && length < LONG_HEADER) return;
		if (isFirst) this.#longHeader(bytes, offset, at, info);
		let position = offset + (isFirst ? LONG_HEADER : PAGE_HEADER);
		const end = offset + length;
		if (this.#inRecord && info & OVERWRITES) {
			this.#inRecord = false;
			this.#previous = null;
		} else if (this.#inRecord) {
			this.#assertContinued(at, info, bytes.readUInt32LE(offset + 16));
			position = this.#take(bytes, position, end, at - offset);
		} else if (info & CONTINUES) {
			if (this.#started) throw this.#damaged(at, 'continues a record that nobody began');
			const remaining = bytes.readUInt32LE(offset + 16);
			// Still within a record that began before the first byte.
			if (remaining > end - position) return;
			position += remaining;
		}
		this.#started = true;
		while (position < end && !this.#inRecord && at >= this.#skipTo) {
			// Records begin at multiples of eight.
			position = offset + ((position - offset + 7) & ~7);
			if (end - position < 4) return;
			const total = bytes.readUInt32LE(position);
			if (total === 0) return this.#endAt();
			if (total < RECORD_HEADER || total > MAX_RECORD) {
				throw this.#damaged(at - offset + position, `begins a record of ${total} bytes`);
			}
			this.#begin(at - offset + position, total);
			position = this.#take(bytes, position, end, at - offset);
			if (this.#skipTo > at) return;
		}
	}

	/** @returns the flags; null where the log has ended */
	#pageHeader(bytes: Buffer, offset: number, at: number): number | null {
		const magic = bytes.readUInt16LE(offset);
		const address = bytes.readUInt32LE(offset + 8) + bytes.readUInt32LE(offset + 12) * 2 ** 32;
		if (magic === 0 && address === 0) {
			// Before the first page: the rest of a file that the server left early.
			if (this.#started) this.#endAt();
			return null;
		}
		if (this.#ended) throw this.#damaged(at, 'goes on behind its end');
		const major = MAJORS[magic];
		if (major === undefined) throw this.#damaged(at, 'is no page of a version that is known');
		this.#major ??= major;
		if (major !== this.#major) throw this.#damaged(at, `is a page of PostgreSQL ${major}, not ${this.#major}`);
		// A file that is used again has the pages of its earlier life behind those that were written.
		if (address !== at) throw this.#damaged(at, `has a page that belongs to ${lsn(address)}`);
		const timeline = bytes.readUInt32LE(offset + 4);
		if (timeline > this.#options.timeline || timeline < this.#lastTimeline) {
			throw this.#damaged(at, `has a page of timeline ${timeline}, after one of ${this.#lastTimeline}`);
		}
		this.#lastTimeline = timeline;
		return bytes.readUInt16LE(offset + 2);
	}

	#longHeader(bytes: Buffer, offset: number, at: number, info: number): void {
		if (!(info & LONG)) throw this.#damaged(at, 'begins a file without saying whose it is');
		const systemIdentifier = String(bytes.readBigUInt64LE(offset + 24));
		this.#systemIdentifier ??= systemIdentifier;
		if (systemIdentifier !== this.#systemIdentifier) throw this.#damaged(at, 'belongs to another cluster');
		const [segment, page] = [bytes.readUInt32LE(offset + 32), bytes.readUInt32LE(offset + 36)];
		if (segment !== this.#options.segmentBytes || page !== WAL_PAGE_BYTES) {
			throw this.#damaged(at, `is of files of ${segment} bytes with pages of ${page}`);
		}
	}

	#assertContinued(at: number, info: number, remaining: number): void {
		if (!(info & CONTINUES)) throw this.#damaged(at, 'does not continue the record before');
		const expected = this.#length - this.#have;
		if (remaining !== expected)
			throw this.#damaged(at, `continues with ${remaining} bytes where ${expected} are missing`);
	}

	#begin(at: number, total: number): void {
		this.#inRecord = true;
		this.#recordAt = at;
		this.#length = total;
		this.#have = 0;
		this.#crc = CRC32C_START;
		this.#keptBytes = 0;
	}

	/** Takes what a page has of a record. @returns where it ends in the page */
	#take(bytes: Buffer, from: number, end: number, pageDelta: number): number {
		let position = from;
		if (this.#have < RECORD_HEADER) {
			const count = bytes.copy(this.#head, this.#have, position, Math.min(end, position + RECORD_HEADER - this.#have));
			this.#have += count;
			position += count;
			if (this.#have < RECORD_HEADER) return position;
		}
		const count = Math.min(this.#length - this.#have, end - position);
		if (this.#isWanted() && this.#keptBytes < KEPT) {
			this.#keptBytes += bytes.copy(this.#kept, this.#keptBytes, position, position + count);
		}
		this.#crc = updateCrc32c(this.#crc, bytes, position, position + count);
		this.#have += count;
		position += count;
		if (this.#have === this.#length) this.#complete(pageDelta + position);
		return position;
	}

	#isWanted(): boolean {
		const [manager, info] = [this.#head[17], this.#head[16]!];
		return (manager === XACT && ENDINGS.has(info & XACT_KIND)) || (manager === XLOG && (info & 0xf0) === RESTORE_POINT);
	}

	#complete(end: number): void {
		const head = this.#head;
		const crc = crc32cOf(updateCrc32c(this.#crc, head, 0, 20));
		if (crc !== head.readUInt32LE(20)) throw this.#damaged(this.#recordAt, 'has a record whose checksum is wrong');
		const previous = head.readUInt32LE(8) + head.readUInt32LE(12) * 2 ** 32;
		if (this.#previous !== null && previous !== this.#previous) {
			throw this.#damaged(this.#recordAt, `follows ${lsn(previous)}, which is not the record before`);
		}
		this.#previous = this.#recordAt;
		this.#inRecord = false;
		this.#records++;
		// Where the next one can begin.
		this.#end = Math.ceil(end / 8) * 8;
		const { segmentBytes } = this.#options;
		if (head[17] === XLOG && (head[16]! & 0xf0) === SWITCH) {
			this.#skipTo = (Math.floor(this.#recordAt / segmentBytes) + 1) * segmentBytes;
		} else if (this.#isWanted()) this.#note();
	}

	#note(): void {
		const data = mainData(this.#kept.subarray(0, this.#keptBytes));
		if (data === null || data.length < 8) return;
		if (this.#head[17] === XACT) {
			if (COMMITS.has(this.#head[16]! & XACT_KIND)) this.#commits++;
			const time = (data.readBigInt64LE(0) + EPOCH_US) / 1000n;
			if (time < -MAX_DATE || time > MAX_DATE) return;
			this.#lastCommit = Math.max(this.#lastCommit ?? Number(time), Number(time));
		} else {
			const name = data.subarray(8).toString('utf8').split('\0')[0]!;
			this.#points.push({ name, lsn: lsn(this.#end!) });
		}
	}

	#endAt(): void {
		this.#ended = true;
		this.#inRecord = false;
	}

	#damaged(at: number, why: string): BackupError {
		return new BackupError('damaged', `the write-ahead log at ${lsn(at)} ${why}`, {
			hint: 'It cannot be replayed beyond this place. Make a new base backup now.',
			details: { lsn: lsn(at) },
		});
	}
}

function lsn(place: number): string {
	return formatLsn(BigInt(place));
}

/** What is no page of a record without pages: behind a head of two or five bytes, and what may stand before. Null where it has pages. */
function mainData(data: Buffer): Buffer | null {
	for (let at = 0; at < data.length; ) {
		switch (data[at]) {
			case 255:
				return data.subarray(at + 2);
			case 254:
				return data.subarray(at + 5);
			case 253: // where the change came from
				at += 3;
				break;
			case 252: // the transaction above
				at += 5;
				break;
			default:
				return null;
		}
	}
	return null;
}
