/** Archives, lists and logs that are not as a server writes them: each is refused by what is wrong with it. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Header } from 'tar';
import { createHash } from 'node:crypto';
import { crc32cOf, CRC32C_START, updateCrc32c } from '../../../../core/codecs/digest/crc32c';
import { FileCheck } from '../../../../core/sources/postgres/physical/base/archive-check';
import { readableList, readFileList } from '../../../../core/sources/postgres/physical/base/file-list';
import { TarReader } from '../../../../core/sources/postgres/physical/base/tar-reader';
import { IncrementalFile } from '../../../../core/sources/postgres/physical/restore/writing/incremental-file';

const crcOf = (text: string) => crc32cOf(updateCrc32c(CRC32C_START, Buffer.from(text)));

function listText(files: object[], checksum?: string): string {
	const text = `{ "PostgreSQL-Backup-Manifest-Version": 1,\n"Files": ${JSON.stringify(files)},\n`;
	return `${text}"Manifest-Checksum": "${checksum ?? createHash('sha256').update(text).digest('hex')}"}\n`;
}

it('computes CRC-32C as RFC 3720, appendix B.4, says', () => {
	const of = (bytes: Uint8Array) => crc32cOf(updateCrc32c(CRC32C_START, bytes)).toString(16);
	expect(of(new Uint8Array(32))).toBe('8a9136aa');
	expect(of(new Uint8Array(32).fill(0xff))).toBe('62a8ab43');
	expect(of(Uint8Array.from({ length: 32 }, (_, n) => n))).toBe('46dd794e');
	const bytes = Buffer.from('123456789');
	expect(of(bytes)).toBe('e3069283');
	// In pieces of any length, the same.
	for (let cut = 0; cut <= bytes.length; cut++) {
		const state = updateCrc32c(updateCrc32c(CRC32C_START, bytes, 0, cut), bytes, cut);
		expect(crc32cOf(state).toString(16)).toBe('e3069283');
	}
});

describe('tar', () => {
	const END = Buffer.alloc(1024);

	function entry(
		name: string,
		text: string,
		type: 'File' | 'SymbolicLink' | 'Directory' | 'CharacterDevice' = 'File',
	): Buffer {
		const header = new Header({
			path: name,
			mode: 0o600,
			size: text.length,
			type,
			linkpath: type === 'SymbolicLink' ? '/etc' : '',
		});
		const block = Buffer.alloc(512);
		header.encode(block);
		const body = Buffer.alloc(Math.ceil(text.length / 512) * 512);
		body.write(text);
		return Buffer.concat([block, body]);
	}

	/** @param step bytes of a chunk */
	function read(bytes: Buffer, step = bytes.length): Record<string, string> {
		const files: Record<string, string> = {};
		const reader = new TarReader('cluster/main/x/base.tar', ({ path: name, type }) => ({
			take: (chunk) => void (files[name] = (files[name] ?? '') + chunk.toString()),
			end: () => void (files[name] ??= type),
		}));
		for (let at = 0; at < bytes.length; at += step) reader.add(bytes.subarray(at, at + step));
		reader.end();
		return files;
	}

	it('is read in chunks of any size', () => {
		const bytes = Buffer.concat([
			entry('a/b', 'x'.repeat(600)),
			entry('empty', ''),
			entry('dir', '', 'Directory'),
			END,
		]);
		const expected = { 'a/b': 'x'.repeat(600), empty: 'file', dir: 'folder' };
		for (const step of [1, 7, 511, 512, 513, bytes.length]) expect(read(bytes, step)).toEqual(expected);
	});

	it.each<[string, Buffer]>([
		['UTF-8', Buffer.from('Büro.txt')],
		['no UTF-8', Buffer.from('Büro.txt', 'latin1')],
		['what only looks like UTF-8', Buffer.from([0xc3, 0x28])],
	])('has the name that the list has: %s', async (_, name) => {
		const bytes = entry('x', '');
		name.copy(bytes, 0);
		bytes.fill(32, 148, 156);
		bytes.write(
			bytes
				.subarray(0, 512)
				.reduce((sum, byte) => sum + byte, 0)
				.toString(8)
				.padStart(6, '0'),
			148,
		);
		const [path] = Object.keys(read(Buffer.concat([bytes, END])));
		const [listed] = await readFileList(
			Readable.from([Buffer.from(listText([{ 'Encoded-Path': name.toString('hex'), Size: 0 }]))]),
			'x',
		);
		expect(path).toBe(listed!.path);
		expect(path).not.toContain('\ufffd');
	});

	it.each<[string, Buffer, string]>([
		['leads up', Buffer.concat([entry('../x', 'x'), END]), 'leads out of its folder'],
		['is absolute', Buffer.concat([entry('/etc/x', 'x'), END]), 'leads out of its folder'],
		['is a device', Buffer.concat([entry('x', '', 'CharacterDevice'), END]), 'an entry of type CharacterDevice'],
		['is cut in a file', entry('x', 'text').subarray(0, 600), 'has no proper end'],
		['has no end', entry('x', 'text'), 'has no proper end'],
		['goes on behind its end', Buffer.concat([END, entry('x', 'text')]), 'goes on behind its end'],
		['has a wrong header', Buffer.concat([entry('x', 'text').fill(0x41, 0, 3), END]), 'checksum is wrong'],
	])('that %s is refused', (_, bytes, message) => {
		expect(() => read(bytes)).toThrow(
			expect.objectContaining({ code: 'damaged', message: expect.stringContaining(message) }),
		);
	});
});

