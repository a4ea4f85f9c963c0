/** What lies in a folder that is a storage, seen without our own code. */
import fs from 'node:fs';
import path from 'node:path';

/** Every file below a folder, by its path from there, sorted. */
export function filesBelow(folder: string): string[] {
	return fs
		.readdirSync(folder, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
		.sort();
}

/** One for each backup. */
export function manifestsBelow(folder: string): string[] {
	return filesBelow(folder).filter((file) => file.endsWith('/manifest.json'));
}

/** One for each verification: "postgres/shop/<label>/verified-<time>-restored-ok.json". */
export function evidenceBelow(folder: string): string[] {
	return filesBelow(folder).filter((file) => path.basename(file).startsWith('verified-'));
}

/** Changes one byte in the middle of a file, as a failing disk does. */
export function damage(file: string): void {
	const bytes = fs.readFileSync(file);
	const middle = bytes.length >> 1;
	bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
	fs.rmSync(file);
	fs.writeFileSync(file, bytes);
}
