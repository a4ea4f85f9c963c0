/** Backups of buckets whose server answers in ways that no server does which can be started here. */
import { BucketGroup } from '../../support/buckets';
import { stopClock } from '../../support/clock';
import { FakeS3, fakeListing, fakeObject, fakeVersions } from '../../support/fake-s3';

let server: FakeS3;
let group: BucketGroup;
stopClock();
beforeAll(async () => {
	server = await FakeS3.start();
});
afterAll(() => server.stop());
beforeEach(() => {
	group = new BucketGroup(server);
	server.seen.length = 0;
});

/** Objects by their names, each with its text. */
function has(objects: Record<string, string>): void {
	server.let(({ key, query }) => {
		if (query.has('tagging')) return undefined;
		if (key === '') return fakeListing(objects);
		return objects[key] === undefined ? undefined : fakeObject(objects[key]);
	});
}

describe('blanks', () => {
	it('at the ends of names belong to them where a server lists names as they are', async () => {
		has({ ' a': '1', 'b ': '2', c: '3' });
		const backup = await group.back();
		expect(backup.manifest).toMatchObject({ status: 'whole', warnings: [], source: { details: { objects: 3 } } });
		expect((await group.index(backup)).map(({ object }) => object!.key)).toEqual([' a', 'b ', 'c']);
	});

	it('at the ends of tags belong to them', async () => {
		server.let(({ key, query }) => {
			if (query.has('tagging')) {
				const tags = '<Tag><Key> lead</Key><Value> trail </Value></Tag><Tag><Key>none</Key><Value> </Value></Tag>';
				return { body: `<Tagging><TagSet>${tags}</TagSet></Tagging>` };
			}
			return key === '' ? fakeListing({ a: '1' }) : fakeObject('1');
		});
		const [entry] = await group.index(await group.back());
		expect(entry!.object!.tags).toEqual({ ' lead': ' trail ', none: ' ' });
	});
});

it('--include names objects as they are called in the bucket, with and without versions', async () => {
	const names = ['100%.txt', 'a', 'a/', 'a/b', '../up', '/etc/passwd', 'other'].sort();
	const isTarget = (prefix: string | null) => prefix === 'to/';
	server.let(({ key, query }) => {
		if (query.has('tagging')) return undefined;
		if (key !== '') return fakeObject('1', { 'x-amz-version-id': '1' });
		if (query.has('versioning'))
			return { body: '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>' };
		const found = isTarget(query.get('prefix')) ? [] : names;
		if (query.has('versions')) return fakeVersions(Object.fromEntries(found.map((name) => [name, ['1']])));
		return fakeListing(Object.fromEntries(found.map((name) => [name, '1'])));
	});
	const backups = [await group.back(), await group.back({ versions: true })];
	const to = { ...server.config(), prefix: 'to' };
	for (const [include, wanted] of [
		['/100%.txt', ['100%.txt']],
		['/a/b', ['a/b']],
		['/a/', ['a/', 'a/b']],
		['/etc/', ['/etc/passwd']],
		['/../up', ['../up']],
		['*', names],
	] as const) {
		for (const [at, backup] of backups.entries()) {
			const { listed } = await group.restore(backup, { to, include: [include], versions: at === 1, dryRun: true });
			expect({ include, listed }).toEqual({ include, listed: wanted.map((name) => `to/${name}`) });
		}
	}
	await expect(group.restore(backups[0]!, { to, include: ['/100%25.txt'], dryRun: true })).rejects.toMatchObject({
		hint: expect.stringContaining('as they are called in the bucket') as string,
	});
});

