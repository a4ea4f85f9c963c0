/** Verifying the data of an archive finds whatever is not as its index says, behind codecs that are in order. */
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Manifest } from '../../../core/records/manifest';
import { formatContents } from '../../../core/sources/files/contents';
import { checkData } from '../../../core/sources/files/data-check';
import { type Entry, formatEntry } from '../../../core/sources/files/entry';
import { SharedContents } from '../../../core/sources/files/shared-contents';
import type { OpenBackup } from '../../../core/sources/source';
import type { FilesContents } from '../../../core/sources/files/contents';
import { type ArchiverRun, runArchiver } from '../../support/archiver-run';
import { createFolder, removeFolder } from '../../support/folders';

let folder: string;
let run: ArchiverRun;
let tar: Buffer;
beforeAll(async () => {
	folder = createFolder('data-check');
	const source = path.join(folder, 'source');
	fs.mkdirSync(source);
	for (const [name, size] of Object.entries({ a: 10, b: 600, c: 0, d: 2000 })) {
		fs.writeFileSync(path.join(source, name), randomBytes(size));
	}
	for (const name of ['same 1', 'same 2']) {
		fs.writeFileSync(path.join(source, name), 'the same');
		fs.utimesSync(path.join(source, name), 5, 5);
	}
	const sparse = fs.openSync(path.join(source, 'sparse'), 'w');
	fs.ftruncateSync(sparse, 200_000);
	fs.writeSync(sparse, 'data', 100_000);
	fs.closeSync(sparse);
	run = await runArchiver([source], folder);
	tar = await buffer(fs.createReadStream(run.tar));
});
afterAll(() => removeFolder(folder));

/** Checks an archive against an index. @param step how large its pieces are */
async function check(data: Buffer, entries: readonly Entry[], step = 700): Promise<void> {
	const index = entries.map(formatEntry).join('');
	const parts = [{ role: 'index', name: 'index.jsonl' }];
	// That something is missing is said in the manifest.
	const { incomplete: _, ...said } = run.summary;
	const backup = {
		...{ manifest: { group: 'files/www', label: 'it', parts } as unknown as Manifest, parents: [] },
		contents: JSON.parse(formatContents({ ...said, version: 1 })) as FilesContents,
		open: async () => await Promise.resolve(Readable.from([Buffer.from(index)])),
		openAt: () => Promise.reject(new Error('nobody asks for a part of it')),
	} satisfies OpenBackup<FilesContents>;
	const checking = await checkData(backup, undefined as never);
	try {
		for (let at = 0; at < data.length; at += step) await checking.add(data.subarray(at, at + step));
		await checking.end();
	} finally {
		checking.close?.();
	}
}

const change = (name: string, what: Partial<Entry>) =>
	run.entries.map((entry) => (path.basename(entry.path) === name ? { ...entry, ...what } : entry));
const entryOf = (name: string) => run.entries.find((entry) => path.basename(entry.path) === name)!;

it.each([1, 13, 512, 100_000])('is content with an archive as it is, in pieces of %d bytes', async (step) => {
	await expect(check(tar, run.entries, step)).resolves.toBeUndefined();
});

it('finds every changed byte of the contents of every file', async () => {
	let flips = 0;
	for (const { type, at, size, extents, path: name } of run.entries) {
		if (type !== 'file' || size === 0) continue;
		const stored = extents ? extents.reduce((sum, [, length]) => sum + length, 0) : size!;
		for (let byte = 0; byte < stored; byte += stored > 1000 ? 97 : 1) {
			const changed = Buffer.from(tar);
			changed[at! + byte]! ^= 1 << byte % 8;
			await expect(check(changed, run.entries, 4096)).rejects.toMatchObject({
				...{ code: 'damaged', message: expect.stringContaining('its digest differs') as string },
			});
			flips++;
		}
		expect(name).toBeTruthy();
	}
	expect(flips).toBeGreaterThan(600);
});

it.each<[string, () => Entry[]]>([
	['a digest of something else', () => change('b', { sha256: entryOf('a').sha256 })],
	['an empty file with contents', () => change('c', { sha256: entryOf('a').sha256 })],
	['contents that begin elsewhere', () => change('d', { at: entryOf('d').at! + 1 })],
	['contents that lie where another file lies', () => change('b', { at: entryOf('a').at! + 4 })],
	['contents that overlap the next ones', () => change('a', { size: 2000 })],
	['less than was stored', () => change('b', { size: 599 })],
	['holes elsewhere', () => change('sparse', { extents: [[0, 4096]] })],
	['shared contents of another file', () => change('same 2', { at: entryOf('a').at! })],
])('finds %s', async (_, entries) => {
	await expect(check(tar, entries())).rejects.toMatchObject({ code: 'damaged' });
});

it('finds contents that lie behind the end, and an archive that ends too early', async () => {
	const at = tar.length + 512;
	await expect(check(tar, change('same 1', { at }))).rejects.toMatchObject({ code: 'incomplete' });
	await expect(check(tar.subarray(0, entryOf('d').at! + 1), run.entries)).rejects.toMatchObject({ code: 'incomplete' });
	await expect(check(tar.subarray(0, -1024), run.entries)).rejects.toMatchObject({ code: 'incomplete' });
	await expect(check(Buffer.alloc(0), run.entries)).rejects.toMatchObject({ code: 'incomplete' });
});

it('finds an index that belongs to another archive', async () => {
	const other = path.join(folder, 'other');
	fs.mkdirSync(other);
	for (const name of ['a', 'b']) fs.writeFileSync(path.join(other, name), randomBytes(600));
	const { entries } = await runArchiver([other], folder);
	await expect(check(tar, entries)).rejects.toMatchObject({ code: 'damaged' });
});

it('remembers contents at least as long as whoever wrote the archive, however many are not to be shared', () => {
	const written = new SharedContents<string, number>(10);
	const read = new SharedContents<number, string>(10);
	let shared = 0;
	for (let at = 0; at < 2000; at++) {
		const digest = createHash('sha1').update(String(at)).digest()[0]! % 12;
		const known = written.get(String(digest));
		if (known !== undefined && at % 3 !== 0) {
			shared++;
			expect(read.get(known)).toBe(String(digest));
			continue;
		}
		if (at % 7 === 0) written.countOnly();
		else written.add(String(digest), at);
		// An attempt that was thrown away is not in the index.
		if (at % 11 === 0) written.countOnly();
		read.add(at, String(digest));
	}
	expect(shared).toBeGreaterThan(500);
});