describe('the list of files', () => {
	const read = async (text: string) => await readFileList(Readable.from([Buffer.from(text)]), 'cluster/main/x');
	const hex = Buffer.alloc(4);
	hex.writeUInt32LE(crcOf('text'));
	const file = { Path: 'base/1/2', Size: 4, 'Checksum-Algorithm': 'CRC32C', Checksum: hex.toString('hex') };

	it('is stored only as long as it can be read again', async () => {
		const lines = [Buffer.alloc(10), Buffer.alloc(10)];
		const stored = (most: number) => buffer(Readable.from(readableList(Readable.from(lines), most)));
		expect(await stored(20)).toHaveLength(20);
		await expect(stored(19)).rejects.toMatchObject({ code: 'unsupported', hint: expect.stringContaining('databases') });
	});

	it('is believed when its own checksum is right', async () => {
		expect(await read(listText([file, { 'Encoded-Path': '62', Size: 1 }]))).toEqual([
			{ path: 'base/1/2', size: 4, crc32c: crcOf('text') },
			{ path: 'b', size: 1, crc32c: null },
		]);
		await expect(read(listText([file], '0'.repeat(64)))).rejects.toMatchObject({ code: 'damaged' });
		await expect(read('{}')).rejects.toMatchObject({ code: 'damaged' });
		await expect(read('no JSON')).rejects.toMatchObject({ code: 'damaged' });
	});

	it.each<[string, Array<[string, string]>, string]>([
		['lacks a file', [], 'lacks base/1/2'],
		['has other bytes', [['base/1/2', 'texT']], 'other bytes'],
		['has another length', [['base/1/2', 'text!']], '5 bytes, not 4'],
		[
			'has one more file',
			[
				['base/1/2', 'text'],
				['base/1/3', 'x'],
			],
			'did not list',
		],
		[
			'has a file twice',
			[
				['base/1/2', 'text'],
				['base/1/2', 'text'],
			],
			'did not list',
		],
	])('finds an archive that %s', async (_, files, message) => {
		const check = new FileCheck('cluster/main/x', await read(listText([file])), '');
		const all = () => {
			for (const [name, text] of [['pg_wal/000000010000000000000001', 'log'], ...files] as Array<[string, string]>) {
				const each = check.begin(name);
				each?.take(Buffer.from(text));
				each?.end();
			}
			check.end();
		};
		expect(all).toThrow(expect.objectContaining({ code: 'damaged', message: expect.stringContaining(message) }));
	});
});

describe('an incremental file', () => {
	const BLOCK = 8192;
	let folder: string;
	let file: string;
	beforeEach(() => {
		folder = fs.mkdtempSync(path.join(os.tmpdir(), 'incremental-'));
		file = path.join(folder, '16384');
	});
	afterEach(() => fs.rmSync(folder, { recursive: true }));

	function incremental(shortest: number, blocks: Array<[number, string]>): Buffer {
		const head = Buffer.alloc(blocks.length === 0 ? 12 : BLOCK);
		[0xd3ae1f0d, blocks.length, shortest, ...blocks.map(([block]) => block)].forEach((word, n) =>
			head.writeUInt32LE(word, 4 * n),
		);
		return Buffer.concat([head, ...blocks.map(([, letter]) => Buffer.alloc(BLOCK, letter))]);
	}

	/** Applies it in chunks. @returns the first letter of each block; `.` for zeros */
	function apply(before: string, bytes: Buffer, step: number): string {
		fs.writeFileSync(file, Buffer.concat([...before].map((letter) => Buffer.alloc(BLOCK, letter))));
		const sink = new IncrementalFile(file);
		try {
			for (let at = 0; at < bytes.length; at += step) sink.take(bytes.subarray(at, at + step));
			sink.end();
		} finally {
			sink.close();
		}
		const after = fs.readFileSync(file);
		return Array.from({ length: after.length / BLOCK }, (_, n) => String.fromCharCode(after[n * BLOCK] || 46)).join('');
	}

	it.each<[string, string, Buffer, string]>([
		[
			'changes blocks',
			'abcd',
			incremental(4, [
				[1, 'X'],
				[3, 'Y'],
			]),
			'aXcY',
		],
		['grows', 'ab', incremental(2, [[2, 'X']]), 'abX'],
		['shrinks', 'abcd', incremental(2, []), 'ab'],
		['shrinks and grows again', 'abcd', incremental(1, [[3, 'X']]), 'a..X'],
		['changes nothing', 'abcd', incremental(4, []), 'abcd'],
		['is emptied', 'abcd', incremental(0, []), ''],
	])('%s', (_, before, bytes, after) => {
		for (const step of [1000, BLOCK, bytes.length]) expect(apply(before, bytes, step)).toBe(after);
	});

	it.each<[string, Buffer, string]>([
		['is cut', incremental(1, [[0, 'X']]).subarray(0, BLOCK + 100), 'ends too early'],
		[
			'has more than it says',
			Buffer.concat([incremental(1, [[0, 'X']]), Buffer.alloc(BLOCK)]),
			'more blocks than it says',
		],
		['is something else', Buffer.alloc(BLOCK, 'x'), 'does not begin'],
		['has a block beyond all files', incremental(1, [[4_000_000, 'X']]), 'no file of a relation'],
	])('that %s is refused', (_, bytes, message) => {
		expect(() => apply('ab', bytes, BLOCK)).toThrow(
			expect.objectContaining({ code: 'damaged', message: expect.stringContaining(message) }),
		);
	});

	it('without the file that it changes is refused', () => {
		expect(() => new IncrementalFile(path.join(folder, 'none'))).toThrow(expect.objectContaining({ code: 'damaged' }));
	});
});
