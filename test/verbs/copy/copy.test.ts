/** What a copy is, and what it refuses. */
import { Readable } from 'node:stream';
import { copyBackup, copyMissing, type CopyProgress, type CopyResult, copyToAll } from '../../../core/verbs/copy/copy';
import { BackupError } from '../../../core/base/errors';
import { readRuns } from '../../../core/records/journal/journal';
import { acquireLock } from '../../../core/records/locks/lock';
import { listReaders } from '../../../core/records/locks/read-marks';
import { Repository } from '../../../core/records/repository';
import { objectKey } from '../../../core/records/layout';
import { MemoryStorage } from '../../../core/storage/memory';
import type { Storage } from '../../../core/storage/storage';
import { verifyBackup } from '../../../core/verbs/verify/verify';
import { FaultyStorage } from '../../support/faulty-storage';
import { flip, GROUP, NEVER } from '../../support/small-backup';
import { buildBackup } from '../../support/build-backup';
import {
	assertConsistent,
	assertSound,
	changing,
	contentOf,
	newRepository,
	replace,
	withParents,
} from '../../support/stored-backups';

let from: Repository;
let to: Storage;
beforeEach(async () => {
	from = await newRepository();
	to = new MemoryStorage('memory:second');
});

const copy = async (label: string, more: Partial<Parameters<typeof copyBackup>[0]> = {}) =>
	await copyBackup({ from, to, group: GROUP, label, signal: NEVER, ...more });
const key = (label: string, name: string) => objectKey(GROUP, label, name);
const bytesAt = async (storage: Storage, at: string) => (await contentOf(storage)).get(at)!;
const labelsAt = async (storage: Storage) => (await (await Repository.open(storage)).list()).map(({ label }) => label);

describe('a copy', () => {
	it('has the bytes of the original, the manifest to the letter, and evidence of its own', async () => {
		const label = await buildBackup(from, { tags: ['audit'] });
		const result = await copy(label);
		expect(result).toMatchObject({ status: 'copied', destination: 'memory:second', code: null, parents: [] });
		const [here, there] = [await contentOf(from.storage), await contentOf(to)];
		for (const [at, bytes] of here) expect(there.get(at)).toEqual(bytes);
		expect([...there.keys()].filter((at) => !here.has(at))).toEqual([key(label, result.evidence!)]);
		expect(result.bytes).toBe([...here].filter(([at]) => at.endsWith('.zst')).reduce((n, [, b]) => n + b.length, 0));
		expect((await Repository.open(to)).id).not.toBe(from.id);
	});

	it('becomes a backup when all of it has been read back, which happens once', async () => {
		const label = await buildBackup(from);
		const watched = new FaultyStorage(to);
		await copy(label, { to: watched });
		const seen = watched.calls
			.filter((call) => ['write', 'read'].includes(call.on) && call.key.startsWith(key(label, '')))
			.map((call) => `${call.on} ${call.key.slice(key(label, '').length).replace(/verified-.*/, 'evidence')}`);
		expect(seen).toEqual([
			'write dump.sql.zst',
			'read dump.sql.zst',
			'write contents.json.zst',
			'read contents.json.zst',
			'write manifest.json',
			'read manifest.json',
			'write evidence',
		]);
	});

	it('needs no second sending, and no lock to know it', async () => {
		const label = await buildBackup(from);
		await copy(label);
		const lock = await acquireLock(to, GROUP);
		expect(await copy(label)).toMatchObject({ status: 'present', bytes: 0, evidence: null, code: null });
		await lock.release();
	});

	it('takes evidence and tags along, also those of a later day, and no pin', async () => {
		const label = await buildBackup(from);
		await from.writePin(GROUP, label, { at: new Date().toISOString(), reason: 'audit' });
		await copy(label);
		expect((await (await Repository.open(to)).list())[0]).toMatchObject({ pinned: false, tags: [] });
		const { evidence } = await verifyBackup({
			repository: from,
			group: GROUP,
			label,
			depth: 'readable',
			keys: null,
			signal: NEVER,
		});
		await from.writeTags(GROUP, label, ['audit']);
		expect(await copy(label)).toMatchObject({ status: 'present', bytes: 0 });
		expect((await (await Repository.open(to)).list())[0]).toMatchObject({ tags: ['audit'] });
		expect(await bytesAt(to, key(label, evidence!))).toEqual(await bytesAt(from.storage, key(label, evidence!)));
	});

	it('is read back when an earlier run was ended before it did so', async () => {
		const label = await buildBackup(from);
		const { evidence } = await copy(label);
		await to.remove(key(label, evidence!));
		expect(await copyMissing({ from, to, signal: NEVER })).toMatchObject([{ status: 'present', bytes: 0 }]);
		expect(await copyMissing({ from, to, signal: NEVER })).toEqual([]);
	});

	it('brings its parents first, and all of them', async () => {
		const full = await buildBackup(from);
		const first = await buildBackup(from, { type: 'incremental', parents: [full] });
		const second = await buildBackup(from, { type: 'incremental', parents: [first, full] });
		const faulty = new FaultyStorage(to);
		expect(await copy(second, { to: faulty })).toMatchObject({ status: 'copied', parents: [full, first] });
		const manifests = faulty.calls.filter(({ on, key: at }) => on === 'write' && at.endsWith('/manifest.json'));
		expect(manifests.map(({ key: at }) => at)).toEqual([full, first, second].map((each) => key(each, 'manifest.json')));
		await assertSound(to);
	});

	it('leaves locks and marks of readers nowhere, and both journals know of it', async () => {
		const label = await buildBackup(from);
		await copy(label, { actor: { via: 'script' } });
		for (const storage of [from.storage, to]) {
			const left: string[] = [];
			for await (const object of storage.list('locks/')) left.push(object.key);
			expect(left).toEqual([]);
			const span = { from: new Date(Date.now() - 600_000), to: new Date(Date.now() + 600_000) };
			const runs = (await readRuns(storage, span)).filter(({ verb }) => verb === 'copy');
			expect(runs).toMatchObject([
				{ state: 'ok', group: GROUP, label, facts: { role: storage === to ? 'destination' : 'source' } },
			]);
		}
		expect(await listReaders(from.storage, GROUP)).toEqual([]);
	});

	it('says how far it is', async () => {
		const label = await buildBackup(from);
		const seen: CopyProgress[] = [];
		const { bytes } = await copy(label, { onProgress: (progress) => seen.push(progress) });
		expect(seen.at(-1)).toEqual({ group: GROUP, label, phase: 'copying', bytes, totalBytes: bytes });
	});
});

