/** The checksums of data pages, of real servers and of pages that are damaged. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { Header } from 'tar';
import { crc32cOf, CRC32C_START, updateCrc32c } from '../../../../core/codecs/digest/crc32c';
import type { StoredPart } from '../../../../core/records/manifest';
import { Repository } from '../../../../core/records/repository';
import { checkArchive } from '../../../../core/sources/postgres/physical/base/archive-check';
import type { ClusterContents } from '../../../../core/sources/postgres/physical/base/contents';
import { PageCheck } from '../../../../core/sources/postgres/physical/base/page-check';
import type { OpenBackup } from '../../../../core/sources/source';
import { verifyBackup } from '../../../../core/verbs/verify/verify';
import { ClusterBackups, CLUSTER_GROUP, NEVER, reachableFolder } from '../../../support/clusters';
import { manifestOf } from '../../../support/manifest';
import { sql, startPostgres } from '../../../support/postgres';

/** Behind every page. */
const ALL = 2n ** 64n - 1n;
const PAGE = 8192;

let top: string;
let backups: ClusterBackups;
let labels: string[];
/** Of the restored full backup, with its pages. */
let files: string[];
let data: string;
/** One of several pages. */
let table: { file: string; bytes: Buffer };

beforeAll(async () => {
	top = reachableFolder();
	data = path.join(top, 'data');
	backups = new ClusterBackups();
	const server = await startPostgres(18, { settings: { summarize_wal: 'on' } });
	try {
		await sql(server.target(), 'CREATE TABLE orders AS SELECT n, md5(n::text) AS t FROM generate_series(1, 20000) n');
		await sql(server.target(), 'CREATE INDEX ON orders (t)');
		const [{ at }] = (await sql(server.target(), "SELECT pg_relation_filepath('orders') AS at")) as [{ at: string }];
		const full = await backups.base(server.target());
		await backups.restore({ kind: 'base' }, { to: data, label: full });
		await sql(server.target(), "UPDATE orders SET t = 'changed' WHERE n % 1000 = 0");
		labels = [full, await backups.base(server.target(), { type: 'incremental' })];
		files = fs.readdirSync(data, { recursive: true, encoding: 'utf8' });
		table = { file: at, bytes: fs.readFileSync(path.join(data, at)) };
	} finally {
		await server.stop();
	}
}, 60_000);
afterAll(() => fs.rmSync(top, { recursive: true, force: true }));

function check(file: string, bytes: Buffer, { start = ALL, step = bytes.length || 1 } = {}): PageCheck {
	const pages = new PageCheck(start);
	const sink = pages.begin(file);
	for (let at = 0; at < bytes.length; at += step) sink?.take(bytes.subarray(at, at + step));
	return pages;
}

it('are those that PostgreSQL writes, on all pages of a cluster', () => {
	let pages = 0;
	for (const file of files.filter((each) => fs.statSync(path.join(data, each)).isFile())) {
		const bytes = fs.readFileSync(path.join(data, file));
		if (new PageCheck(ALL).begin(file) === null) continue;
		pages += bytes.length / PAGE;
		expect([file, ...check(file, bytes).examples]).toEqual([file]);
	}
	expect(pages).toBeGreaterThan(2500);
	for (const file of ['global/pg_control', 'base/5/PG_VERSION', 'pg_xact/0000', 'base/5/pg_filenode.map'])
		expect(new PageCheck(ALL).begin(file)).toBeNull();
});

it('tell of any flipped bit, and of a page in the place of another one, in chunks of any length', () => {
	const { file, bytes } = table;
	let missed = 0;
	for (let n = 0; n < 200; n++) {
		const damaged = Buffer.from(bytes.subarray(0, 4 * PAGE));
		// Not in the place of the log (bytes 0 to 7), which says whether a page is looked at.
		const at = 8 + Math.floor(Math.random() * (PAGE - 8));
		if (at === 14 || at === 15) continue;
		damaged[2 * PAGE + at]! ^= 1 << n % 8;
		const { examples } = check(file, damaged, { step: 1 + n * 37 });
		if (examples.length === 0) missed++;
		else expect(examples).toEqual([`${file} block 2`]);
	}
	// It has 16 bits: one in 65,535 goes unseen.
	expect(missed).toBeLessThanOrEqual(1);
	const swapped = Buffer.concat([bytes.subarray(PAGE, 2 * PAGE), bytes.subarray(0, PAGE)]);
	expect(check(file, swapped).examples).toEqual([`${file} block 0`, `${file} block 1`]);
	// The second file of a large relation goes on counting.
	expect(check(`${file}.1`, bytes.subarray(0, PAGE)).examples).toEqual([`${file}.1 block 131072`]);
});

