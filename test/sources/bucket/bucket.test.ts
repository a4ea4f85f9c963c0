/** Archives of a bucket against a real S3 server: what is stored, what is not, and what comes back. */
import fs from 'node:fs';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type BucketArchived, BucketGroup, TestBucket } from '../../support/buckets';
import { stopClock } from '../../support/clock';
import { createFolder, removeFolder } from '../../support/folders';
import { sharedS3 } from '../../support/s3';

const server = sharedS3();
let folder: string;
let bucket: TestBucket;
let group: BucketGroup;
stopClock();
beforeEach(async () => {
	folder = createFolder('bucket');
	bucket = new TestBucket(server(), await server().makeBucket());
	group = new BucketGroup(bucket);
});
afterEach(() => removeFolder(folder));

const change = async (key: string, bytes: string) => await bucket.put(key, { bytes });
const linesOf = async (backup: BucketArchived) =>
	(await group.index(backup)).map(({ type, object }) => `${type === 'gone' ? '-' : ''}${object!.key}`);
const freshBucket = async () => new TestBucket(server(), await server().makeBucket());

/** All files below a folder, with what is in them. */
function filesIn(from: string): Record<string, string> {
	const found = fs.readdirSync(from, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
	const named = found.map((entry) => path.join(entry.parentPath, entry.name));
	return Object.fromEntries(named.sort().map((file) => [path.relative(from, file), fs.readFileSync(file, 'utf8')]));
}

/** Names that no file system takes as they are, or that lead elsewhere. */
const ODD = [
	'plain.txt',
	'a',
	'a/b',
	'a-b',
	'a//b',
	'a/',
	'/abs',
	'//',
	'../up',
	'../../etc/passwd',
	'./here',
	'x/../y',
	'x/..',
	'x/.',
	'100%',
	'%2E%2E/x',
	'%removed',
	'spaces at end ',
	' spaces at start',
	'a+b&c=d?e#f',
	'ünï/cødé/日本/😀',
	'e\u0301 apart',
	'new\nline',
	'tab\there',
	'back\\slash',
	'quote\'"<>&',
	'-rf',
	`long/${'x'.repeat(300)}`,
	`long/${'ü'.repeat(200)}`,
	`long/${'x'.repeat(300)}/below`,
	'k'.repeat(1024),
	'deep/'.repeat(200) + 'end',
];

describe('objects with odd names', () => {
	it('come back under them, and by hand as files that lie below the folder', async () => {
		for (const key of ODD) await bucket.put(key);
		expect(await bucket.keysOf()).toEqual([...ODD].sort());
		const full = await group.back();
		expect(full.manifest).toMatchObject({
			status: 'whole',
			warnings: [],
			source: { details: { objects: ODD.length } },
		});
		expect((await group.index(full)).map(({ object }) => object!.key).sort()).toEqual([...ODD].sort());
		expect(await group.verify(full, 'restored')).toBe('ok');

		const to = path.join(folder, 'deep', 'restored');
		fs.mkdirSync(path.dirname(to));
		await group.restoreByTar(full, to);
		for (const { path: name, object } of await group.index(full)) {
			expect(fs.readFileSync(Buffer.from(`${to}/${name}`, 'latin1'), 'utf8')).toBe(`contents of ${object!.key}`);
		}
		expect(fs.readdirSync(path.dirname(to))).toEqual(['restored']);

		const other = new TestBucket(server(), await server().makeBucket());
		const { comparison } = await group.restore(full, { to: other.config() });
		expect(comparison).toMatchObject({ ok: true, figures: { objects: ODD.length } });
		expect(await other.see()).toEqual(await bucket.see());
	});
});

describe('what belongs to an object', () => {
	it('is in the index and in the archive, and comes back: headers, metadata, tags', async () => {
		await bucket.put('report.pdf', {
			meta: {
				'Content-Type': 'application/pdf',
				'Cache-Control': 'max-age=60, private',
				'Content-Disposition': 'attachment; filename="a b.pdf"',
				'Content-Encoding': 'gzip',
				'Content-Language': 'de',
				Expires: 'Thu, 01 Dec 2033 16:00:00 GMT',
				'X-Amz-Meta-Owner': 'Jane = 100%',
				'X-Amz-Meta-Camera-Model': 'x',
			},
			tags: { team: 'sales', 'odd key+/=': 'a b:c@_-' },
		});
		await bucket.put('plain');
		await bucket.put('tagged', { tags: { only: '' } });
		const full = await group.back();
		const entries = await group.index(full);
		const [, report] = entries;
		expect(report!.object).toMatchObject({
			headers: {
				'content-type': 'application/pdf',
				'cache-control': 'max-age=60, private',
				'content-disposition': 'attachment; filename="a b.pdf"',
				'content-encoding': 'gzip',
				'x-amz-meta-owner': 'Jane = 100%',
			},
			tags: { team: 'sales', 'odd key+/=': 'a b:c@_-' },
		});
		expect(entries.map(({ object }) => object!.tags)).toEqual([undefined, report!.object!.tags, { only: '' }]);

		const other = await freshBucket();
		expect((await group.restore(full, { to: other.config() })).comparison).toMatchObject({ ok: true });
		expect(await other.see()).toEqual(await bucket.see());

		// GNU tar unpacks them as attributes of files where it is asked to, and says nothing where it is not.
		const xattrs = ['tar', '-x', '--xattrs', '--xattrs-include=*', '-f', '-', '--warning=no-unknown-keyword'];
		await group.restoreByTar(full, path.join(folder, 'out'), xattrs);
		const tar = await buffer(await group.archive(full.manifest));
		for (const text of ['content-type=application/pdf', 'meta.owner=Jane = 100%', 'key=report.pdf']) {
			expect(tar.includes(` SCHILY.xattr.user.s3.${text}\n`)).toBe(true);
		}
		expect(tar.includes('user.s3.tags=odd+key%2B%2F%3D=a+b%3Ac%40_-&team=sales\n')).toBe(true);
	});
});

describe('an incremental archive', () => {
	it('reads nothing and stores nothing where nothing was written', async () => {
		for (const key of ['a', 'b/c', 'b/d']) await bucket.put(key);
		await group.back();
		const second = await group.back({ type: 'incremental' });
		expect(second.summary).toMatchObject({ stored: { entries: 0, bytes: 0, gone: 0 }, counts: { file: 3 } });
		expect(second.manifest).toMatchObject({
			type: 'incremental',
			source: { details: { objects: 3, storedObjects: 0 } },
		});
		expect(await group.verify(second, 'restored')).toBe('ok');
	});

	it('stores what was added, changed or written again, and says what is gone; each of a chain comes back', async () => {
		for (const key of ['a', 'b', 'c/d', 'c/e', 'f']) await bucket.put(key);
		const states = [await bucket.see()];
		const backups = [await group.back()];
		const step = async (type: 'incremental' | 'differential') => {
			backups.push(await group.back({ type }));
			states.push(await bucket.see());
		};
		await change('b', 'changed');
		await bucket.remove('c/d', 'f');
		await bucket.put('c/new');
		await step('incremental');
		expect(await linesOf(backups[1]!)).toEqual(['b', '-c/d', 'c/new', '-f']);
		await bucket.put('f');
		await bucket.put('a', { meta: { 'Cache-Control': 'no-store' } });
		await step('incremental');
		expect(await linesOf(backups[2]!)).toEqual(['a', 'f']);
		await bucket.remove('c/new');
		await step('differential');
		expect(await linesOf(backups[3]!)).toEqual(['a', 'b', '-c/d', 'f']);
		for (const [at, backup] of backups.entries()) {
			expect(await group.verify(backup, 'restored')).toBe('ok');
			const other = await freshBucket();
			expect((await group.restore(backup, { to: other.config() })).comparison.ok).toBe(true);
			expect(await other.see()).toEqual(states[at]);
			await group.restoreByTar(backup, path.join(folder, `by-hand-${at}`));
			expect(Object.keys(filesIn(path.join(folder, `by-hand-${at}`)))).toEqual(
				states[at]!.map(({ key }) => key).sort(),
			);
		}
	});

	it('names objects anew where one becomes the beginning of another, and by hand too', async () => {
		await bucket.put('a/b');
		await bucket.put('x');
		await bucket.put('x/y');
		await group.back();
		await bucket.put('a');
		await bucket.remove('x');
		const second = await group.back({ type: 'incremental' });
		const entries = await group.index(second);
		expect(entries.map(({ path: name, type }) => [name, type])).toEqual([
			['a', 'file'],
			['a%/b', 'file'],
			['x', 'gone'],
			['x/y', 'file'],
		]);
		expect(await group.verify(second, 'restored')).toBe('ok');
		await group.restoreByTar(second, path.join(folder, 'out'));
		expect(filesIn(path.join(folder, 'out'))).toEqual({
			a: 'contents of a',
			'a%/b': 'contents of a/b',
			'x/y': 'contents of x/y',
		});
	});

	it('is built on nothing else than backups of the same bucket', async () => {
		await bucket.put('a');
		await group.back();
		const other = await freshBucket();
		await other.put('a');
		await expect(group.back({ bucket: other.config() })).rejects.toMatchObject({ code: 'another-server' });
	});
});

describe('a prefix', () => {
	it('is backed up without what lies beside it, and restored under whole names below another one', async () => {
		for (const key of ['photos/a', 'photos/b/c', 'photos', 'photosets/x', 'other']) await bucket.put(key);
		const full = await group.back({ bucket: bucket.config({ prefix: 'photos' }) });
		expect(await linesOf(full)).toEqual(['photos/a', 'photos/b/c']);
		const to = bucket.config({ prefix: 'again' });
		const { comparison, warnings } = await group.restore(full, { to, include: ['/photos/b/', '/photo/'] });
		expect(comparison.says).toBe('1 object of 22 B as they were');
		await expect(group.restore(full, { to, include: ['!/photos/'], existing: 'keep' })).rejects.toMatchObject({
			code: 'not-found',
		});
		expect(warnings).toEqual([expect.stringContaining('has a name like /photo/: only what the other patterns')]);
		expect(await bucket.keysOf()).toContain('again/photos/b/c');
	});
});

describe('a bucket that lost objects', () => {
	it('is refused when all are gone, whatever type is asked for', async () => {
		for (let number = 0; number < 5; number++) await bucket.put(`key-${number}`);
		await group.back();
		await bucket.remove(...(await bucket.keysOf()));
		for (const type of ['incremental', 'full'] as const) {
			await expect(group.back({ type })).rejects.toMatchObject({
				code: 'source-missing',
				message: `s3://${bucket.name} is empty; the backup before has 5 objects of it`,
			});
		}
	});

	it('is a warning when more than half are', async () => {
		for (let number = 0; number < 10; number++) await bucket.put(`key-${number}`);
		const first = await group.back();
		await bucket.remove(...(await bucket.keysOf()).slice(0, 6));
		const second = await group.back({ type: 'incremental' });
		expect(second.manifest.status).toBe('whole');
		expect(second.manifest.warnings).toEqual([
			`60 % of the objects are gone since ${first.label}: 4 now, 10 then`,
			`60 % of the bytes are gone since ${first.label}: 68 now, 170 then`,
		]);
	});

	it('may have been empty from the beginning', async () => {
		const full = await group.back();
		expect(full.manifest).toMatchObject({ status: 'whole', source: { details: { objects: 0 } } });
		expect(await group.verify(full, 'restored')).toBe('ok');
	});
});