describe('an interrupted copy', () => {
	it('goes on with what lies there whole, and sends the rest', async () => {
		const label = await buildBackup(from);
		for (const name of ['dump.sql.zst', 'contents.json.zst']) {
			const second = new MemoryStorage('memory:second');
			await Repository.open(second, { create: true });
			await second.write(key(label, name), Readable.from([await bytesAt(from.storage, key(label, name))]));
			const faulty = new FaultyStorage(second);
			expect(await copy(label, { to: faulty })).toMatchObject({ status: 'copied' });
			expect(faulty.calls.filter(({ on, key: at }) => on === 'write' && at === key(label, name))).toEqual([]);
			await assertSound(second);
		}
	});

	it('does not trust the size alone, and removes what belongs to no copy', async () => {
		const label = await buildBackup(from);
		const good = await bytesAt(from.storage, key(label, 'dump.sql.zst'));
		await Repository.open(to, { create: true });
		await to.write(key(label, 'dump.sql.zst'), Readable.from([flip(good, 1000)]));
		await to.write(key(label, 'other.zst'), Readable.from([good]));
		expect(await copy(label)).toMatchObject({ status: 'copied' });
		expect([...(await contentOf(to)).keys()]).not.toContain(key(label, 'other.zst'));
		await assertSound(to);
	});

	it('leaves what other labels left', async () => {
		const [label, other] = [await buildBackup(from), await buildBackup(from)];
		await Repository.open(to, { create: true });
		await to.write(key(other, 'dump.sql.zst'), Readable.from([Buffer.from('half')]));
		expect(await copy(label)).toMatchObject({ status: 'copied' });
		expect(await bytesAt(to, key(other, 'dump.sql.zst'))).toEqual(Buffer.from('half'));
	});

	it('begins anew where retention had begun to remove an earlier copy', async () => {
		const label = await buildBackup(from);
		await copy(label);
		await to.remove(key(label, 'manifest.json'));
		await to.write(key(label, 'expired.json'), Readable.from([Buffer.from('{}')]));
		expect(await copy(label)).toMatchObject({ status: 'copied' });
		expect((await (await Repository.open(to)).list())[0]).toMatchObject({ expiring: false });
		await assertSound(to);
	});
});

