/** Reading a stored stream at any place: the same bytes as from its beginning, few of them read, and every damage found. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { generateIdentity } from '../../core/codecs/age/keys';
import type { DecryptionKeys, Encryption } from '../../core/codecs/age/age';
import { DEFAULT_LIMITS } from '../../core/base/limits';
import type { StoredStream } from '../../core/records/manifest';
import { storeStream } from '../../core/streams/pipeline';
import { openRandomAccess } from '../../core/streams/random-access';
import { MemoryStorage } from '../../core/storage/memory';
import type { Storage } from '../../core/storage/storage';

const MB = 1_000_000;
const { signal } = new AbortController();
const GROUP = 'files/www';
const LABEL = '20261127T020000Z-full-aaaa';

let original: Buffer;
let recipients: Encryption;
let keys: DecryptionKeys;
beforeAll(async () => {
	const pair = await generateIdentity();
	recipients = { recipients: [pair.recipient] };
	keys = { identities: [pair.identity] };
	// Half of it can be compressed.
	original = Buffer.concat(
		Array.from({ length: 24 }, (_, i) => (i % 2 ? randomBytes(MB) : Buffer.alloc(MB, `line ${i}\n`))),
	);
});

/** Counts the bytes that are read of a storage. */
function counting(storage: Storage): { storage: Storage; bytes: () => number } {
	let bytes = 0;
	const counted: Storage = Object.create(storage, {
		read: {
			value: async (...args: Parameters<Storage['read']>) => {
				const body = await storage.read(...args);
				body.on('data', (chunk: Buffer) => (bytes += chunk.length));
				return body;
			},
		},
	}) as Storage;
	return { storage: counted, bytes: () => bytes };
}

async function stored(encryption: Encryption | null, bytes = original) {
	const storage = new MemoryStorage();
	const stream = await storeStream({
		...{ storage, group: GROUP, label: LABEL, name: 'archive.tar', body: Readable.from([Buffer.from(bytes)]) },
		...{ encryption, zstdLevel: 3, limits: DEFAULT_LIMITS, signal },
	});
	return { storage, stream };
}

async function open(storage: Storage, stream: StoredStream, with_: DecryptionKeys | null = null) {
	return await openRandomAccess({
		storage,
		group: GROUP,
		label: LABEL,
		stream,
		keys: with_,
		signal,
		stallTimeoutMs: 10_000,
	});
}

async function collected(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
	const pieces: Buffer[] = [];
	for await (const each of bytes) pieces.push(Buffer.from(each));
	return Buffer.concat(pieces);
}

