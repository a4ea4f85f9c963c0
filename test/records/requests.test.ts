/** Requests that were accepted, on real storages in memory. */
import { Readable } from 'node:stream';
import { BackupError } from '../../core/base/errors';
import { endRequest, acceptRequest, readRequest, REQUEST_ID, requestId } from '../../core/records/requests';
import { writeText } from '../../core/records/small-objects';
import { MemoryStorage } from '../../core/storage/memory';
import { OverwritingStorage } from '../support/overwriting-storage';

const REQUEST = {
	...{ verb: 'backup' as const, asked: { database: 'shop' }, requestedBy: 'operator', workflow: 'w', execution: '1' },
};
const ID = requestId('a-key-of-somebody');

it('makes ids of which nobody can read the key', () => {
	expect(ID).toMatch(REQUEST_ID);
	expect(requestId('another-key')).not.toBe(ID);
});

it('accepts a request once, also when many come at the same time, and the first one counts', async () => {
	const storage = new MemoryStorage();
	const all = await Promise.all(
		[1, 2, 3, 4].map((n) => acceptRequest(storage, ID, { ...REQUEST, execution: String(n) })),
	);
	expect(all.filter(({ isNew }) => isNew)).toHaveLength(1);
	const first = all.find(({ isNew }) => isNew)!;
	expect(all.map(({ request }) => request)).toEqual(all.map(() => first.request));
	expect(await readRequest(storage, ID)).toMatchObject({ ...first.request, end: null });
});

it('starts nothing twice where a server ignores "only if absent": who wrote last counts, for all', async () => {
	const storage = new OverwritingStorage();
	const accept = async (execution: string) =>
		await acceptRequest(storage, ID, { ...REQUEST, execution }, { settleMs: 100 });
	const all = await Promise.all(['1', '2'].map(accept));
	expect(all.filter(({ isNew }) => isNew)).toHaveLength(1);
	const first = all.find(({ isNew }) => isNew)!;
	expect(all.map(({ request }) => request)).toEqual([first.request, first.request]);
});

it('asks what can be done only where the key is new, and remembers what was offered', async () => {
	const storage = new MemoryStorage();
	const refused = new BackupError('unsupported', 'nobody does that');
	await expect(acceptRequest(storage, ID, REQUEST, { offer: async () => Promise.reject(refused) })).rejects.toBe(
		refused,
	);
	expect(await readRequest(storage, ID)).toBeNull();
	const offer = { workflow: 'w' };
	expect(await acceptRequest(storage, ID, REQUEST, { offer: async () => offer })).toMatchObject({ isNew: true, offer });
	const again = await acceptRequest(storage, ID, REQUEST, { offer: async () => Promise.reject(refused) });
	expect(again).toMatchObject({ isNew: false, offer });
});

it('writes nothing that it could not read again', async () => {
	const storage = new MemoryStorage();
	const asked = { before: 'x'.repeat(1001) };
	await expect(acceptRequest(storage, ID, { ...REQUEST, asked })).rejects.toMatchObject({
		code: 'invalid-input',
		message: expect.stringContaining('asked.before'),
	});
	expect(await readRequest(storage, ID)).toBeNull();
	await acceptRequest(storage, ID, REQUEST);
	const backups = Array.from({ length: 1001 }, (_, at) => ({ group: `files/${at}`, label: 'x' }));
	await endRequest(storage, ID, { outcome: 'failed', code: 'x'.repeat(1001), backups });
	expect((await readRequest(storage, ID))!.end!.backups).toEqual(backups.slice(0, 1000));
});

it('knows what it wrote itself when the answer to its first try was lost', async () => {
	const storage = new MemoryStorage();
	const write = storage.write.bind(storage);
	storage.write = async (key, body, options) => {
		const written = await write(key, body, options);
		// As a storage that repeats a write finds it.
		if (key.includes('request-')) await write(key, Readable.from(['{}']));
		return written;
	};
	expect(await acceptRequest(storage, ID, REQUEST)).toMatchObject({ isNew: true });
});

it('says how it ended, and the first word on that stays', async () => {
	const storage = new MemoryStorage();
	expect(await readRequest(storage, ID)).toBeNull();
	await acceptRequest(storage, ID, REQUEST);
	const backups = [{ group: 'postgres/shop', label: 'x' }];
	await endRequest(storage, ID, { outcome: 'failed', code: 'unreachable', backups });
	await endRequest(storage, ID, { outcome: 'ok', code: null, backups: [] });
	expect(await readRequest(storage, ID)).toMatchObject({ end: { outcome: 'failed', code: 'unreachable', backups } });
});

it('refuses a record that somebody has changed', async () => {
	const storage = new MemoryStorage();
	for (const [key, text] of [
		[requestId('no-json'), 'x'],
		[requestId('no-record'), '{"format":1,"verb":"drop"}'],
	] as const) {
		await writeText(storage, `monitoring/request-${key}.json`, text);
		await expect(readRequest(storage, key)).rejects.toMatchObject({ code: 'damaged' });
		await expect(acceptRequest(storage, key, REQUEST)).rejects.toMatchObject({ code: 'damaged' });
	}
});

it('forgets keys after thirty days, and not a day before; one that cannot be removed stands in nobody’s way', async () => {
	const storage = new MemoryStorage();
	await acceptRequest(storage, ID, REQUEST);
	const now = jest.spyOn(Date, 'now');
	try {
		now.mockReturnValue(new Date().getTime() + 29 * 24 * 3_600_000);
		await acceptRequest(storage, requestId('second-key'), REQUEST);
		expect(await readRequest(storage, ID)).not.toBeNull();
		now.mockReturnValue(new Date().getTime() + 31 * 24 * 3_600_000);
		await acceptRequest(storage, requestId('third-key'), REQUEST);
		expect(await readRequest(storage, ID)).toBeNull();
	} finally {
		now.mockRestore();
	}
});
