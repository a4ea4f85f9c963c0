/**
 * CRC-32C (Castagnoli; reversed polynomial 0x82F63B78), the checksum of PostgreSQL's backup manifests and of its write-ahead log.
 * Eight tables, eight bytes a step: about 1 GB/s on one core.
 */

const TABLES = makeTables();

function makeTables(): Int32Array {
	const tables = new Int32Array(8 * 256);
	for (let byte = 0; byte < 256; byte++) {
		let crc = byte;
		for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
		tables[byte] = crc;
	}
	for (let byte = 0; byte < 256; byte++) {
		for (let table = 1; table < 8; table++) {
			const before = tables[(table - 1) * 256 + byte]!;
			tables[table * 256 + byte] = (before >>> 8) ^ tables[before & 255]!;
		}
	}
	return tables;
}

/** What a computation begins with. */
export const CRC32C_START = -1;

/**
 * Goes on with a computation.
 * @param state {@link CRC32C_START}, or what the call before returned
 * @returns the state behind these bytes; {@link crc32cOf} makes the checksum of it
 */
export function updateCrc32c(state: number, bytes: Uint8Array, start = 0, end = bytes.length): number {
	const tables = TABLES;
	let crc = state;
	let at = start;
	for (; end - at >= 8; at += 8) {
		const low = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
		crc =
			tables[1792 + (low & 255)]! ^
			tables[1536 + ((low >>> 8) & 255)]! ^
			tables[1280 + ((low >>> 16) & 255)]! ^
			tables[1024 + (low >>> 24)]! ^
			tables[768 + bytes[at + 4]!]! ^
			tables[512 + bytes[at + 5]!]! ^
			tables[256 + bytes[at + 6]!]! ^
			tables[bytes[at + 7]!]!;
	}
	for (; at < end; at++) crc = (crc >>> 8) ^ tables[(crc ^ bytes[at]!) & 255]!;
	return crc;
}

/** The checksum: a number of 32 bits. */
export function crc32cOf(state: number): number {
	return ~state >>> 0;
}
