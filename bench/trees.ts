/** Trees of files to back up. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

/**
 * Makes files of one size, a hundred in a folder.
 * @param text how much of each is text that compresses, from 0 to 1; the rest does not
 * @returns bytes of all
 */
export function makeFiles(folder: string, count: number, size: number, text: number): number {
	const words = Buffer.from('The quick brown fox jumps over the lazy dog, and writes it down again. '.repeat(400));
	for (let number = 0; number < count; number++) {
		const below = path.join(folder, String(Math.floor(number / 1000)), String(Math.floor(number / 100) % 10));
		if (number % 100 === 0 || number === 0) fs.mkdirSync(below, { recursive: true });
		const file = path.join(below, `file-${number}.dat`);
		const fd = fs.openSync(file, 'w');
		for (let left = size; left > 0; left -= 1e7) {
			const random = randomBytes(Math.ceil(Math.min(left, 1e7) * (1 - text)));
			fs.writeSync(fd, Buffer.concat([random, words.subarray(0, Math.floor(Math.min(left, 1e7) * text))]));
		}
		fs.closeSync(fd);
	}
	return count * size;
}
