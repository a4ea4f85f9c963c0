/** Where the data of a file with holes are. Node cannot ask the system, so zeros are looked for in what it reads. */
import fs from 'node:fs';

/** Holes are as large as a block of the file system, or larger. */
const HOLE_BYTES = 4096;
const BUFFER_BYTES = 1024 * 1024;
/** Of a file with more extents, small holes become zeros: its map would be larger than what it saves. */
const MAX_EXTENTS = 10_000;
const zeros = Buffer.alloc(HOLE_BYTES);

/** Whether a file takes less space than it has bytes. */
export function hasHoles({ size, blocks }: fs.BigIntStats): boolean {
	return Number(blocks) * 512 < Number(size);
}

/**
 * Pairs of offset and length of what is not zero, from the start of a file to `size`. Reads all of it.
 * @param fd the file, open for reading
 */
export function findExtents(fd: number, size: number): Array<[number, number]> {
	const buffer = Buffer.allocUnsafe(BUFFER_BYTES);
	const extents: Array<[number, number]> = [];
	for (let position = 0; position < size; ) {
		const count = fs.readSync(fd, buffer, 0, Math.min(BUFFER_BYTES, size - position), position);
		if (count === 0) break;
		for (let at = 0; at < count; at += HOLE_BYTES) {
			const length = Math.min(HOLE_BYTES, count - at);
			if (buffer.compare(zeros, 0, length, at, at + length) !== 0) add(extents, position + at, length);
		}
		position += count;
	}
	return extents;
}

function add(extents: Array<[number, number]>, offset: number, length: number): void {
	const last = extents.at(-1);
	if (last && (last[0] + last[1] === offset || extents.length === MAX_EXTENTS)) last[1] = offset + length - last[0];
	else extents.push([offset, length]);
}