describe('a backup is not copied', () => {
	const refuses = async (label: string, expected: object, more?: Parameters<typeof copy>[1]) => {
		const result = await copy(label, more);
		expect(result).toMatchObject({ status: 'failed', hint: expect.stringMatching(/\.$/), ...expected });
		return result;
	};

	it.each(['dump.sql.zst', 'contents.json.zst'])('when its %s is damaged, and nothing of it is left', async (name) => {
		const label = await buildBackup(from);
		await replace(from.storage, key(label, name), flip(await bytesAt(from.storage, key(label, name)), 20));
		await refuses(label, { code: 'damaged', message: expect.stringContaining(name) });
		expect([...(await contentOf(to)).keys()]).toEqual([]);
	});

	it.each([
		['shorter', (bytes: Buffer) => bytes.subarray(1)],
		['longer', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('x')])],
	])('when an object is %s than its manifest says', async (_, change) => {
		const label = await buildBackup(from);
		const at = key(label, 'dump.sql.zst');
		await replace(from.storage, at, change(await bytesAt(from.storage, at)));
		await refuses(label, { code: 'damaged' });
		expect([...(await contentOf(to)).keys()]).toEqual([]);
	});

	it('when an object is missing', async () => {
		const label = await buildBackup(from);
		await from.storage.remove(key(label, 'contents.json.zst'));
		await refuses(label, { code: 'not-found', message: expect.stringContaining('contents.json.zst') });
		expect([...(await contentOf(to)).keys()]).toEqual([]);
	});

	it('when its manifest is damaged', async () => {
		const label = await buildBackup(from);
		const at = key(label, 'manifest.json');
		await replace(from.storage, at, flip(await bytesAt(from.storage, at), 300));
		await refuses(label, { code: 'invalid-manifest' });
		expect(await assertConsistent(to)).toEqual([]);
	});

	it('when it is none, or what a run left', async () => {
		const label = await buildBackup(from);
		await refuses(label.replace(/.$/, label.endsWith('0') ? '1' : '0'), { code: 'not-found' });
		await from.storage.remove(key(label, 'manifest.json'));
		await refuses(label, { code: 'incomplete' });
	});

	it('when one of its parents is missing', async () => {
		const full = await buildBackup(from);
		const first = await buildBackup(from, { type: 'incremental', parents: [full] });
		const second = await buildBackup(from, { type: 'incremental', parents: [first] });
		await from.storage.remove(key(full, 'manifest.json'));
		await refuses(second, { message: expect.stringMatching(`${first} needs the backup ${full}, which is missing`) });
		expect(await assertConsistent(to)).toEqual([]);
	});

	it('when its parents go in a circle, or are no labels', async () => {
		const full = await buildBackup(from);
		const child = await buildBackup(from, { type: 'incremental', parents: [full] });
		await withParents(from, full, [child]);
		await refuses(child, { code: 'invalid-manifest', message: expect.stringContaining('needs itself') });
		await withParents(from, full, ['../../secrets']);
		await refuses(child, { code: 'invalid-manifest', message: expect.stringContaining('not a label') });
	});

	it('into the repository it lies in', async () => {
		const label = await buildBackup(from);
		await refuses(label, { code: 'invalid-input' }, { to: new FaultyStorage(from.storage) });
	});

	it('over another backup of the same name', async () => {
		const label = await buildBackup(from);
		const at = key(label, 'manifest.json');
		await copy(label);
		await withParents(await Repository.open(to), label, []);
		const manifest = await (await Repository.open(to)).readManifest(GROUP, label);
		await to.remove(at);
		await (await Repository.open(to)).writeManifest({ ...manifest, warnings: ['another one'] });
		const before = await contentOf(to);
		await refuses(label, { code: 'already-exists', message: expect.stringContaining('another backup') });
		expect(await contentOf(to)).toEqual(before);
	});

	it('while another run writes to the group there', async () => {
		const label = await buildBackup(from);
		await Repository.open(to, { create: true });
		const lock = await acquireLock(to, GROUP);
		await refuses(label, { code: 'locked' });
		await lock.release();
		expect(await copy(label)).toMatchObject({ status: 'copied' });
	});

	it('where a retention lock is asked for and cannot be had', async () => {
		const label = await buildBackup(from);
		const protect = { until: new Date(Date.now() + 3_600_000), mode: 'governance' } as const;
		await refuses(label, { code: 'unsupported' }, { protect });
		expect([...(await contentOf(to)).keys()]).toEqual([]);
	});

	it('that a copy there lacks by now: it says so instead of calling it present', async () => {
		const label = await buildBackup(from);
		await copy(label);
		await to.remove(key(label, 'contents.json.zst'));
		await refuses(label, { code: 'damaged', message: expect.stringContaining('contents.json.zst') });
	});
});

