/** Files that change while they are archived: read again, then named; never a backup that says it is whole and is not. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type ArchiverRun, runArchiver, type RunOptions } from '../../support/archiver-run';
import { GNU_TAR, untar } from '../../support/archives';
import { createFolder, removeFolder } from '../../support/folders';
import { treeOf } from '../../support/trees';

const MEGA = 1024 * 1024;

let folder: string;
let source: string;
beforeEach(() => {
	folder = createFolder('moving');
	source = path.join(folder, 'source');
	fs.mkdirSync(source);
});
afterEach(() => removeFolder(folder));

const at = (name: string) => path.join(source, name);
const shown = (name: string) => at(name).slice(1);
const run = async (options?: RunOptions) => await runArchiver([source], folder, { chunkBytes: 64 * 1024, ...options });

/** Does something once, when so many bytes of the archive were written. */
function once(from: number, action: () => void): (position: number) => void {
	let isDone = false;
	return (position) => {
		if (isDone || position < from) return;
		isDone = true;
		action();
	};
}

/** What GNU tar restores of a chain; it says nothing of an archive that is well formed. */
async function restored(...chain: ArchiverRun[]): Promise<string> {
	const to = fs.mkdtempSync(path.join(folder, 'restored-'));
	for (const { tar } of chain) await untar(fs.createReadStream(tar), to, GNU_TAR);
	return path.join(to, source);
}

const entryOf = ({ entries }: ArchiverRun, name: string) => entries.find((entry) => entry.path === shown(name));

describe('a large file', () => {
	let old: Buffer;
	beforeEach(() => {
		old = randomBytes(3 * MEGA);
		fs.writeFileSync(at('large'), old);
		fs.writeFileSync(at('next'), 'the next one');
	});

	it.each<[string, (file: string) => void]>([
		['grows', (file) => fs.appendFileSync(file, randomBytes(100_000))],
		['shrinks', (file) => fs.truncateSync(file, 100_000)],
		['is emptied', (file) => fs.truncateSync(file, 0)],
		['is written to', (file) => fs.writeFileSync(file, randomBytes(3 * MEGA), { flag: 'r+' })],
		['gets a hole', (file) => fs.truncateSync(file, 9 * MEGA)],
	])('that %s once while it is read is read again, and is whole', async (_, change) => {
		const archive = await run({ onBytes: once(MEGA, () => change(at('large'))) });
		expect(archive.summary).toMatchObject({ incomplete: false, named: [], remarks: {} });
		expect(entryOf(archive, 'large')).not.toHaveProperty('changed');
		expect(treeOf(await restored(archive))).toEqual(treeOf(source));
	});

	it('that goes on changing is stored as it was read, named, and stored again the next time', async () => {
		let turn = 0;
		const archive = await run({ onBytes: () => fs.appendFileSync(at('large'), `${turn++}`) });
		expect(archive.summary).toMatchObject({
			...{ incomplete: true, named: [{ path: shown('large'), why: 'changed' }], remarks: { changed: 1 } },
		});
		expect(entryOf(archive, 'large')).toMatchObject({ changed: true });
		expect(fs.readFileSync(path.join(await restored(archive), 'next'), 'utf8')).toBe('the next one');
		const next = await run({ chain: [archive] });
		expect(next.summary.incomplete).toBe(false);
		expect(entryOf(next, 'large')).not.toHaveProperty('changed');
		expect(treeOf(await restored(archive, next))).toEqual(treeOf(source));
	});

	it('that cannot be read to its end is named, and all that follows is in its place', async () => {
		const read = fs.readSync;
		let position = 0;
		const spy = jest.spyOn(fs, 'readSync').mockImplementation((...args: Parameters<typeof fs.readSync>) => {
			if (position > MEGA + 100 && position < 2 * MEGA) {
				throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', syscall: 'read' });
			}
			return read(...args);
		});
		let archive: ArchiverRun;
		try {
			archive = await run({ chunkBytes: 60_000, onBytes: (now) => (position = now) });
		} finally {
			spy.mockRestore();
		}
		expect(archive.summary).toMatchObject({
			...{ incomplete: true, named: [{ path: shown('large'), why: 'unreadable' }], remarks: { unreadable: 1 } },
		});
		expect(entryOf(archive, 'large')).toBeUndefined();
		expect(fs.readFileSync(path.join(await restored(archive), 'next'), 'utf8')).toBe('the next one');
	});

	it('that goes on shrinking leaves an archive that is well formed, with what was read of it', async () => {
		let size = 3 * MEGA;
		const archive = await run({ onBytes: () => fs.truncateSync(at('large'), (size -= 1)) });
		expect(entryOf(archive, 'large')).toMatchObject({ changed: true });
		expect(fs.readFileSync(path.join(await restored(archive), 'next'), 'utf8')).toBe('the next one');
	});

	it('that is removed or exchanged while it is read is the one that was there', async () => {
		const archive = await run({
			onBytes: once(MEGA, () => {
				fs.rmSync(at('large'));
				fs.writeFileSync(at('large'), 'another one');
			}),
		});
		expect(archive.summary.incomplete).toBe(false);
		expect(fs.readFileSync(path.join(await restored(archive), 'large')).equals(old)).toBe(true);
		const next = await run({ chain: [archive] });
		expect(treeOf(await restored(archive, next))).toEqual(treeOf(source));
	});

	it('that shares its contents with one that changed while it was read does not get that one’s', async () => {
		const contents = randomBytes(2 * MEGA);
		for (const name of ['a', 'b', 'c']) {
			fs.writeFileSync(at(name), contents);
			fs.utimesSync(at(name), 5, 5);
		}
		let turn = 0;
		const archive = await run({
			onBytes: (position) => {
				if (position > 2 * MEGA && position < 4 * MEGA) fs.appendFileSync(at('a'), `${turn++}`);
			},
		});
		const to = await restored(archive);
		for (const name of ['b', 'c']) expect(fs.readFileSync(path.join(to, name)).equals(contents)).toBe(true);
	});
});

