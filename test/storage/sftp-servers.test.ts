/** SFTP servers that are not OpenSSH, or slow, or hostile. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { SFTPWrapper } from 'ssh2';
import { acquireLock } from '../../core/records/locks/lock';
import { SftpFiles } from '../../core/storage/sftp/files';
import { SftpStorage } from '../../core/storage/sftp/sftp';
import { type SftpServer, startSftp, type Ways } from '../support/sftp-server';
import { until } from '../support/until';

let server: SftpServer;
let storage: SftpStorage;

async function start(ways?: Ways): Promise<void> {
	server = await startSftp(ways);
	storage = new SftpStorage(server.options);
}

afterEach(async () => {
	await storage?.close();
	await server?.stop();
});

const nothingIsOpen = async () => await until('every handle is closed', () => server.open.size === 0);

it('a read that is cancelled while the server opens the file ends nothing else, and leaves no handle open', async () => {
	const opening = Promise.withResolvers<void>();
	const going = Promise.withResolvers<void>();
	await start({
		onOpen: async () => {
			opening.resolve();
			await going.promise;
		},
	});
	server.files.set('/base/a', Buffer.from('bytes'));
	const stop = new AbortController();
	const reading = storage.read('a', { signal: stop.signal });
	await opening.promise;
	stop.abort();
	await expect(reading).rejects.toMatchObject({ code: 'cancelled' });
	going.resolve();
	await until('the file is open', () => server.given > 0);
	// An error that nobody hears would come now, and end the process.
	await nothingIsOpen();
});

it('a stream that nobody reads leaves no handle open, nor does an invalid range', async () => {
	await start();
	server.files.set('/base/a', Buffer.from('bytes'));
	(await storage.read('a')).destroy();
	await nothingIsOpen();
	await expect(storage.read('a', { start: -1 })).rejects.toMatchObject({ code: 'invalid-input' });
	expect(server.open.size).toBe(0);
	expect((await buffer(await storage.read('a', { start: 1 }))).toString()).toBe('ytes');
	await nothingIsOpen();
});

async function listed(prefix = ''): Promise<string[]> {
	const keys: string[] = [];
	for await (const { key } of storage.list(prefix)) keys.push(key);
	return keys;
}

it('lists objects also where the server gives names without their attributes', async () => {
	await start({ namesOnly: true });
	for (const key of ['a', 'b/c']) await storage.write(key, Readable.from([Buffer.from('bytes')]));
	expect(await listed()).toEqual(['a', 'b/c']);
	for await (const object of storage.list('')) expect(object).toEqual(await storage.stat(object.key));
});

it('comes to an end also where each folder has another one in it', async () => {
	await start({ isBottomless: true });
	expect(await listed()).toEqual([]);
	// As deep as a key can be, and no deeper.
	expect(server.given).toBeLessThan(200);
	await nothingIsOpen();
});

it('gives up a folder of which the server goes on to give names for ever', async () => {
	const page = Array.from({ length: 100_000 }, () => ({ filename: 'a' }));
	let closed = 0;
	const sftp = {
		opendir: (_: string, done: (error: null, handle: Buffer) => void) => done(null, Buffer.from('handle')),
		readdir: (_: Buffer, done: (error: null, names: unknown[]) => void) => done(null, page),
		close: (_: Buffer, done: () => void) => (closed++, done()),
	};
	const files = new SftpFiles({ sftp: sftp as unknown as SFTPWrapper, lost: new AbortController().signal });
	await expect(files.names('/base')).rejects.toMatchObject({
		...{ code: 'storage-failed', message: 'the folder /base on the server has more than a million names' },
	});
	expect(closed).toBe(1);
});

it('makes no connection once it is closed', async () => {
	await start();
	const asked = storage.stat('a');
	await storage.close();
	await expect(asked).rejects.toMatchObject({ code: 'invalid-input', message: 'the storage is closed' });
	expect(server.connections.size).toBe(0);
});

it.each([
	['kept', 'fails where the name is taken', false],
	['ignored', 'writes over what is there', true],
] as const)('"only if absent" is %s where a rename %s', async (found, _, renameReplaces) => {
	await start({ renameReplaces });
	await storage.write('check', Readable.from([Buffer.from('bytes')]));
	expect(await storage.onlyIfAbsent('check')).toBe(found);
	expect([...server.files.keys()]).toEqual(['/base/check']);
	expect(server.files.get('/base/check')!.toString()).toBe(found === 'kept' ? 'bytes' : '');
});

it('of two runs, one gets the lock, also where a rename writes over what is there', async () => {
	await start({ renameReplaces: true });
	const other = new SftpStorage(server.options);
	try {
		const locks = [storage, other].map(async (each) => await acquireLock(each, 'postgres/shop', { settleMs: 300 }));
		const results = await Promise.allSettled(locks);
		const held = results.filter((result) => result.status === 'fulfilled');
		expect(held).toHaveLength(1);
		await held[0]!.value.release();
	} finally {
		await other.close();
	}
});