describe.each([
	['in the clear', () => null],
	['encrypted', () => recipients],
])('a stream stored %s', (_, encryption) => {
	const opens = () => (encryption() === null ? null : keys);

	it('gives the same bytes from any place', async () => {
		const { storage, stream } = await stored(encryption());
		const access = await open(storage, stream, opens());
		const places = [0, 1, 65_535, 65_536, 1_048_575, 1_048_576, original.length - 1, original.length];
		const ranges = places.flatMap((start) => [0, 1, 100, 70_000, 3 * MB].map((length) => [start, length] as const));
		for (const [start, length] of ranges.filter(([a, b]) => a + b <= original.length)) {
			const bytes = await collected(access.read(start, length));
			expect(bytes.equals(original.subarray(start, start + length))).toBe(true);
		}
		expect((await collected(access.read(0, original.length))).equals(original)).toBe(true);
	});

	it('reads little more of the storage than it gives, also for many small pieces', async () => {
		const { storage, stream } = await stored(encryption());
		const { storage: counted, bytes } = counting(storage);
		const access = await open(counted, stream, opens());
		const opening = bytes();
		expect(opening).toBeLessThan(140_000);
		await collected(access.read(11 * MB, MB));
		expect(bytes() - opening).toBeLessThan(4 * MB);
		const before = bytes();
		for (let at = 5 * MB; at < 6 * MB; at += 4_000) await collected(access.read(at, 4_000));
		expect(bytes() - before).toBeLessThan(4 * MB);
	});

	it('finds every flipped byte of what it reads', async () => {
		const small = original.subarray(0, 300_000);
		const { storage, stream } = await stored(encryption(), small);
		const key = `${GROUP}/${LABEL}/${stream.name}`;
		const whole = await collected((await storage.read(key, { signal })) as AsyncIterable<Buffer>);
		const step = Math.ceil(whole.length / 150);
		for (let at = 0; at < whole.length; at += step) {
			const bytes = Buffer.from(whole);
			bytes[at]! ^= 0x41;
			const damaged = new MemoryStorage();
			await damaged.write(key, Readable.from([bytes]), { signal });
			const reading = open(damaged, stream, opens()).then(
				async (access) => await collected(access.read(0, small.length)),
			);
			const outcome = await reading.then(
				(read) => (read.equals(small) ? 'the same' : 'other bytes'),
				(error: { code: string }) => error.code,
			);
			// A byte of a checksum in the seek table changes nothing that is read.
			expect(['damaged', 'wrong-identity', 'unsupported', 'the same']).toContain(outcome);
			if (outcome === 'the same') expect(whole.length - at).toBeLessThan(60);
		}
	});

	it('refuses a stream that was cut, and the table of another one', async () => {
		const { storage, stream } = await stored(encryption());
		const key = `${GROUP}/${LABEL}/${stream.name}`;
		const whole = await collected((await storage.read(key, { signal })) as AsyncIterable<Buffer>);
		const cut = new MemoryStorage();
		await cut.write(key, Readable.from([whole.subarray(0, whole.length - 100)]), { signal });
		await expect(open(cut, stream, opens())).rejects.toMatchObject({ code: 'damaged' });
		const other = await stored(encryption(), original.subarray(0, 2 * MB));
		await expect(
			open(other.storage, { ...other.stream, original: { ...other.stream.original, bytes: 5 } }, opens()),
		).rejects.toMatchObject({ code: 'damaged', message: expect.stringContaining('seek table') as string });
	});

	it('refuses to give more than there is', async () => {
		const { storage, stream } = await stored(encryption(), original.subarray(0, 1000));
		const access = await open(storage, stream, opens());
		await expect(collected(access.read(990, 11))).rejects.toMatchObject({ code: 'damaged' });
	});
});

it('says that the identity does not fit', async () => {
	const { storage, stream } = await stored(recipients, original.subarray(0, 1000));
	const another = await generateIdentity();
	await expect(open(storage, stream, { identities: [another.identity] })).rejects.toMatchObject({
		code: 'wrong-identity',
	});
});

/** Access that waits 0.3 s for the storage. */
async function impatient(storage: Storage, stream: StoredStream) {
	const of = { group: GROUP, label: LABEL, keys: null, signal, stallTimeoutMs: 300 };
	return await openRandomAccess({ storage, stream, ...of });
}

it('gives up when the storage gives nothing for too long', async () => {
	const { storage, stream } = await stored(null);
	const access = await impatient(storage, stream);
	jest.spyOn(storage, 'read').mockResolvedValue(new Readable({ read() {} }));
	await expect(collected(access.read(5 * MB, 100))).rejects.toMatchObject({ code: 'stalled' });
});

it('destroys what the storage gives when nobody waits for it any more', async () => {
	const { storage, stream } = await stored(null);
	const access = await impatient(storage, stream);
	const answer = Promise.withResolvers<Readable>();
	jest.spyOn(storage, 'read').mockReturnValue(answer.promise);
	await expect(collected(access.read(5 * MB, 100))).rejects.toMatchObject({ code: 'stalled' });
	const late = new Readable({ read() {}, destroy: (_, done) => done(new Error('nobody hears this')) });
	answer.resolve(late);
	await new Promise((resolve) => late.once('close', resolve));
});
