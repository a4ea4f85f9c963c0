import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { BackupError } from '../../../core/base/errors';
import { acquireLock } from '../../../core/records/locks/lock';
import { prune } from '../../../core/verbs/prune/prune';
import { Repository } from '../../../core/records/repository';
import { objectKey } from '../../../core/records/layout';
import { writeText } from '../../../core/records/small-objects';
import { FolderStorage } from '../../../core/storage/folder/folder';
import { S3Storage } from '../../../core/storage/s3/s3';
import type { StoredObject } from '../../../core/storage/storage';
import { GROUP } from '../../support/build-backup';
import { addBackup, addOrphan, keysOf, NEVER } from '../../support/dated-backups';
import { FaultyStorage } from '../../support/faulty-storage';
import { sharedS3 } from '../../support/s3';
import { filesBelow } from '../../support/stored-files';

let folder: string;
let repository: Repository;
beforeEach(async () => {
	folder = mkdtempSync(join(tmpdir(), 'prune-'));
	repository = await Repository.open(new FolderStorage({ path: folder }), { create: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** As if it had been written so many hours ago. */
function age(file: string, hours: number): void {
	const time = new Date(Date.now() - hours * 3_600_000);
	utimesSync(join(folder, file), time, time);
}

async function orphanOf(group: string, hours: number): Promise<string> {
	const label = await addOrphan(repository, group, new Date(Date.now() - hours * 3_600_000));
	age(objectKey(group, label, 'dump.sql.zst'), hours);
	return label;
}

/** A lock that its holder, a run of this process, has forgotten: as after a kill. */
async function staleLock(group: string): Promise<void> {
	const file = join(folder, `locks/${group}.json`);
	const lock = await acquireLock(repository.storage, group, { signal: NEVER });
	const text = readFileSync(file);
	await lock.release();
	mkdirSync(dirname(file), { recursive: true });
	writeFileSync(file, text);
}

/** Its clock is ten hours behind. */
class LateFolder extends FolderStorage {
	override async write(...args: Parameters<FolderStorage['write']>): Promise<StoredObject> {
		const object = await super.write(...args);
		return { ...object, modifiedAt: new Date(object.modifiedAt.getTime() - 10 * 3_600_000) };
	}
}

const request = (more: object = {}) => ({ repository, apply: true, signal: NEVER, ...more });
const backups = () => filesBelow(folder).filter((file) => !/^(runs|locks)\//.test(file));

describe('prune', () => {
	it('shows orphans older than a day, and removes them only when told to', async () => {
		await addBackup(repository, { at: '2026-11-20T02:00:00Z' });
		const whole = backups();
		const label = await orphanOf(GROUP, 30);
		const all = backups();
		const shown = await prune(request({ apply: false }));
		expect(shown).toMatchObject({ applied: false, orphans: [{ group: GROUP, label }], freedBytes: 11, warnings: [] });
		expect(filesBelow(folder)).toEqual(all);
		expect(await prune(request())).toMatchObject({ applied: true, orphans: [{ group: GROUP, label }], freedBytes: 11 });
		expect(backups()).toEqual(whole);
		expect(await prune(request())).toMatchObject({ orphans: [], freedBytes: 0 });
	});

	it('leaves younger ones alone: a run may be writing them', async () => {
		await orphanOf(GROUP, 23);
		const all = backups();
		expect(await prune(request())).toMatchObject({ orphans: [] });
		expect(backups()).toEqual(all);
		expect(await prune(request({ graceHours: 22 }))).toMatchObject({ orphans: [{ group: GROUP }] });
	});

	it('goes by the clock of the storage, not by that of this machine', async () => {
		await orphanOf(GROUP, 30);
		const behind = await Repository.open(new LateFolder({ path: folder }));
		expect(await prune(request({ repository: behind, apply: false }))).toMatchObject({ orphans: [] });
		expect(await prune(request({ repository: behind }))).toMatchObject({ orphans: [] });
	});

	it('leaves a group alone whose lock is held', async () => {
		await orphanOf(GROUP, 30);
		const other = await orphanOf('postgres/crm', 30);
		const lock = await acquireLock(repository.storage, GROUP, { signal: NEVER });
		const expected = { orphans: [{ label: other }], skipped: [{ group: GROUP }] };
		expect(await prune(request({ apply: false }))).toMatchObject(expected);
		expect(await prune(request())).toMatchObject(expected);
		await lock.release();
		expect(await prune(request())).toMatchObject({ orphans: [{ group: GROUP }], skipped: [] });
	});

	it('finishes the removal of an expired backup without waiting for its age', async () => {
		const label = await addBackup(repository, { at: '2026-11-20T02:00:00Z' });
		await writeText(repository.storage, objectKey(GROUP, label, 'expired.json'), '{}');
		await repository.storage.remove(objectKey(GROUP, label, 'manifest.json'));
		expect(await prune(request())).toMatchObject({ orphans: [{ label, expired: true }] });
		expect(backups()).toEqual(['repository.json']);
	});

	it('removes temporary files of killed writers, and no younger ones', async () => {
		const label = await orphanOf(GROUP, 30);
		const partial = (name: string, hours: number) => {
			const file = `${GROUP}/${label}/.${name}.0123456789ab.partial`;
			writeFileSync(join(folder, file), 'half');
			age(file, hours);
		};
		partial('contents.json.zst', 30);
		partial('globals.sql.zst', 2);
		mkdirSync(join(folder, 'locks'));
		writeFileSync(join(folder, 'locks/.x.json.0123456789ab.partial'), 'half');
		age('locks/.x.json.0123456789ab.partial', 30);
		expect(await prune(request({ apply: false }))).toMatchObject({ unfinished: 2 });
		expect(await prune(request())).toMatchObject({ unfinished: 2, orphans: [{ label }] });
		expect(backups().map((file) => file.split('/').at(-1))).toEqual([
			'.globals.sql.zst.0123456789ab.partial',
			'repository.json',
		]);
	});

	it('removes locks whose holder is gone, and says whose they were', async () => {
		await staleLock(GROUP);
		const shown = await prune(request({ apply: false }));
		expect(shown.staleLocks).toEqual([expect.stringContaining(`lock of ${GROUP}`)]);
		expect(filesBelow(folder)).toContain(`locks/${GROUP}.json`);
		expect((await prune(request())).staleLocks).toEqual(shown.staleLocks);
		expect(filesBelow(folder).filter((file) => file.startsWith('locks/'))).toEqual([]);
	});

	it('unknown files are named, never counted as backups and never removed', async () => {
		writeFileSync(join(folder, 'notes.txt'), 'mine');
		age('notes.txt', 1000);
		const strange = join(folder, 'upload');
		writeFileSync(`${strange}.sql.gz`, 'mine too');
		const result = await prune(request({ graceHours: 0 }));
		expect(result).toMatchObject({ unknown: ['notes.txt', 'upload.sql.gz'], unknownCount: 2, freedBytes: 0 });
		expect(backups()).toEqual(['notes.txt', 'repository.json', 'upload.sql.gz']);
	});

	it('two jobs with a common name prefix: the orphans of one are not removed under the lock of the other', async () => {
		const app = await orphanOf('app', 30);
		const staging = await orphanOf('app-staging', 30);
		const nested = await orphanOf('app/eu', 30);
		const locks = [
			await acquireLock(repository.storage, 'app-staging', { signal: NEVER }),
			await acquireLock(repository.storage, 'app/eu', { signal: NEVER }),
		];
		expect(await prune(request())).toMatchObject({
			orphans: [{ group: 'app', label: app }],
			skipped: [{ group: 'app-staging' }, { group: 'app/eu' }],
		});
		for (const lock of locks) await lock.release();
		expect(backups()).toEqual([
			expect.stringContaining(`app-staging/${staging}`),
			expect.stringContaining(`app/eu/${nested}`),
			'repository.json',
		]);
	});

	it('reports an orphan that the storage protects, and goes on', async () => {
		const label = await orphanOf(GROUP, 30);
		const other = await orphanOf('postgres/zoo', 30);
		const storage = new FaultyStorage(repository.storage, [
			{ on: 'remove', key: new RegExp(label), then: { fail: new BackupError('protected', 'it is protected') } },
		]);
		const result = await prune(request({ repository: await Repository.open(storage) }));
		expect(result).toMatchObject({ orphans: [{ label: other }], skipped: [{ group: GROUP, why: 'it is protected' }] });
	});

	it('shows what it can where nothing may be written', async () => {
		const label = await orphanOf(GROUP, 30);
		const storage = new FaultyStorage(repository.storage, [
			{ on: 'write', then: { fail: new BackupError('access-denied', 'read only') } },
		]);
		const readOnly = await Repository.open(storage);
		expect(await prune(request({ repository: readOnly, apply: false }))).toMatchObject({
			orphans: [{ label }],
			warnings: [expect.stringContaining('takes no object')],
		});
		await expect(prune(request({ repository: readOnly }))).rejects.toMatchObject({ code: 'access-denied' });
	});

	it.each([-1, Number.NaN, 10_000])('takes no grace time of %p hours', async (graceHours) => {
		await expect(prune(request({ graceHours }))).rejects.toMatchObject({ code: 'invalid-input' });
	});
});

describe('prune in S3', () => {
	const server = sharedS3();

	it('aborts unfinished uploads of backups, and none of other programs', async () => {
		const bucket = await server().makeBucket();
		const storage = new S3Storage(server().options(bucket));
		const inBucket = await Repository.open(storage, { create: true });
		await addBackup(inBucket, { at: '2026-11-20T02:00:00Z' });
		const before = await keysOf(inBucket);
		const label = '20261119T020000Z-full-aaaa';
		const client = server().client();
		for (const key of [`${GROUP}/${label}/dump.sql.zst`, 'videos/holiday.mp4']) {
			await client.initiateNewMultipartUpload(bucket, key, {});
		}
		await storage.write(`${GROUP}/${label}/contents.json.zst`, Readable.from(['x']));
		const options = { repository: inBucket, graceHours: 0, signal: NEVER };
		expect(await prune({ ...options, apply: false })).toMatchObject({ unfinished: 1, orphans: [{ label }] });
		expect(await prune({ ...options, graceHours: 1, apply: true })).toMatchObject({ unfinished: 0, orphans: [] });
		expect(await prune({ ...options, apply: true })).toMatchObject({ unfinished: 1, orphans: [{ label }] });
		expect(await server().unfinished(bucket)).toEqual(['videos/holiday.mp4']);
		expect(await keysOf(inBucket)).toEqual(before);
		await storage.close();
	});
});
