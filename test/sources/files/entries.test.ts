/** Everything a tree can hold goes into an archive, and comes out of it the same by GNU tar and by bsdtar. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { TarHeader } from '../../../core/sources/files/archive/tar';
import { createFolder, itAsRoot, openBelow, removeFolder } from '../../support/folders';
import { ArchiveGroup, GNU_TAR, untar } from '../../support/archives';
import { treeOf, type TreeOptions } from '../../support/trees';

let folder: string;
let source: string;
beforeEach(() => {
	folder = createFolder('entries');
	source = path.join(folder, 'source');
	fs.mkdirSync(source);
});
afterEach(() => removeFolder(folder));

const at = (...names: string[]) => path.join(source, ...names);
const write = (name: string, contents: string | Buffer = name) => fs.writeFileSync(at(name), contents);

const BSDTAR = ['bsdtar', '-x', '-p', '--numeric-owner', '-f', '-'];

/** Backs the tree up, restores it with GNU tar, as a full and as an incremental archive, and with bsdtar. */
async function expectSame(options: TreeOptions = {}): Promise<void> {
	const group = new ArchiveGroup(source);
	const expected = treeOf(source, options);
	const full = await group.back();
	expect(full.manifest.status).toBe('whole');
	expect(await group.treeByTar(full, path.join(folder, 'full'), options)).toEqual(expected);
	const other = path.join(folder, 'bsdtar');
	fs.mkdirSync(other);
	await untar(await group.archive(full), other, BSDTAR);
	expect(treeOf(path.join(other, source), options)).toEqual(expected);
	removeFolder(other);
	expect(await group.verify(full)).toBe('ok');
	// A chain whose second part has all of it, over what its first part has.
	const chain = new ArchiveGroup(source);
	const hidden = path.join(folder, 'hidden');
	fs.renameSync(source, hidden);
	fs.mkdirSync(source);
	write('something else');
	await chain.back();
	fs.rmSync(source, { recursive: true });
	fs.renameSync(hidden, source);
	const incremental = await chain.back({ type: 'incremental' });
	expect(await chain.treeByTar(incremental, path.join(folder, 'chain'), options)).toEqual(expected);
}

