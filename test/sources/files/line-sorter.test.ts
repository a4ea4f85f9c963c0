/** Sorting more lines than fit into memory. */
import fs from 'node:fs';
import path from 'node:path';
import { LineSorter } from '../../../core/sources/files/line-sorter';
import { createFolder, itAsRoot, removeFolder, withDisk } from '../../support/folders';
import { rounds } from '../../support/soak';

let folder: string;
let file: string;
beforeEach(() => {
	folder = createFolder('line-sorter');
	file = path.join(folder, 'sorted');
});
afterEach(() => removeFolder(folder));

/** Sorts lines in runs of so many characters. @returns what was written */
function sort(numbers: readonly number[], runCharacters: number): string[] {
	const sorter = new LineSorter(file, { parseKey: Number, runCharacters });
	numbers.forEach((number, at) => sorter.add(number, `{"at":${number},"ä":"${at}"}`));
	sorter.end();
	return fs.readFileSync(file, 'utf8').split('\n').slice(0, -1);
}

const COUNT = rounds(5000, 1_000_000);

// All in memory; some runs; so many that they are merged more than once.
it.each([1e9, COUNT * 2, COUNT / 10])('lines come out by their numbers, with runs of %d characters', (characters) => {
	const numbers = Array.from({ length: COUNT }, (_, at) => (at * 7919) % Math.ceil(COUNT / 3));
	const expected = numbers
		.map((number, at) => ({ number, line: `{"at":${number},"ä":"${at}"}` }))
		.sort((a, b) => a.number - b.number)
		.map(({ line }) => line);
	expect(sort(numbers, characters)).toEqual(expected);
	expect(fs.readdirSync(folder)).toEqual(['sorted']);
});

it('no lines are an empty file', () => {
	expect(sort([], 10)).toEqual([]);
	expect(fs.statSync(file).size).toBe(0);
});

itAsRoot('a full disk is said to be one for temporary files', async () => {
	await withDisk(folder, '64k', async () => {
		const numbers = Array.from({ length: 10_000 }, (_, at) => at);
		expect(() => sort(numbers, 1000)).toThrow('there is no space for temporary files');
		await Promise.resolve();
	});
});
