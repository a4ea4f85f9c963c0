import { setTimeout as delay } from 'node:timers/promises';
import { createDigest, startHashing } from '../../../core/codecs/digest/digest';
import { threadsNamed } from '../../support/processes';
import { cut, dumpText, run, through } from '../streams';

describe('digest', () => {
	it.each([
		['sha256', 'sha256sum'],
		['blake2b512', 'b2sum'],
	] as const)('%s says what %s says, and changes nothing', async (algorithm, program) => {
		for (const size of [0, 1, 300_000]) {
			const original = dumpText(size);
			const digest = createDigest(algorithm);
			expect(original.equals(await through(cut(original, [65_536, 7]), digest))).toBe(true);
			const printed = (await run(program, ['-b'], original)).toString();
			expect(digest.result()).toEqual({ algorithm, hex: printed.split(' ')[0], bytes: size });
		}
	});

	it('counts as it goes, and keeps its result back until the stream has ended', () => {
		const digest = createDigest('sha256');
		digest.write(Buffer.from('half'));
		expect(digest.bytes).toBe(4);
		expect(() => digest.result()).toThrow(expect.objectContaining({ code: 'incomplete' }) as Error);
		digest.destroy();
		expect(() => digest.result()).toThrow(expect.objectContaining({ code: 'incomplete' }) as Error);
	});

	describe('of very many bytes', () => {
		const MANY = 1024 ** 3;

		it.each(['sha256', 'blake2b512'] as const)(
			'is computed in a thread, and %s stays what it is',
			async (algorithm) => {
				for (const size of [0, 1, 512 * 1024, 30_000_001]) {
					const original = dumpText(size);
					const [here, there] = [createDigest(algorithm), createDigest(algorithm, MANY)];
					const pieces = cut(original, [65_536, 7, 3_000_000]);
					expect(original.equals(await through(pieces, here, there))).toBe(true);
					expect(there.result()).toEqual(here.result());
				}
				await noThreadIsLeft();
			},
		);

		it('keeps a writer waiting rather than taking more memory', async () => {
			const hashing = startHashing('sha256', MANY);
			const chunk = Buffer.alloc(64 * 1024);
			let [taken, room] = [0, hashing.update(chunk)];
			for (; !room; room = hashing.update(chunk)) taken += chunk.length;
			expect(taken).toBeLessThanOrEqual(8 * 1024 * 1024);
			await room;
			// What still waits hears that it is over.
			do room = hashing.update(chunk);
			while (!room);
			hashing.stop();
			await expect(room).rejects.toMatchObject({ code: 'connection-lost' });
			await noThreadIsLeft();
		});

		it('stops in the middle, and leaves no thread behind', async () => {
			const digest = createDigest('sha256', MANY);
			digest.write(Buffer.alloc(600 * 1024));
			await until(() => threads() === 1);
			digest.destroy();
			await noThreadIsLeft();
		});

		it('starts no thread any more when it was stopped before it had one', async () => {
			const hashing = startHashing('sha256', MANY);
			hashing.stop();
			await expect(hashing.digest()).rejects.toMatchObject({ code: 'connection-lost' });
			expect(() => hashing.update(Buffer.alloc(1024 * 1024))).toThrow(
				expect.objectContaining({ code: 'connection-lost' }) as Error,
			);
			expect(threads()).toBe(0);
		});

		it('says so when the thread breaks down, and does not wait for ever', async () => {
			// An algorithm that no thread knows: it ends with an error of its own.
			const hashing = startHashing('no-such-algorithm' as 'sha256', MANY);
			const chunk = Buffer.alloc(1024 * 1024);
			const feed = async () => {
				for (;;) await hashing.update(chunk);
			};
			await expect(feed()).rejects.toMatchObject({
				code: 'connection-lost',
				message: expect.stringContaining('thread'),
			});
			await expect(hashing.digest()).rejects.toMatchObject({ code: 'connection-lost' });
			hashing.stop();
		});
	});
});

/** Threads of this process that hash. */
const threads = () => threadsNamed('digest');

async function noThreadIsLeft(): Promise<void> {
	await until(() => threads() === 0);
}

async function until(condition: () => boolean): Promise<void> {
	while (!condition()) await delay(5);
}