describe('an archive has', () => {
	it('links to what is there, to nothing, to places outside, in circles, and with odd targets', async () => {
		write('file');
		fs.mkdirSync(at('folder'));
		const targets = {
			good: 'file',
			dangling: 'nowhere',
			absolute: '/etc/passwd',
			up: '../../..',
			folders: 'folder',
			loop: 'loop',
		};
		for (const [name, target] of Object.entries(targets)) fs.symlinkSync(target, at(name));
		fs.symlinkSync('x'.repeat(4000), at('long'));
		fs.symlinkSync(Buffer.from([0x2f, 0xff, 0xfe, 0x0a]), at('bytes'));
		fs.symlinkSync('../self', at('folder', 'self'));
		await expectSame();
	});

	it('several names of one file, also in other folders, in whatever order they come', async () => {
		write('z', randomBytes(5000));
		for (const each of ['a', 'b', 'c/d']) {
			fs.mkdirSync(path.dirname(at(each)), { recursive: true });
			fs.linkSync(at('z'), at(each));
		}
		write('large', randomBytes(1_500_000));
		fs.linkSync(at('large'), at('c/large'));
		fs.linkSync(at('large'), at('c', 'n'.repeat(200)));
		fs.symlinkSync('target', at('symlink'));
		fs.linkSync(at('symlink'), at('second symlink'));
		await expectSame();
	});

	it('files of every size around the limits of blocks and buffers', async () => {
		const mega = 1024 * 1024;
		for (const size of [0, 1, 511, 512, 513, 1023, 1024, 1025, mega - 1, mega, mega + 1, 3 * mega + 7]) {
			write(`of ${size} bytes`, randomBytes(size));
		}
		await expectSame();
	});

	it('files with holes at their start, their end, in the middle, everywhere, and between many small pieces', async () => {
		const sparse = (name: string, size: number, pieces: Array<[number, number]>) => {
			const fd = fs.openSync(at(name), 'w');
			fs.ftruncateSync(fd, size);
			for (const [offset, length] of pieces) fs.writeSync(fd, randomBytes(length), 0, length, offset);
			fs.closeSync(fd);
		};
		const mega = 1024 * 1024;
		sparse('start', 4 * mega, [[3 * mega, mega]]);
		sparse('end', 4 * mega, [[0, 100]]);
		sparse('middle', 4 * mega, [
			[0, 5000],
			[4 * mega - 1, 1],
		]);
		sparse('only', 4 * mega, []);
		sparse('only, and odd', mega + 77, []);
		sparse('small', 70_000, [[69_999, 1]]);
		sparse(
			'many',
			4 * mega,
			Array.from({ length: 200 }, (_, piece) => [piece * 20_000, 100]),
		);
		await expectSame();
	});

	it('empty folders, and folders in many levels', async () => {
		fs.mkdirSync(at('empty'));
		fs.mkdirSync(at(...Array.from({ length: 200 }, (_, level) => `level ${level}`)), { recursive: true });
		write('empty file', '');
		await expectSame();
	});

	it('pipes, and no wait for who writes into them', async () => {
		execFileSync('mkfifo', ['-m', '640', at('pipe')]);
		await expectSame();
	});

	itAsRoot('devices, with their numbers', async () => {
		execFileSync('mknod', [at('null'), 'c', '1', '3']);
		execFileSync('mknod', [at('disk'), 'b', '8', '300000']);
		execFileSync('mknod', ['-m', '600', at('large'), 'c', '4095', '1048575']);
		await expectSame();
	});

	it('no sockets, which are named', async () => {
		write('file');
		const server = net.createServer().listen(at('socket'));
		await new Promise((resolve) => server.once('listening', resolve));
		try {
			const group = new ArchiveGroup(source);
			const full = await group.back();
			expect(full.manifest.status).toBe('whole');
			expect(full.summary.named).toEqual([{ path: `${source.slice(1)}/socket`, why: 'socket' }]);
			const without = { without: (name: string) => name === 'socket' };
			expect(await group.treeByTar(full, path.join(folder, 'restored'))).toEqual(treeOf(source, without));
			expect((await group.back({ type: 'incremental' })).summary.stored.entries).toBe(0);
		} finally {
			server.close();
		}
	});

	it('names of all bytes, of any length, and in any order', async () => {
		const names = [
			...['a', 'a!', 'a-', 'a.', 'A', '-rf', '--help', '*', ' ', '\\', '"', "'", '~', '#', '.hidden', '...'],
			...['new\nline', 'return\r', 'tab\t', '\x01\x1b[31m', '\x7f', 'ä', 'a\u0308', '名前', '😀', '\u202e'],
			...['n'.repeat(100), 'n'.repeat(101), 'n'.repeat(255), 'ü'.repeat(127)],
		].map((name) => Buffer.from(name));
		names.push(
			Buffer.from([0xff]),
			Buffer.from([0xfe, 0x0a]),
			Buffer.from('\xe4', 'latin1'),
			Buffer.from([0xed, 0xa0, 0x80]),
		);
		for (const [place, name] of names.entries()) {
			const whole = Buffer.concat([Buffer.from(`${source}/`), name]);
			if (place % 3 === 0) fs.writeFileSync(whole, name);
			else fs.mkdirSync(whole);
			if (place % 3 === 1) fs.writeFileSync(Buffer.concat([whole, Buffer.from('/'), name]), '');
		}
		await expectSame();
	});

	it('paths that are longer than the system takes at once', async () => {
		const names = Array.from({ length: 25 }, (_, level) => `${level} ${'d'.repeat(200)}`);
		const [fd, close] = openBelow(source, names);
		fs.writeFileSync(`/proc/self/fd/${fd}/file`, 'deep');
		fs.writeFileSync(`/proc/self/fd/${fd}/twice`, randomBytes(100));
		fs.linkSync(`/proc/self/fd/${fd}/twice`, `/proc/self/fd/${fd}/link`);
		close();
		const group = new ArchiveGroup(source);
		const full = await group.back();
		expect(full.manifest.status).toBe('whole');
		expect(full.summary.counts).toEqual({ directory: 26, file: 3 });
		expect(await group.verify(full)).toBe('ok');
		// Standard tar programs can make them only without some of the folders that they lie in.
		const other = path.join(folder, 'deep');
		fs.mkdirSync(other);
		await untar(await group.archive(full), other, [...GNU_TAR, `--strip-components=${source.split('/').length + 19}`]);
		const [below, closeBelow] = openBelow(source, names.slice(0, 21));
		expect(treeOf(path.join(other, names[20]!))).toEqual(treeOf(`/proc/self/fd/${below}/.`));
		closeBelow();
		const [again, closeAgain] = openBelow(source, names);
		fs.writeFileSync(`/proc/self/fd/${again}/file`, 'changed');
		closeAgain();
		const incremental = await group.back({ type: 'incremental' });
		expect(incremental.summary.stored).toEqual({ entries: 2, bytes: 7, gone: 0 });
	});

	it('times before 1970, after 2038 and after 2242, to the nanosecond', async () => {
		for (const [name, seconds] of Object.entries({
			...{
				'before 1970': -1.5,
				'long before': -2_000_000_000.25,
				epoch: 0,
				'a nanosecond': 1_700_000_000.123456,
				negative: -0.25,
			},
			...{ 'after 2038': 5_000_000_000.5, 'after 2242': 9_000_000_000.75 },
		})) {
			write(name);
			fs.symlinkSync(name, at(`link ${name}`));
			fs.mkdirSync(at(`folder ${name}`));
			for (const each of [name, `link ${name}`, `folder ${name}`]) fs.lutimesSync(at(each), 0, seconds);
		}
		await expectSame();
	});

	itAsRoot('any mode and any owner, also those without a name', async () => {
		for (const mode of [0o0, 0o7777, 0o4755, 0o2755, 0o1777, 0o400]) {
			write(`mode ${mode}`);
			fs.chmodSync(at(`mode ${mode}`), mode);
			fs.mkdirSync(at(`folder ${mode}`));
			fs.chmodSync(at(`folder ${mode}`), mode);
		}
		for (const id of [1, 65_534, 2_097_151, 2_097_152, 4_000_000_000]) {
			write(`owner ${id}`);
			fs.chownSync(at(`owner ${id}`), id, id);
			fs.symlinkSync('x', at(`link of ${id}`));
			fs.lchownSync(at(`link of ${id}`), id, 7);
		}
		await expectSame();
	});

	it('5,000 files in one folder', async () => {
		for (let number = 0; number < 5000; number++) write(`file ${number}`, `${number}`);
		const group = new ArchiveGroup(source);
		const full = await group.back();
		expect(await group.treeByTar(full, path.join(folder, 'restored'))).toEqual(treeOf(source));
		write('file 77', 'changed');
		expect((await group.back({ type: 'incremental' })).summary.stored).toEqual({ entries: 2, bytes: 7, gone: 0 });
	});

	it('the same contents once, and each its own mode and time', async () => {
		const contents = randomBytes(100_000);
		const large = randomBytes(2_000_000);
		for (const name of ['1', '2', '3', '4']) write(name, contents);
		for (const name of ['large 1', 'large 2', 'large 3']) write(name, large);
		for (const name of ['1', '2', '3', '4', 'large 1', 'large 2', 'large 3']) fs.utimesSync(at(name), 5, 5);
		fs.utimesSync(at('3'), 6, 6);
		fs.chmodSync(at('large 2'), 0o600);
		await expectSame({ links: false });
		const { manifest, summary } = await new ArchiveGroup(source).back();
		expect(summary.bytes).toBe(4 * 100_000 + 3 * 2_000_000);
		expect(summary.stored.bytes).toBe(2 * 100_000 + 2 * 2_000_000);
		expect(manifest.source.details.bytes).toBe(summary.bytes);
	});
});

it('says of a file of 9 GB how large it is', () => {
	const size = 9_000_000_000;
	const attributes = { mode: 0o644, uid: 0, gid: 0, mtime: '0.000000000', ctime: '0.000000000', ino: '1' };
	const { bytes, length } = new TarHeader().make({ path: 'huge', type: 'file', size, ...attributes }, 'file', size);
	const file = path.join(folder, 'huge.tar');
	fs.writeFileSync(file, bytes.subarray(0, length));
	fs.truncateSync(file, length + size + 1024);
	for (const program of ['tar', 'bsdtar']) {
		expect(execFileSync(program, ['-tvf', file]).toString()).toMatch(/ 9000000000 .* huge\n$/);
	}
});
