/** Wanted names of files whose contents lie under a name that is not wanted: one of them gets the contents, however many there are. */
import fs from 'node:fs';
import path from 'node:path';
import { type Entry, formatEntry } from '../../../core/sources/files/entry';
import { View } from '../../../core/sources/files/restore/view';
import { createFolder, removeFolder } from '../../support/folders';
import { rounds } from '../../support/soak';

let folder: string;
beforeEach(() => void (folder = createFolder('stand-ins')));
afterEach(() => removeFolder(folder));

const TIMES = { mtime: '1.000000000', ctime: '1.000000000', ino: '1' };
const ATTRIBUTES = { mode: 0o644, uid: 0, gid: 0, ...TIMES };
const SHA256 = 'ab'.repeat(32);
const FILES = rounds(500, 1_000_000);
/** As names are sorted. */
const nameOf = (number: number) => String(number).padStart(7, '0');

/** The files lie in `a`, and each has two more names in `b`, not in the order of the files. */
function writeIndex(): string {
	const file = path.join(folder, 'index');
	const fd = fs.openSync(file, 'w');
	const write = (entry: Entry) => fs.writeSync(fd, formatEntry(entry));
	write({ ...ATTRIBUTES, path: 'a', type: 'directory' });
	for (let number = 0; number < FILES; number++) {
		write({ ...ATTRIBUTES, path: `a/${nameOf(number)}`, type: 'file', size: 1, at: number, sha256: SHA256 });
	}
	write({ ...ATTRIBUTES, path: 'b', type: 'directory' });
	for (let number = 0; number < 2 * FILES; number++) {
		write({ ...ATTRIBUTES, path: `b/${nameOf(number)}`, type: 'link', target: `a/${nameOf(fileOf(number))}` });
	}
	fs.closeSync(fd);
	return file;
}

/** Which file a name in `b` is another name of. */
const fileOf = (number: number) => (number * 7919) % FILES;

it('the first wanted name of each file stands in for it, the others are links to that one', () => {
	const view = new View([writeIndex()], { include: ['/b'], versions: false, folder });
	const read = () => {
		const first = new Map<number, number>();
		let links = 0;
		for (const { path: at, type, at: place, target } of view.entries()) {
			if (type === 'directory') expect(at).toBe('b');
			else if (type === 'file') first.set(place!, Number(at.slice(2)));
			else if (target === `b/${nameOf(first.get(fileOf(Number(at.slice(2))))!)}`) links++;
		}
		// 7919 is a prime: the first half of the names are those of all files.
		const expected = Array.from({ length: FILES }, (_, number) => [fileOf(number), number] as const);
		expect(first).toEqual(new Map(expected));
		expect(links).toBe(FILES);
	};
	read();
	read();
});

it('what a link names and what is not there has no stand-in, and holds up no other', () => {
	const file = path.join(folder, 'index');
	const lines: Entry[] = [
		{ ...ATTRIBUTES, path: 'a', type: 'directory' },
		{ ...ATTRIBUTES, path: 'a/there', type: 'file', size: 1, at: 0, sha256: SHA256 },
		{ ...ATTRIBUTES, path: 'b', type: 'directory' },
		{ ...ATTRIBUTES, path: 'b/1', type: 'link', target: 'a/gone' },
		{ ...ATTRIBUTES, path: 'b/2', type: 'link', target: 'a/gone' },
		{ ...ATTRIBUTES, path: 'b/3', type: 'link', target: 'a/there' },
	];
	fs.writeFileSync(file, lines.map(formatEntry).join(''));
	const entries = [...new View([file], { include: ['/b'], versions: false, folder }).entries()];
	expect(entries.map(({ path: at, type, target }) => [at, type, target])).toEqual([
		['b/3', 'file', undefined],
		['b', 'directory', undefined],
		['b/2', 'link', 'b/1'],
	]);
});
