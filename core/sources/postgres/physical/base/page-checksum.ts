/**
 * The checksum of a data page: 32 sums side by side, each by FNV-1a with a shift, and the page's number in its file.
 * (PostgreSQL, `src/include/storage/checksum_impl.h`; the same from 9.3 to 18.)
 */

/** Bytes of a page; other servers are refused before anything is backed up. */
export const PAGE_BYTES = 8192;

const PRIME = 16777619;
const SUMS = 32;
const WORDS = PAGE_BYTES / 4;

/** What each sum begins with. */
const BEGINNINGS = Int32Array.of(
	...[0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c],
	...[0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb],
	...[0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4],
	...[0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756],
);

/**
 * Computes it.
 * @param page little-endian words of a page, whose own checksum (bytes 8 and 9) is zero
 * @param block its number in the file of the relation, counted over all of its files of 1 GB
 * @returns 1 to 65535
 */
export function pageChecksum(page: Int32Array, block: number): number {
	let all = 0;
	// Four sums at a time: a multiplication takes longer than the step to the next one.
	for (let sum = 0; sum < SUMS; sum += 4) {
		let [a, b, c, d] = [BEGINNINGS[sum]!, BEGINNINGS[sum + 1]!, BEGINNINGS[sum + 2]!, BEGINNINGS[sum + 3]!];
		for (let at = sum; at < WORDS; at += SUMS) {
			a ^= page[at]!;
			a = Math.imul(a, PRIME) ^ (a >>> 17);
			b ^= page[at + 1]!;
			b = Math.imul(b, PRIME) ^ (b >>> 17);
			c ^= page[at + 2]!;
			c = Math.imul(c, PRIME) ^ (c >>> 17);
			d ^= page[at + 3]!;
			d = Math.imul(d, PRIME) ^ (d >>> 17);
		}
		for (let round = 0; round < 2; round++) {
			a = Math.imul(a, PRIME) ^ (a >>> 17);
			b = Math.imul(b, PRIME) ^ (b >>> 17);
			c = Math.imul(c, PRIME) ^ (c >>> 17);
			d = Math.imul(d, PRIME) ^ (d >>> 17);
		}
		all ^= a ^ b ^ c ^ d;
	}
	return (((all ^ block) >>> 0) % 65535) + 1;
}
