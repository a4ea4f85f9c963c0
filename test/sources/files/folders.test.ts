/** Folders that patterns find: one backup per customer must mean every customer, and none twice. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { findFolders } from '../../../core/sources/files/folders';

let top: string;
beforeEach(() => {
	top = fs.mkdtempSync(path.join(os.tmpdir(), 'folders-'));
});
afterEach(() => fs.rmSync(top, { recursive: true, force: true }));

function make(...names: string[]): void {
	for (const name of names) fs.mkdirSync(path.join(top, name), { recursive: true });
}

const namesOf = (...patterns: string[]) =>
	findFolders(patterns.map((each) => (each.startsWith('!') ? each : path.join(top, each)))).map(({ name }) => name);

it('finds each folder, and calls it what the wildcard stood for', () => {
	make('acme', 'zebra', 'Bäckerei & Co', '.snapshots');
	fs.writeFileSync(path.join(top, 'README'), '');
	fs.symlinkSync('acme', path.join(top, 'linked'));
	fs.symlinkSync('nowhere', path.join(top, 'dangling'));
	expect(namesOf('*')).toEqual(['Bäckerei & Co', 'acme', 'linked', 'zebra']);
	expect(namesOf('*', '!z*', '!linked')).toEqual(['Bäckerei & Co', 'acme']);
	expect(namesOf('.*')).toEqual(['.snapshots']);
});

it('goes through what stands before and behind the wildcards', () => {
	make('de/acme/www', 'de/none', 'at/beta/www', 'at/acme/data');
	expect(findFolders([path.join(top, '*/*/www')])).toEqual([
		{ name: 'at/beta', path: path.join(top, 'at/beta/www') },
		{ name: 'de/acme', path: path.join(top, 'de/acme/www') },
	]);
	expect(namesOf('??/acme/*')).toEqual(['at/data', 'de/www']);
});

it('asks before it reads the names in a folder, and about each name', () => {
	make('acme', 'beta');
	const asked: string[] = [];
	const found = findFolders([path.join(top, '*')], {
		assertAllowed: (folder) => asked.push(folder),
		isWanted: (name) => name !== 'beta',
	});
	expect(asked).toEqual([top]);
	expect(found.map(({ name }) => name)).toEqual(['acme']);
});

it.each([
	['a pattern that finds nothing', ['nothing*'], 'source-missing', /no folder matches .*nothing\*/],
	['a pattern without a wildcard', ['acme'], 'invalid-input', /has no \* in it/],
	['names that would share a group', ['*/www', '*/data'], 'invalid-input', /would both be "acme"/],
	['nothing but what is left out', ['!acme'], 'invalid-input', /no folder pattern/],
])('refuses %s', (_, patterns, code, message) => {
	make('acme/www', 'acme/data');
	const failure = expect(() => namesOf(...patterns));
	failure.toThrow(message);
	failure.toThrow(expect.objectContaining({ code }));
});

it('refuses a relative pattern, and a name that is not UTF-8, which no group could have', () => {
	expect(() => findFolders(['customers/*'])).toThrow(/not an absolute path/);
	fs.mkdirSync(Buffer.concat([Buffer.from(`${top}/`), Buffer.from([0xff, 0xfe])]));
	expect(() => namesOf('*')).toThrow(/not UTF-8/);
});