describe('a destination that changes bytes', () => {
	it('has no copy, and the source is not blamed', async () => {
		const label = await buildBackup(from);
		const result = await copy(label, { to: changing(to, Infinity) });
		expect(result).toMatchObject({
			status: 'failed',
			code: 'damaged',
			message: expect.stringMatching(/^memory:second\/.+ was not kept as it was sent/),
			hint: expect.stringContaining('Do not trust it'),
		});
		expect(await labelsAt(to)).toEqual([]);
		expect([...(await contentOf(to)).keys()].filter((at) => at.endsWith('dump.sql.zst'))).toEqual([]);
	});

	it('once gets the object again, and the result says so', async () => {
		const label = await buildBackup(from);
		const result = await copy(label, { to: changing(to, 1) });
		expect(result).toMatchObject({
			status: 'copied',
			warnings: [expect.stringContaining('wrong once and right once')],
		});
		await assertSound(to);
	});
});

describe('a source that changes in the middle', () => {
	/** Does something when the first large object is asked for. */
	function whenRead(storage: Storage, change: () => Promise<void>): Storage {
		let done = false;
		return new Proxy(storage, {
			get(target, name) {
				if (name !== 'read')
					return (target[name as keyof Storage] as () => unknown)?.bind?.(target) ?? Reflect.get(target, name);
				return async (at: string, options?: object) => {
					if (!done && at.endsWith('dump.sql.zst')) {
						done = true;
						await change();
					}
					return await target.read(at, options);
				};
			},
		});
	}

	it('because retention removes it: the error says so, and nothing is left', async () => {
		const label = await buildBackup(from);
		const removes = whenRead(from.storage, async () => await from.expire(GROUP, label, ['test']));
		const result = await copy(label, { from: await Repository.open(removes) });
		expect(result).toMatchObject({
			status: 'failed',
			code: 'not-found',
			message: expect.stringContaining('was removed'),
		});
		expect([...(await contentOf(to)).keys()]).toEqual([]);
	});

	it('because somebody writes another object: it is damaged', async () => {
		const label = await buildBackup(from);
		const at = key(label, 'dump.sql.zst');
		const other = flip(await bytesAt(from.storage, at), 5);
		const changes = whenRead(from.storage, async () => await replace(from.storage, at, other));
		expect(await copy(label, { from: await Repository.open(changes) })).toMatchObject({ code: 'damaged' });
		expect([...(await contentOf(to)).keys()]).toEqual([]);
	});
});