describe('objects that are listed, and are not there when they are read', () => {
	const isLost = (lost: string[]) => {
		const objects: Record<string, string> = { a: '1', b: '2' };
		server.let(({ key, query }) => {
			if (query.has('tagging')) return undefined;
			if (key === '') return fakeListing(query.get('prefix') ? { [query.get('prefix')!]: '1' } : objects);
			return lost.includes(key) ? undefined : fakeObject(objects[key]!);
		});
		return objects;
	};

	it('make a backup incomplete, and what the backup before has of them stays', async () => {
		isLost([]);
		await group.back();
		isLost(['a']).a = 'another';
		const second = await group.back({ type: 'incremental' });
		expect(second.manifest).toMatchObject({
			status: 'incomplete',
			warnings: ['1 object could not be read; the contents name them'],
			source: { details: { objects: 2, storedObjects: 0, goneObjects: 0 } },
		});
		expect(second.summary.named).toEqual([{ path: 'a', why: 'unreadable' }]);
	});

	it('make no backup where it is all of them', async () => {
		isLost(['a', 'b']);
		await expect(group.back()).rejects.toMatchObject({
			code: 'storage-failed',
			message: expect.stringContaining('lists b, and has no such object when asked for it') as string,
			hint: expect.stringContaining('proxy') as string,
		});
	});

	it('are read when they are there at the second look, as what is removed and written anew', async () => {
		let isFirst = true;
		server.let(({ key, query }) => {
			if (query.has('tagging')) return undefined;
			if (key === '') return fakeListing({ a: '1' });
			const found = isFirst ? undefined : fakeObject('1');
			isFirst = false;
			return found;
		});
		expect((await group.back()).manifest).toMatchObject({ status: 'whole', source: { details: { objects: 1 } } });
	});

	it('are named by their version where that is listed still', async () => {
		server.let(({ key, query }) => {
			if (query.has('tagging')) return undefined;
			if (query.has('versions')) return fakeVersions({ a: ['2', '1'] });
			if (key === '') return fakeListing({});
			return query.get('versionId') === '2' ? fakeObject('2', { 'x-amz-version-id': '2' }) : undefined;
		});
		const { manifest, summary } = await group.back({ versions: true });
		expect(manifest.status).toBe('incomplete');
		expect(summary.named).toEqual([{ path: 'a (version 1)', why: 'unreadable' }]);
	});
});

it('a restore whose prefix makes a name too long is refused before anything is written, with and without versions', async () => {
	const long = 'k'.repeat(1020);
	server.let(({ key, query }) => {
		if (query.has('tagging')) return undefined;
		if (key !== '') return fakeObject('1');
		if (query.has('versioning'))
			return { body: '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>' };
		const isSource = query.get('prefix') === '';
		if (query.has('versions')) return fakeVersions(isSource ? { a: ['1'], [long]: ['1'] } : {});
		return fakeListing(isSource ? { a: '1', [long]: '1' } : {});
	});
	for (const versions of [false, true]) {
		const backup = await group.back({ versions });
		const to = { ...server.config(), prefix: 'again' };
		server.seen.length = 0;
		await expect(group.restore(backup, { to, versions })).rejects.toMatchObject({
			code: 'invalid-input',
			message: expect.stringMatching(/the name of k+… would have 1026 bytes in s3:\/\/photos\/again, and/) as string,
		});
		expect(server.seen.filter((each) => each.startsWith('again/'))).toEqual([]);
		const part = { to, versions, include: ['/a'], dryRun: true };
		expect((await group.restore(backup, part)).listed).toEqual(['again/a']);
	}
});

it('a version is not read again where the server does not repeat its id with it', async () => {
	server.let(({ key, query }) => {
		if (query.has('tagging')) return undefined;
		if (query.has('versions')) return fakeVersions({ a: ['2', '1'], b: ['null'] });
		return key === '' ? fakeListing({}) : fakeObject(query.get('versionId')!);
	});
	const full = await group.back({ versions: true });
	expect((await group.index(full)).map(({ object }) => object!.version)).toEqual(['2', '1', undefined]);
	server.seen.length = 0;
	const { manifest } = await group.back({ versions: true, type: 'incremental' });
	expect(manifest).toMatchObject({ type: 'incremental', source: { details: { storedObjects: 0 } } });
	expect(server.seen.filter((each) => each.includes('versionId'))).toEqual([]);
});
