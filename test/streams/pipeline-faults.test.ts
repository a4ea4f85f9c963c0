/** Failures at every step of a run. Jest fails a test in which an error event or a rejection is heard by nobody. */
import { openDump } from '../support/dump-source';
import { Readable } from 'node:stream';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { backUp, type BackupRequest } from '../../core/verbs/backup/backup';
import { BackupError } from '../../core/base/errors';
import type { Encryption } from '../../core/codecs/age/age';
import { generateIdentity } from '../../core/codecs/age/keys';
import { openStream, storeStream } from '../../core/streams/pipeline';
import { MemoryStorage } from '../../core/storage/memory';
import type { Storage } from '../../core/storage/storage';
import { FaultyStorage, type Operation } from '../support/faulty-storage';

const GROUP = 'postgres/shop';
const PASSPHRASE = { passphrase: 'a passphrase of enough words' };
const BROKEN = new BackupError('connection-lost', 'the server went away');

let recipients: Encryption;
beforeAll(async () => {
	recipients = { recipients: [(await generateIdentity()).recipient] };
});

/** Each step of the loop lets one turn of the event loop pass. */
const MOMENTS: Array<[string, (fail: () => void) => unknown]> = [
	['before anybody listens', (fail) => fail()],
	['in the same tick', (fail) => process.nextTick(fail)],
	['one turn later', (fail) => void turn().then(fail)],
	['while the header is made', (fail) => void delay(20).then(fail)],
];

function store(storage: Storage, body: Readable, encryption: Encryption | null, signal: AbortSignal) {
	const limits = { stallTimeoutMs: 60_000, hardTimeoutMs: 60_000 };
	return storeStream({
		...{ storage, group: GROUP, label: '20260101T000000Z-full-aaaa', name: 'dump.sql' },
		...{ body, encryption, zstdLevel: 1, limits, signal },
	});
}

describe.each<[string, () => Encryption | null, typeof MOMENTS]>([
	['a passphrase', () => PASSPHRASE, MOMENTS.slice(-1)],
	['recipients', () => recipients, MOMENTS],
	['no encryption', () => null, MOMENTS],
])('storing with %s', (_, encryption, moments) => {
	it.each(moments)('rejects with the source’s own error when that fails %s', async (_, at) => {
		const body = new Readable({ read: () => undefined });
		const storage = new MemoryStorage();
		at(() => body.destroy(BROKEN));
		await expect(store(storage, body, encryption(), new AbortController().signal)).rejects.toBe(BROKEN);
		for await (const { key } of storage.list('')) throw new Error(`${key} was left`);
		await turn();
	});

	it.each(moments)('rejects as cancelled when it is cancelled %s', async (_, at) => {
		const stop = new AbortController();
		const body = new Readable({ read: () => undefined });
		at(() => stop.abort());
		const started = performance.now();
		await expect(store(new MemoryStorage(), body, encryption(), stop.signal)).rejects.toMatchObject({
			code: 'cancelled',
		});
		// It does not wait for the work of the passphrase.
		expect(performance.now() - started).toBeLessThan(5000);
		expect(body.destroyed).toBe(true);
		await turn();
	});
});

it('rejects for keys that cannot be used, and lets go of the source', async () => {
	const body = new Readable({ read: () => undefined });
	const none = { recipients: ['age1notakey'] };
	await expect(store(new MemoryStorage(), body, none, new AbortController().signal)).rejects.toMatchObject({
		code: 'invalid-input',
	});
	body.destroy(BROKEN);
	await turn();
});

it('keeps an error of a stored stream for whoever reads it later', async () => {
	const storage = new FaultyStorage(new MemoryStorage());
	const { signal } = new AbortController();
	const body = Readable.from([Buffer.alloc(100_000, 1)]);
	const stream = await store(storage, body, null, signal);
	storage.plan.push({ on: 'read', after: 1, then: { fail: BROKEN } });
	const reading = await openStream({
		...{ storage, group: GROUP, label: '20260101T000000Z-full-aaaa', stream, keys: null, signal },
	});
	await delay(20);
	await expect(reading.toArray()).rejects.toBe(BROKEN);
});

function request(storage: Storage, change: Partial<BackupRequest> = {}): BackupRequest {
	return {
		storage,
		group: GROUP,
		source: {
			kind: 'postgres',
			open: async () =>
				openDump({
					body: Readable.from([Buffer.from('a row\n')]),
					finish: async () => ({ details: {}, contents: { format: 1, tables: [] }, globals: '-- roles', warnings: [] }),
					close: async () => undefined,
				}),
		},
		encryption: recipients,
		signal: new AbortController().signal,
		...change,
	};
}

/** Every operation of a whole run, as often as it comes. */
async function everyCall(): Promise<Array<[Operation, number]>> {
	const storage = new FaultyStorage(new MemoryStorage());
	await backUp(request(storage));
	const counts = new Map<Operation, number>();
	return storage.calls.map(({ on }) => {
		counts.set(on, (counts.get(on) ?? 0) + 1);
		return [on, counts.get(on)!];
	});
}

/** A run that failed left no backup; one that succeeded left a whole one. */
async function expectHonest(memory: Storage, run: Promise<unknown>): Promise<void> {
	const ended = await run.then(
		() => null,
		(error: unknown) => error,
	);
	if (ended !== null) expect(ended).toBeInstanceOf(BackupError);
	let manifests = 0;
	for await (const { key } of memory.list(`${GROUP}/`)) manifests += key.endsWith('/manifest.json') ? 1 : 0;
	// The manifest's own write, or what comes after it, may have failed: then it is there, and whole.
	if (ended === null) expect(manifests).toBe(1);
	await turn();
}

it('is honest whichever call of the storage fails, and no error goes unheard', async () => {
	const calls = await everyCall();
	expect(calls.length).toBeGreaterThan(15);
	for (const [on, nth] of calls) {
		const memory = new MemoryStorage();
		const fail = new BackupError('storage-failed', `${on} ${nth} failed`);
		await expectHonest(memory, backUp(request(new FaultyStorage(memory, [{ on, nth, then: { fail } }]))));
	}
});

it('is honest whenever it is cancelled, and no error goes unheard', async () => {
	for (const [index] of (await everyCall()).entries()) {
		const stop = new AbortController();
		const memory = new MemoryStorage();
		const storage = new FaultyStorage(memory);
		const { push } = storage.calls;
		storage.calls.push = function (...call) {
			if (this.length === index) stop.abort();
			return push.apply(this, call);
		};
		await expectHonest(memory, backUp(request(storage, { signal: stop.signal })));
	}
});