describe('copying what a storage lacks', () => {
	const labelsOf = (results: CopyResult[]) => results.map(({ label }) => label);

	it('copies the newest first, and nothing twice', async () => {
		const full = await buildBackup(from);
		const child = await buildBackup(from, { type: 'incremental', parents: [full] });
		const other = await buildBackup(from, { group: 'postgres/other' });
		const results = await copyMissing({ from, to, signal: NEVER });
		expect(labelsOf(results)).toEqual([other, child]);
		expect(results[1]).toMatchObject({ parents: [full] });
		expect((await labelsAt(to)).sort()).toEqual([full, child, other].sort());
		expect(await copyMissing({ from, to, signal: NEVER })).toEqual([]);
	});

	it('keeps to groups, also where one name begins with the other, and to the newest', async () => {
		const [old, app] = [await buildBackup(from, { group: 'app' }), await buildBackup(from, { group: 'app' })];
		const staging = await buildBackup(from, { group: 'app-staging' });
		const newest = await copyMissing({ from, to, groups: ['app'], newest: true, signal: NEVER });
		expect(labelsOf(newest)).toEqual([app]);
		expect(labelsOf(await copyMissing({ from, to, signal: NEVER }))).toEqual([staging, old]);
	});

	it('goes on after a damaged one, and stops where the storage itself fails', async () => {
		const labels = [await buildBackup(from), await buildBackup(from), await buildBackup(from)];
		const at = key(labels[1]!, 'dump.sql.zst');
		await replace(from.storage, at, flip(await bytesAt(from.storage, at), 9));
		const denied = new BackupError('access-denied', 'cannot write', { hint: 'Allow it.' });
		const faulty = new FaultyStorage(to, [{ on: 'write', key: /dump/, then: { fail: denied } }]);
		const stopped = await copyMissing({ from, to: faulty, signal: NEVER });
		expect(stopped).toMatchObject([
			{ label: labels[2], code: 'access-denied', message: 'cannot write' },
			{
				label: labels[1],
				code: 'access-denied',
				message: `not tried after ${GROUP}/${labels[2]} failed: cannot write`,
			},
			{ label: labels[0], code: 'access-denied', hint: 'Allow it.' },
		]);
		expect(faulty.calls.filter(({ on, key: to }) => on === 'write' && to.endsWith('.zst'))).toHaveLength(1);
		const results = await copyMissing({ from, to, signal: NEVER });
		expect(results.map(({ status }) => status)).toEqual(['copied', 'failed', 'copied']);
	});

	it('does not wait for the lock of a group again and again', async () => {
		await buildBackup(from);
		await buildBackup(from);
		await buildBackup(from, { group: 'postgres/other' });
		await Repository.open(to, { create: true });
		const lock = await acquireLock(to, GROUP);
		const results = await copyMissing({ from, to, signal: NEVER });
		await lock.release();
		expect(results).toMatchObject([
			{ status: 'copied' },
			{ code: 'locked' },
			{ code: 'locked', message: expect.stringMatching(/^not tried/) },
		]);
	});
});

describe('copying to several storages', () => {
	it('is ok, degraded or failed, and one that fails does not stop the others', async () => {
		const label = await buildBackup(from);
		const busy = new MemoryStorage('memory:busy');
		await Repository.open(busy, { create: true });
		const lock = await acquireLock(busy, GROUP);
		const subject = { from, group: GROUP, label, signal: NEVER };
		expect(await copyToAll({ ...subject, to: [busy] })).toMatchObject({ outcome: 'failed' });
		const degraded = await copyToAll({ ...subject, to: [busy, to] });
		expect(degraded).toMatchObject({ outcome: 'degraded', results: [{ code: 'locked' }, { status: 'copied' }] });
		await lock.release();
		expect(await copyToAll({ ...subject, to: [busy, to] })).toMatchObject({
			outcome: 'ok',
			results: [{ status: 'copied' }, { status: 'present' }],
		});
	});

	it('copies what each one lacks', async () => {
		const [first, second] = [await buildBackup(from), await buildBackup(from)];
		await copy(first);
		const third = new MemoryStorage('memory:third');
		const { results } = await copyToAll({ from, to: [to, third], missing: {}, signal: NEVER });
		expect(results.map(({ destination, label }) => [destination, label])).toEqual([
			['memory:second', second],
			['memory:third', second],
			['memory:third', first],
		]);
	});

	it('warns when a destination has newer backups than the source: somebody removed them there', async () => {
		const [first, second] = [await buildBackup(from), await buildBackup(from)];
		const all = { from, to: [to], missing: {}, signal: NEVER };
		expect((await copyToAll(all)).warnings).toEqual([]);
		for (const { key } of await from.objects(GROUP, second)) await from.storage.remove(key);
		expect(await copyToAll(all)).toMatchObject({
			outcome: 'ok',
			warnings: [expect.stringContaining(`has a newer backup of ${GROUP} (${second}) than the source (${first})`)],
		});
	});

	it('refuses to copy nowhere', async () => {
		await expect(copyToAll({ from, to: [], missing: {}, signal: NEVER })).rejects.toMatchObject({
			code: 'invalid-input',
		});
	});
});