describe('what vanishes', () => {
	it('after its folder was read is named, and the backup is whole all the same', async () => {
		for (const name of ['a', 'b', 'c']) fs.writeFileSync(at(name), name);
		fs.mkdirSync(at('folder'));
		fs.writeFileSync(at('folder/file'), 'in it');
		fs.mkdirSync(at('sub'));
		const before = await run();
		fs.writeFileSync(at('0'), 'new');
		const archive = await run({
			chain: [before],
			onEntry: (entries) => {
				if (entries !== 2) return;
				fs.rmSync(at('b'));
				fs.rmSync(at('folder'), { recursive: true });
			},
		});
		expect(archive.summary).toMatchObject({ incomplete: false, remarks: { vanished: 2 } });
		expect(archive.summary.named.map((each) => each.path).sort()).toEqual([shown('b'), shown('folder')]);
		expect(archive.entries.filter(({ type }) => type.startsWith('gone')).map((each) => each.path)).toEqual([
			shown('b'),
			shown('folder'),
		]);
	});

	it('is what it became, when it is something else by then', async () => {
		for (const name of ['a', 'b']) fs.writeFileSync(at(name), name);
		const archive = await run({
			onEntry: (entries) => {
				if (entries !== 2) return;
				fs.rmSync(at('b'));
				fs.symlinkSync('/etc/passwd', at('b'));
			},
		});
		expect(entryOf(archive, 'b')).toMatchObject({ type: 'symlink', target: '/etc/passwd' });
	});
});

describe('a link that somebody puts in the place', () => {
	const secret = () => path.join(folder, 'secret');
	beforeEach(() => {
		fs.mkdirSync(secret());
		fs.writeFileSync(path.join(secret(), 'file'), 'of somebody else');
		fs.mkdirSync(at('folder/below'), { recursive: true });
		fs.writeFileSync(at('folder/file'), 'ours');
		fs.writeFileSync(at('folder/below/file'), 'ours');
		fs.writeFileSync(at('folder/below/second'), 'ours');
		fs.writeFileSync(at('first'), 'first');
	});

	it.each([
		['of a folder that was listed', 'folder', 2],
		['of a folder that is open', 'folder', 4],
		['of a folder above the one that is open', 'folder', 6],
	])('%s leads nobody out of it', async (_, name, entry) => {
		const archive = await run({
			onEntry: (entries) => {
				if (entries !== entry || fs.lstatSync(at(name)).isSymbolicLink()) return;
				fs.renameSync(at(name), path.join(folder, 'moved'));
				fs.symlinkSync(secret(), at(name));
			},
		});
		expect(fs.lstatSync(at(name)).isSymbolicLink()).toBe(true);
		const bytes = await buffer(fs.createReadStream(archive.tar));
		expect(bytes.includes('of somebody else')).toBe(false);
		expect(archive.entries.map((each) => each.path).filter((each) => each.includes('secret'))).toEqual([]);
	});
});

it('a SQLite database that was locked is stored as it is, named, and tried again the next time, though it did not change', async () => {
	fs.writeFileSync(at('shop.db'), Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(1008)]));
	const first = await run({ snapshot: async () => await Promise.resolve({ refused: 'locked' }) });
	expect(first.summary).toMatchObject({
		incomplete: true,
		named: [{ path: shown('shop.db'), why: 'locked-database' }],
	});
	const asked: string[] = [];
	const next = await run({
		chain: [first],
		snapshot: async (from) => await Promise.resolve({ refused: 'no-database', at: asked.push(from) }),
	});
	expect(asked).toHaveLength(1);
	expect(next.summary.incomplete).toBe(false);
	expect(entryOf(next, 'shop.db')).not.toHaveProperty('changed');
});
