/**
 * The beginning of a dump in custom format, as far as it can be judged without pg_restore: its signature, its version, how
 * its numbers are written, and how many entries its table of contents has (ReadHead and ReadToc in
 * src/bin/pg_dump/pg_backup_archiver.c). The entries themselves and the blocks of data are proved by the digests only.
 */
import type { Readable } from 'node:stream';
import { BackupError } from '../../../base/errors';

/** Every archive begins with it. */
export const ARCHIVE_MAGIC = 'PGDMP';
/** 1.10 came with PostgreSQL 7.4, 1.16 with 16. */
const OLDEST = [1, 10];
/** Since then, the compression is one byte instead of a number. */
const COMPRESSION_BYTE_SINCE = [1, 15];
const CUSTOM = 1;
/** A header has about a hundred bytes; the database's name makes the difference. */
export const HEADER_BYTES = 4096;

export interface ArchiveHeader {
	/** Of the archive format, e.g. "1.16". */
	version: string;
	/** Of the dumped server and of the pg_dump, as they call themselves. */
	serverVersion: string;
	dumpVersion: string;
	/** In the table of contents. */
	entries: number;
}

/**
 * The first {@link HEADER_BYTES} of a dump, or all when there are fewer. The rest is not read: the stream is destroyed.
 * @throws errors of the stream
 */
export async function readStart(body: Readable): Promise<Buffer> {
	const chunks: Buffer[] = [];
	let bytes = 0;
	for await (const chunk of body as AsyncIterable<Buffer>) {
		chunks.push(chunk);
		bytes += chunk.length;
		if (bytes >= HEADER_BYTES) break;
	}
	return Buffer.concat(chunks).subarray(0, HEADER_BYTES);
}

/**
 * Reads the header of an archive.
 * @param start what {@link readStart} gives
 * @throws BackupError 'damaged'
 */
export function readArchiveHeader(start: Buffer): ArchiveHeader {
	if (start.toString('latin1', 0, ARCHIVE_MAGIC.length) !== ARCHIVE_MAGIC)
		throw damaged('it does not begin with PGDMP');
	let at = ARCHIVE_MAGIC.length;
	const take = (length: number) => {
		if (at + length > start.length) throw damaged('it ends within its header');
		at += length;
		return start.subarray(at - length, at);
	};
	const byte = () => take(1).readUInt8();
	const [major, minor] = [byte(), byte()];
	byte(); // the revision
	const integerBytes = byte();
	const offsetBytes = byte();
	if (!reaches([major, minor], OLDEST) || ![4, 8].includes(integerBytes) || ![4, 8].includes(offsetBytes)) {
		throw damaged(`no pg_dump writes version ${major}.${minor} with numbers of ${integerBytes} bytes`);
	}
	const integer = () => {
		const sign = byte();
		const value = take(integerBytes).readUIntLE(0, 4);
		return sign === 0 ? value : -value;
	};
	const text = () => take(Math.max(0, integer())).toString('latin1');
	const format = byte();
	if (format !== CUSTOM) throw damaged(`its format is ${format}, not custom`);
	if (reaches([major, minor], COMPRESSION_BYTE_SINCE)) byte();
	else integer();
	for (let i = 0; i < 7; i++) integer(); // when it was made
	text(); // the database's name
	const serverVersion = text();
	const dumpVersion = text();
	const entries = integer();
	if (entries < 1) throw damaged('its table of contents is empty');
	return { version: `${major}.${minor}`, serverVersion, dumpVersion, entries };
}

function reaches([major = 0, minor = 0]: number[], [wantedMajor = 0, wantedMinor = 0]: number[]): boolean {
	return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

function damaged(why: string): BackupError {
	return new BackupError('damaged', `the dump is not a custom-format archive of pg_dump: ${why}`, {
		hint: 'Use another backup.',
	});
}