it('are looked at neither on new pages nor on those that were written after the backup had begun', () => {
	const { file, bytes } = table;
	const damaged = Buffer.from(bytes.subarray(0, PAGE));
	damaged[PAGE - 1]! ^= 1;
	expect(check(file, damaged)).toMatchObject({ damaged: 1 });
	const lsn = (BigInt(damaged.readUInt32LE(0)) << 32n) | BigInt(damaged.readUInt32LE(4));
	expect(check(file, damaged, { start: lsn })).toMatchObject({ damaged: 0 });
	expect(check(file, damaged, { start: lsn + 1n })).toMatchObject({ damaged: 1 });
	expect(check(file, Buffer.alloc(3 * PAGE))).toMatchObject({ damaged: 0 });
});

it('are sound in full and incremental backups that are read to their end', async () => {
	const repository = await Repository.open(backups.storage, { signal: NEVER });
	for (const label of labels) {
		const request = { repository, group: CLUSTER_GROUP, label, depth: 'readable' as const, signal: NEVER };
		expect(await verifyBackup({ ...request, keys: await backups.keys() })).toMatchObject({ outcome: 'ok' });
	}
});

/** An incremental file with the pages of these numbers. */
function incremental(numbers: readonly number[], bytes: Buffer): Buffer {
	const head = Buffer.alloc(PAGE);
	head.writeUInt32LE(0xd3ae1f0d, 0);
	head.writeUInt32LE(numbers.length, 4);
	head.writeUInt32LE(1000, 8);
	for (const [n, number] of numbers.entries()) head.writeUInt32LE(number, 12 + 4 * n);
	return Buffer.concat([head, ...numbers.map((number) => bytes.subarray(number * PAGE, (number + 1) * PAGE))]);
}

it('that are wrong make a base backup bad, which names the pages, also those of an incremental one', async () => {
	const { file, bytes } = table;
	const damaged = Buffer.from(bytes);
	damaged[5 * PAGE + 5000]! ^= 1;
	const part = incremental([3, 5, 7], damaged);
	const name = path.posix.join(path.posix.dirname(file), `INCREMENTAL.${path.posix.basename(file)}`);
	expect(check(name, part, { step: 1000 })).toMatchObject({ damaged: 1, examples: [`${name} block 5`] });
	expect(() => check(name, Buffer.alloc(PAGE))).toThrow('does not begin as such files do');

	for (const [entry, content, block] of [
		[file, damaged, 5],
		[name, part, 5],
	] as const) {
		const archive = await checkArchive(fakeBackup(entry, content, true), archivePart);
		await archive.add(tarOf(entry, content));
		expect(() => archive.end()).toThrow(
			expect.objectContaining({
				code: 'damaged',
				message: expect.stringContaining(`has 1 page whose checksum is wrong: ${entry} block ${block}`),
			}),
		);
		const without = await checkArchive(fakeBackup(entry, content, false), archivePart);
		await without.add(tarOf(entry, content));
		expect(() => without.end()).not.toThrow();
	}
});

const digests = { original: { bytes: 1, blake2b512: '' }, stored: { bytes: 1, sha256: '' } };
const archivePart: StoredPart = { role: 'data', name: 'base.tar', ...digests };

/** A backup of one file, as the server would list it. */
function fakeBackup(file: string, bytes: Buffer, checksums: boolean): OpenBackup<ClusterContents> {
	const crc = Buffer.alloc(4);
	crc.writeUInt32LE(crc32cOf(updateCrc32c(CRC32C_START, bytes)));
	const listed = { Path: file, Size: bytes.length, 'Checksum-Algorithm': 'CRC32C', Checksum: crc.toString('hex') };
	const text = `{ "PostgreSQL-Backup-Manifest-Version": 1,\n"Files": ${JSON.stringify([listed])},\n`;
	const list = `${text}"Manifest-Checksum": "${createHash('sha256').update(text).digest('hex')}"}\n`;
	const parts: StoredPart[] = [archivePart, { role: 'index', name: 'backup_manifest', ...digests }];
	return {
		manifest: manifestOf(CLUSTER_GROUP, '20261120T100000Z-full-aaaa', { parts }),
		contents: { checksums, start: { lsn: 'FFFFFFFF/0', timeline: 1 } } as ClusterContents,
		parents: [],
		open: async () => await Promise.resolve(Readable.from([Buffer.from(list)])),
		openAt: async () => await Promise.reject(new Error('not asked for')),
	};
}

function tarOf(file: string, bytes: Buffer): Buffer {
	const block = Buffer.alloc(512);
	new Header({ path: file, mode: 0o600, size: bytes.length, type: 'File' }).encode(block);
	return Buffer.concat([block, bytes, Buffer.alloc(1024 + ((512 - (bytes.length % 512)) % 512))]);
}
