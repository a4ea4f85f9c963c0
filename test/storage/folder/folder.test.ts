/** What is special about a folder: modes, links, missing and full disks, leftovers of killed writers. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { FolderStorage } from '../../../core/storage/folder/folder';
import { RetryingStorage } from '../../../core/storage/retrying';
import { randomStream } from '../conformance';

const MIB = 1024 * 1024;
const run = promisify(execFile);

let dir: string;
let storage: FolderStorage;
beforeEach(async () => {
	dir = await fs.mkdtemp(path.join(os.tmpdir(), 'folder-'));
	storage = new FolderStorage({ path: dir });
});
afterEach(async () => {
	jest.restoreAllMocks();
	await fs.rm(dir, { recursive: true, force: true });
});

const put = async (key: string, text = key) => await storage.write(key, Readable.from([text]));
const at = (...parts: string[]) => path.join(dir, ...parts);
const errno = (code: string) => Object.assign(new Error(`${code}: made up`), { code });
const everything = async () => await fs.readdir(dir, { recursive: true });

it('lets only its own user read files and folders', async () => {
	await put('a/b/c');
	const modes = await Promise.all(
		['a', 'a/b', 'a/b/c'].map(async (name) => ((await fs.stat(at(name))).mode & 0o777).toString(8)),
	);
	expect(modes).toEqual(['700', '700', '600']);
});

it('shows as a URL', async () => {
	expect(new FolderStorage({ path: '/var/back ups' }).location).toBe('file:///var/back%20ups');
});

describe('the base folder', () => {
	it('is never created: a disk that is not mounted must not be filled below its mount point', async () => {
		const missing = new FolderStorage({ path: at('missing') });
		const attempts = [
			() => missing.write('a', Readable.from(['x'])),
			() => missing.read('a'),
			() => missing.stat('a'),
			() => missing.list('')[Symbol.asyncIterator]().next(),
			() => missing.remove('a'),
			() => missing.removeUnfinished(''),
			() => missing.space(),
		];
		for (const attempt of attempts) {
			await expect(attempt()).rejects.toMatchObject({
				code: 'bucket-not-found',
				hint: expect.stringContaining('mount'),
			});
		}
		expect(await everything()).toEqual([]);
	});

	it('that is a file is no folder', async () => {
		await fs.writeFile(at('file'), '');
		await expect(new FolderStorage({ path: at('file') }).stat('a')).rejects.toMatchObject({ code: 'bucket-not-found' });
	});

	it('may be reached through a link', async () => {
		await fs.mkdir(at('real'));
		await fs.symlink(at('real'), at('link'));
		const linked = new FolderStorage({ path: at('link') });
		await linked.write('a/b', Readable.from(['x']));
		expect(await fs.readFile(at('real/a/b'), 'utf8')).toBe('x');
	});

	it('stays when the last object is removed', async () => {
		await put('a/b/c');
		await storage.remove('a/b/c');
		expect(await everything()).toEqual([]);
	});
});

describe('links inside the folder', () => {
	it('to other folders are not followed, in any operation', async () => {
		const outside = await fs.mkdtemp(path.join(os.tmpdir(), 'outside-'));
		await fs.writeFile(path.join(outside, 'secret'), 'x');
		await fs.symlink(outside, at('link'));
		const denied = { code: 'access-denied', hint: expect.stringContaining('Links') };
		await expect(put('link/new')).rejects.toMatchObject(denied);
		await expect(put('link/deeper/new')).rejects.toMatchObject(denied);
		await expect(storage.read('link/secret')).rejects.toMatchObject(denied);
		await expect(storage.stat('link/secret')).rejects.toMatchObject(denied);
		await expect(storage.remove('link/secret')).rejects.toMatchObject(denied);
		expect((await storage.list('')[Symbol.asyncIterator]().next()).done).toBe(true);
		expect(await fs.readdir(outside)).toEqual(['secret']);
		await fs.rm(outside, { recursive: true });
	});

	it('to files are no objects, and are never replaced', async () => {
		await fs.writeFile(at('.target'), 'x');
		await fs.symlink(at('.target'), at('link'));
		await fs.symlink(at('nowhere'), at('dangling'));
		for (const key of ['link', 'dangling']) {
			expect(await storage.stat(key)).toBeNull();
			await expect(storage.read(key)).rejects.toMatchObject({ code: 'not-found' });
			await expect(put(key)).rejects.toMatchObject({ code: 'already-exists' });
			await storage.remove(key);
			expect((await fs.lstat(at(key))).isSymbolicLink()).toBe(true);
		}
		expect(await fs.readdir(dir)).not.toContain('nowhere');
	});
});

it('leaves out what other programs put there', async () => {
	await fs.mkdir(at('lost+found'));
	for (const name of ['.DS_Store', 'lost+found/x', 'back\\slash', 'ends with space ', 'good'])
		await fs.writeFile(at(name), '');
	await run('mkfifo', [at('fifo')]);
	const keys: string[] = [];
	for await (const { key } of storage.list('')) keys.push(key);
	expect(keys).toEqual(['good']);
	await expect(storage.read('fifo')).rejects.toMatchObject({ code: 'not-found' });
});

it('says storage-full for a full disk, and leaves nothing behind', async () => {
	await fs.mkdir(at('disk'));
	await withSmallDisk(at('disk'), async () => {
		const small = new FolderStorage({ path: at('disk') });
		await small.write('kept/a', randomStream(MIB));
		await expect(small.write('b/c', randomStream(8 * MIB))).rejects.toMatchObject({
			code: 'storage-full',
			message: expect.stringContaining('no space left'),
			hint: expect.any(String),
		});
		expect((await fs.readdir(at('disk'), { recursive: true })).sort()).toEqual(['kept', 'kept/a']);
	});
});

it('knows the space that is left', async () => {
	const { free, total } = await storage.space();
	expect(free).toBeGreaterThan(0);
	expect(total).toBeGreaterThan(free);
});

it.each([
	['EDQUOT', 'storage-full'],
	['EFBIG', 'storage-full'],
	['EROFS', 'access-denied'],
	['EACCES', 'access-denied'],
	['EIO', 'storage-failed'],
])('says for %s: %s, and leaves nothing behind', async (code, wanted) => {
	jest.spyOn(fs, 'open').mockRejectedValueOnce(errno(code));
	await expect(put('a/b')).rejects.toMatchObject({
		code: wanted,
		message: expect.stringContaining('cannot write file://'),
	});
	expect(await everything()).toEqual([]);
});

it.each(['EIO', 'EBUSY'])('tries again to remove a file when the system answers %s', async (code) => {
	await put('locks/shop.json');
	const rm = jest.spyOn(fs, 'rm').mockRejectedValueOnce(errno(code));
	await new RetryingStorage(storage, { attempts: 2, firstDelayMs: 1, maxDelayMs: 1 }).remove('locks/shop.json');
	expect(rm).toHaveBeenCalledTimes(2);
	expect(await everything()).toEqual([]);
});

it('removes the file again when its name cannot be made to last', async () => {
	await put('a/other');
	const open = fs.open;
	jest.spyOn(fs, 'open').mockImplementation(async (...args) => {
		const handle = await open(...args);
		if (args[1] === 'r') jest.spyOn(handle, 'sync').mockRejectedValue(errno('EIO'));
		return handle;
	});
	await expect(put('a/b')).rejects.toMatchObject({ code: 'storage-failed' });
	expect(await fs.readdir(at('a'))).toEqual(['other']);
});

it('goes on where the disk took only a part of a write, even in the middle of a chunk', async () => {
	const open = fs.open;
	jest.spyOn(fs, 'open').mockImplementation(async (...args) => {
		const handle = await open(...args);
		const write = handle.writev.bind(handle) as (chunks: Uint8Array[]) => Promise<{ bytesWritten: number }>;
		const some = async ([first = new Uint8Array(), second = new Uint8Array()]: Uint8Array[]) =>
			await write([first, second.subarray(0, 1000)]);
		return Object.assign(handle, { writev: some });
	});
	const bytes = randomBytes(3 * MIB + 17);
	const chunks = Array.from({ length: 49 }, (_, at) => bytes.subarray(at * 65_536, (at + 1) * 65_536));
	await storage.write('a', Readable.from(chunks, { objectMode: false }));
	jest.restoreAllMocks();
	expect((await fs.readFile(at('a'))).equals(bytes)).toBe(true);
});

it('says damaged when the disk kept fewer bytes, and leaves nothing behind', async () => {
	const open = fs.open;
	jest.spyOn(fs, 'open').mockImplementation(async (...args) => {
		const handle = await open(...args);
		if (args[1] === 'wx') {
			const sync = handle.sync.bind(handle);
			handle.sync = async () => {
				await handle.truncate(1);
				await sync();
			};
		}
		return handle;
	});
	await expect(put('a/b', 'four')).rejects.toMatchObject({ code: 'damaged' });
	expect(await everything()).toEqual([]);
});

it('errors a reader whose file is cut while it reads', async () => {
	await storage.write('a', randomStream(20 * MIB));
	const stream = await storage.read('a');
	await fs.truncate(at('a'), 3 * MIB);
	await expect(buffer(stream)).rejects.toMatchObject({ code: 'damaged' });
});

// rclone's mounts answer EIO.
describe.each(['EPERM', 'EIO'])('without hard links, which a mount says by %s', (code) => {
	beforeEach(() => {
		jest.spyOn(fs, 'link').mockRejectedValue(errno(code));
	});

	it('writes, never overwrites, and leaves nothing but the object', async () => {
		await put('a/b', 'first');
		await expect(put('a/b', 'second')).rejects.toMatchObject({ code: 'already-exists' });
		expect(await fs.readFile(at('a/b'), 'utf8')).toBe('first');
		expect((await everything()).sort()).toEqual(['a', 'a/b']);
	});

	it('lets one of eight writers of a key win', async () => {
		const results = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => put('lock', `writer ${i}`)));
		const winners = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [`writer ${i}`] : []));
		expect([await fs.readFile(at('lock'), 'utf8')]).toEqual(winners);
	});

	it('can remove what a writer left that was killed between its two steps', async () => {
		await fs.writeFile(at('.lock.publish'), '');
		await expect(put('lock')).rejects.toMatchObject({ code: 'already-exists' });
		expect(await storage.removeUnfinished('lock')).toBe(1);
		await put('lock');
	});
});

it('removes leftovers below the prefix, only those accepted, and the folders that get empty', async () => {
	await put('shop/2/manifest.json');
	const leftovers = [
		'shop/1/.dump.sql.0123456789ab.partial',
		'shop/2/.dump.sql.0123456789ab.partial',
		'shop-staging/1/.x.0123456789ab.partial',
	];
	for (const name of leftovers) {
		await fs.mkdir(path.dirname(at(name)), { recursive: true });
		await fs.writeFile(at(name), 'half');
	}
	expect(await storage.removeUnfinished('shop/', (key) => key === 'shop/1/dump.sql')).toBe(1);
	expect(await fs.readdir(at('shop'))).toEqual(['2']);
	expect(await storage.removeUnfinished('shop/')).toBe(1);
	expect((await everything()).sort()).toEqual(
		['shop', 'shop-staging', 'shop-staging/1', leftovers[2], 'shop/2', 'shop/2/manifest.json'].sort(),
	);
});

it('lists leftovers with the time at which they last grew', async () => {
	await put('shop/2/manifest.json');
	const grown = new Date('2026-11-20T02:00:00.000Z');
	for (const name of ['shop/1/.dump.sql.0123456789ab.partial', 'shop/3/.lock.publish']) {
		await fs.mkdir(path.dirname(at(name)), { recursive: true });
		await fs.writeFile(at(name), 'half');
		await fs.utimes(at(name), grown, grown);
	}
	const found: unknown[] = [];
	for await (const each of storage.unfinished('shop/')) found.push(each);
	expect(found).toEqual([
		{ key: 'shop/1/dump.sql', startedAt: grown },
		{ key: 'shop/3/lock', startedAt: grown },
	]);
	expect(await storage.removeUnfinished('', (_, startedAt) => startedAt > grown)).toBe(0);
	expect(await storage.removeUnfinished('', (_, startedAt) => startedAt <= grown)).toBe(2);
	expect(await fs.readdir(at('shop'))).toEqual(['2']);
});

it('says bucket-not-found for leftovers of a folder that is missing', async () => {
	const missing = new FolderStorage({ path: at('missing') });
	await expect(missing.unfinished('')[Symbol.asyncIterator]().next()).rejects.toMatchObject({
		code: 'bucket-not-found',
	});
});

/** A disk of 4 MiB in memory. Only root may mount one; for anybody else the fourth MiB that is written fails as it would there. */
async function withSmallDisk(disk: string, test: () => Promise<void>): Promise<void> {
	if (process.getuid?.() === 0) {
		await run('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]);
		try {
			await test();
		} finally {
			await run('umount', [disk]);
		}
		return;
	}
	const open = fs.open;
	let left = 4 * MIB;
	jest.spyOn(fs, 'open').mockImplementation(async (...args) => {
		const handle = await open(...args);
		const write = handle.writev.bind(handle);
		const limited: typeof write = async (chunks) => {
			left -= chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
			if (left < 0) throw errno('ENOSPC');
			return await write(chunks);
		};
		return Object.assign(handle, { writev: limited });
	});
	await test();
}
