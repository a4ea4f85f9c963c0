import { acquireLock } from '../../../core/records/locks/lock';
import { pinBackup, unpinBackup } from '../../../core/verbs/pin/pins';
import { Repository } from '../../../core/records/repository';
import { objectKey } from '../../../core/records/layout';
import { readText } from '../../../core/records/small-objects';
import { MemoryStorage } from '../../../core/storage/memory';
import { GROUP } from '../../support/build-backup';
import { addBackup, keysOf, NEVER } from '../../support/dated-backups';
import { until } from '../../support/until';

let repository: Repository;
let label: string;
beforeEach(async () => {
	repository = await Repository.open(new MemoryStorage(), { create: true });
	label = await addBackup(repository, { at: '2026-11-20T02:00:00Z' });
});

const request = (more: object = {}) => ({ repository, group: GROUP, label, signal: NEVER, ...more });
const isPinned = async () => (await repository.list(GROUP))[0]!.pinned;
const locks = async () => {
	const keys: string[] = [];
	for await (const { key } of repository.storage.list('locks/')) keys.push(key);
	return keys;
};

describe('a pin', () => {
	it('is set with its reason and taken away again', async () => {
		expect(await pinBackup(request({ reason: ' before the move ' }))).toEqual({
			group: GROUP,
			label,
			pinned: true,
			changed: true,
			warnings: [],
		});
		expect(await isPinned()).toBe(true);
		const text = await readText(repository.storage, objectKey(GROUP, label, 'pin.json'));
		expect(JSON.parse(text)).toEqual({ at: expect.any(String), reason: 'before the move' });
		expect(await unpinBackup(request())).toMatchObject({ pinned: false, changed: true });
		expect(await isPinned()).toBe(false);
		expect(await locks()).toEqual([]);
	});

	it('that was there before stays as it was', async () => {
		await pinBackup(request({ reason: 'the first' }));
		expect(await pinBackup(request({ reason: 'the second' }))).toMatchObject({ pinned: true, changed: false });
		expect(await readText(repository.storage, objectKey(GROUP, label, 'pin.json'))).toContain('the first');
		await unpinBackup(request());
		expect(await unpinBackup(request())).toMatchObject({ pinned: false, changed: false });
	});

	it.each([
		['a backup that is not there', { label: '20200101T000000Z-full-aaaa' }, 'not-found'],
		['what is no label', { label: 'newest' }, 'invalid-input'],
		['what is no group', { group: 'runs' }, 'invalid-input'],
	])('of %s is refused and leaves nothing', async (_, more, code) => {
		const before = await keysOf(repository);
		await expect(pinBackup(request(more))).rejects.toMatchObject({ code });
		await expect(unpinBackup(request(more))).rejects.toMatchObject({ code });
		expect(await keysOf(repository)).toEqual(before);
		expect(await locks()).toEqual([]);
	});

	it.each([
		['of several lines', 'a\nb'],
		['without an end', 'x'.repeat(501)],
	])('takes no reason %s', async (_, reason) => {
		await expect(pinBackup(request({ reason }))).rejects.toMatchObject({ code: 'invalid-input' });
	});

	it('waits while retention decides, so that no backup goes that was called pinned', async () => {
		const lock = await acquireLock(repository.storage, GROUP, { signal: NEVER, purpose: 'retention' });
		let done = false;
		const pinning = pinBackup(request()).then(
			() => 'pinned',
			(error: { code: string }) => error.code,
		);
		void pinning.finally(() => (done = true));
		await until('the pin has left its mark', async () => (await locks()).some((key) => key.includes('.reading-')));
		expect({ done, pinned: await isPinned() }).toEqual({ done: false, pinned: false });
		await repository.expire(GROUP, label, ['test']);
		await lock.release();
		expect(await pinning).toBe('not-found');
		expect(await keysOf(repository)).toEqual(['repository.json']);
	});
});
