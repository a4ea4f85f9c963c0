import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { PassThrough, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, zstdCompressSync, zstdDecompressSync, type ZstdOptions } from 'node:zlib';
import fc from 'fast-check';
import { freeChunk, readSeekTable, seekTableSize, zstdCompress, zstdDecompress } from '../../../core/codecs/zstd/zstd';
import { movable } from '../../../core/streams/chunk';
import { cut, dumpText, run, through } from '../streams';
import { rounds } from '../../support/soak';

const MIB = 1 << 20;
/** node:zlib's types leave it out: with it, the frame says how many bytes it holds. */
const PLEDGED = (original: Buffer) => ({ pledgedSrcSize: original.length }) as ZstdOptions;
const SKIPPABLE = Buffer.from('512a4d1803000000616263', 'hex');

describe('zstd', () => {
	describe('whole streams come back', () => {
		it.each([1, 2, 3, 64])('at every size around the border of frames of %i bytes', async (frameSize) => {
			for (const frames of [0, 1, 2, 3, 7]) {
				for (const around of [-1, 0, 1]) {
					const size = frames * frameSize + around;
					if (size < 0) continue;
					const original = dumpText(size);
					const compressed = await through([original], zstdCompress({ frameSize, concurrency: 3 }));
					expect(await through([compressed], zstdDecompress({ requireSeekTable: true }))).toEqual(original);
				}
			}
		});

		it('at every size around the border of frames of 1 MiB, also for the zstd program', async () => {
			for (const size of [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB - 1, 3 * MIB, 3 * MIB + 1]) {
				const original = dumpText(size);
				const compressed = await through(cut(original, [65_536, 200_000]), zstdCompress());
				expect(
					original.equals(await through(cut(compressed, [65_552]), zstdDecompress({ requireSeekTable: true }))),
				).toBe(true);
				expect(original.equals(await run('zstd', ['-dc'], compressed))).toBe(true);
			}
		});

		it('however they are cut into chunks', async () => {
			await fc.assert(
				fc.asyncProperty(
					fc.uint8Array({ maxLength: 3000 }),
					fc.integer({ min: 1, max: 500 }),
					fc.integer({ min: 1, max: 5 }),
					fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 6 }),
					fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 6 }),
					async (bytes, frameSize, concurrency, sizesIn, sizesBack) => {
						const original = Buffer.from(bytes);
						const compressed = await through(cut(original, sizesIn), zstdCompress({ frameSize, concurrency }));
						const back = await through(cut(compressed, sizesBack), zstdDecompress({ requireSeekTable: true }));
						expect(back.equals(original)).toBe(true);
					},
				),
				{ numRuns: rounds(60, 2_000) },
			);
		});

		it('and chunks that it owns are given back, parts of something larger are not', async () => {
			const larger = dumpText(300_000);
			const whole = Array.from(cut(larger, [70_000]), (piece) => Buffer.from(new Uint8Array(piece).buffer));
			const part = larger.subarray(0, 50_000);
			const compressed = await through([...whole, part], zstdCompress({ frameSize: 100_000, release: freeChunk }));
			expect((await through([compressed], zstdDecompress())).equals(Buffer.concat([larger, part]))).toBe(true);
			expect(whole.map((chunk) => chunk.length)).toEqual(whole.map(() => 0));
			expect(part.length).toBe(50_000);
		});

		it('when the level is the fastest or a slow one', async () => {
			const original = dumpText(300_000);
			for (const level of [1, 19]) {
				const compressed = await through([original], zstdCompress({ level }));
				expect(original.equals(await through([compressed], zstdDecompress()))).toBe(true);
			}
		});
	});

	it('gives the same bytes for the same original, whatever the concurrency', async () => {
		const original = dumpText(100_000);
		const one = await through([original], zstdCompress({ frameSize: 7000, concurrency: 1 }));
		expect(one.equals(await through(cut(original, [911]), zstdCompress({ frameSize: 7000, concurrency: 6 })))).toBe(
			true,
		);
	});

	it('is accepted by "zstd -t", also when empty', async () => {
		for (const size of [0, 10, 100_000]) {
			const compressed = await through([dumpText(size)], zstdCompress({ frameSize: 4096 }));
			await expect(run('zstd', ['-t'], compressed)).resolves.toBeDefined();
		}
	});

	it('refuses options that zstd would quietly bend', () => {
		for (const options of [
			{ level: 0 },
			{ level: 23 },
			{ level: 1.5 },
			{ level: NaN },
			{ frameSize: 0 },
			{ concurrency: 0 },
		]) {
			expect(() => zstdCompress(options)).toThrow(expect.objectContaining({ code: 'invalid-input' }) as Error);
		}
	});

	describe('the seek table', () => {
		it('lets each frame be decompressed by itself', async () => {
			const original = dumpText(50_000);
			const compressed = await through([original], zstdCompress({ frameSize: 7001 }));
			const table = readSeekTable(compressed);
			expect(table.frames).toBe(8);
			for (let i = table.frames - 1; i >= 0; i--) {
				const frame = compressed.subarray(table.compressed[i], table.compressed[i + 1]);
				expect(zstdDecompressSync(frame)).toEqual(original.subarray(table.original[i], table.original[i + 1]));
			}
			expect(table.original[table.frames]).toBe(original.length);
			expect((table.compressed[table.frames] as number) + (seekTableSize(compressed) as number)).toBe(
				compressed.length,
			);
		});

		it('is one empty frame for an empty original', async () => {
			const table = readSeekTable(await through([], zstdCompress()));
			expect([table.frames, table.original[1]]).toEqual([1, 0]);
		});
	});

	describe('reads what the zstd program writes', () => {
		it.each([
			['with checksums', ['-3']],
			['without checksums', ['-3', '--no-check']],
			['without content size', ['-3', '--no-content-size']],
			['with long windows', ['-1', '--long=27']],
			['with threads', ['-3', '-T2', '-B512K']],
		])('%s', async (_, options) => {
			const original = dumpText(2_500_000);
			const compressed = await run('zstd', [...options, '-c'], original);
			for (const sizes of [[compressed.length], [65_536], [1000, 3]]) {
				expect(original.equals(await through(cut(compressed, sizes), zstdDecompress()))).toBe(true);
			}
		});

		it('as several frames in one file, empty and skippable ones among them, in one chunk or many', async () => {
			const parts = ['one ', '', 'two ', 'three'].map((text) => zstdCompressSync(Buffer.from(text)));
			const stream = Buffer.concat([SKIPPABLE, ...parts.flatMap((part) => [part, SKIPPABLE])]);
			for (const sizes of [[stream.length], [1], [5, 11]]) {
				expect((await through(cut(stream, sizes), zstdDecompress())).toString()).toBe('one two three');
			}
		});

		it('as frames of all sizes, small ones side by side and large ones by themselves, in their order', async () => {
			const text = dumpText(9_000_000);
			const borders = [0, 1, 40_000, 5_040_000, 5_040_001, 5_500_000, 8_900_000, 9_000_000];
			const parts = borders.slice(1).map((end, i) => text.subarray(borders[i], end));
			const stream = Buffer.concat(parts.map((part) => zstdCompressSync(part, PLEDGED(part))));
			for (const sizes of [[stream.length], [65_552], [70_001, 13]]) {
				expect(text.equals(await through(cut(stream, sizes), zstdDecompress()))).toBe(true);
			}
		});

		it('but refuses windows that need more memory than a backup may use', async () => {
			const frame = Buffer.from(zstdCompressSync(Buffer.alloc(10)));
			// Window descriptor 0x98: 2^29 bytes (RFC 8878, 3.1.1.1.2), in a frame without content size.
			const huge = Buffer.concat([frame.subarray(0, 4), Buffer.from([0x00, 0x98]), Buffer.from('010000', 'hex')]);
			await expect(through([huge], zstdDecompress())).rejects.toMatchObject({ code: 'unsupported' });
		});
	});

	describe('notices', () => {
		const whole = () => through([dumpText(20_000)], zstdCompress({ frameSize: 3000 }));
		const damaged = { code: 'damaged' };

		it('a stream that is cut, wherever that is', async () => {
			const compressed = await whole();
			const table = readSeekTable(compressed);
			const places = new Set([1, 2, 3, 4, 5, 8, 12, compressed.length - 1, compressed.length - 9]);
			for (let i = 1; i <= table.frames; i++)
				for (const by of [-5, -4, -1, 0, 1, 4]) places.add((table.compressed[i] as number) + by);
			for (const place of places) {
				const stream = zstdDecompress({ requireSeekTable: true });
				await expect(through([compressed.subarray(0, place)], stream)).rejects.toMatchObject(damaged);
			}
		});

		it('a stream that is cut inside a frame, without a seek table', async () => {
			const compressed = zstdCompressSync(dumpText(20_000));
			for (let place = 1; place < compressed.length; place += rounds(97, 1)) {
				await expect(through([compressed.subarray(0, place)], zstdDecompress())).rejects.toMatchObject(damaged);
			}
			await expect(
				through([Buffer.concat([compressed, compressed.subarray(0, 20)])], zstdDecompress()),
			).rejects.toMatchObject(damaged);
		});

		it.each([100_000, 6_000_000])('damage inside a frame of %i bytes, after what comes before it', async (size) => {
			const before = dumpText(50_000);
			const original = dumpText(size);
			const frame = zstdCompressSync(original, {
				...PLEDGED(original),
				params: { [constants.ZSTD_c_checksumFlag]: 1 },
			});
			const middle = frame.length >> 1;
			frame[middle] = (frame[middle] as number) ^ 1;
			const stream = zstdDecompress();
			const given: Buffer[] = [];
			stream.on('data', (chunk: Buffer) => given.push(chunk));
			stream.end(Buffer.concat([zstdCompressSync(before, PLEDGED(before)), frame]));
			await expect(once(stream, 'end')).rejects.toMatchObject(damaged);
			expect(Buffer.concat(given).subarray(0, before.length).equals(before)).toBe(true);
		});

		it('no stream at all', async () => {
			await expect(through([], zstdDecompress())).rejects.toMatchObject(damaged);
			await expect(through([Buffer.from('-- PostgreSQL database dump')], zstdDecompress())).rejects.toMatchObject({
				code: 'damaged',
				message: 'the compressed stream is not zstd',
			});
		});

		it('something behind the last frame', async () => {
			const compressed = await whole();
			const frame = zstdCompressSync(Buffer.from('more'));
			for (const more of [Buffer.from('garbage'), Buffer.alloc(7)]) {
				await expect(through([Buffer.concat([frame, more])], zstdDecompress())).rejects.toMatchObject(damaged);
			}
			for (const more of [Buffer.from('garbage'), frame, SKIPPABLE, compressed]) {
				const stream = zstdDecompress({ requireSeekTable: true });
				await expect(through([Buffer.concat([compressed, more])], stream)).rejects.toMatchObject(damaged);
			}
		});

		it('any flipped bit that changes the original', async () => {
			const original = dumpText(20_000);
			const compressed = await whole();
			let noticed = 0;
			for (let bit = 3; bit < compressed.length * 8; bit += rounds(251, 7)) {
				const flipped = Buffer.from(compressed);
				flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
				try {
					// Some bits of the format mean nothing.
					expect(original.equals(await through([flipped], zstdDecompress({ requireSeekTable: true })))).toBe(true);
				} catch (error) {
					expect(error).toMatchObject({ code: expect.stringMatching(/^(damaged|unsupported)$/) as string });
					noticed++;
				}
			}
			expect(noticed).toBeGreaterThan(50);
		});

		it('frames that are missing, doubled or exchanged', async () => {
			const compressed = await whole();
			const { frames, compressed: at } = readSeekTable(compressed);
			const parts = Array.from({ length: frames }, (_, i) => compressed.subarray(at[i], at[i + 1]));
			const table = compressed.subarray(at[frames]);
			const wrong = {
				missing: parts.toSpliced(2, 1),
				doubled: parts.toSpliced(2, 0, parts[1] as Buffer),
				exchanged: parts.toSpliced(1, 2, parts[2] as Buffer, parts[1] as Buffer),
			};
			expect(await through([...parts, table], zstdDecompress({ requireSeekTable: true }))).toHaveLength(20_000);
			for (const order of Object.values(wrong)) {
				await expect(through([...order, table], zstdDecompress({ requireSeekTable: true }))).rejects.toMatchObject(
					damaged,
				);
			}
		});
	});

	describe('memory', () => {
		it('of each decompressed chunk can be handed on, also where a frame is large and a buffer has a byte to spare', async () => {
			const lane = createZstdCompress();
			const compressed: Buffer[] = [];
			lane.on('data', (chunk: Buffer) => compressed.push(chunk));
			// Ends a byte before a buffer of the decompressor is full, and goes on when the first part has been read.
			const first = randomBytes(13 * 256 * 1024 - 1);
			await new Promise<void>((resolve) => void lane.write(first, () => lane.flush(() => resolve())));
			const cutAt = compressed.length;
			const second = randomBytes(100_000);
			await new Promise<void>((resolve) => void lane.end(second, () => resolve()));
			await once(lane, 'end');

			const out: Buffer[] = [];
			const sink = new Writable({
				write(chunk: Buffer, _encoding, done) {
					const moved = movable(chunk);
					out.push(Buffer.from(moved));
					// Another thread has it now.
					moved.buffer.transfer(0);
					done();
				},
			});
			const parts = [Buffer.concat(compressed.slice(0, cutAt)), Buffer.concat(compressed.slice(cutAt))];
			await pipeline([Readable.from(parts, { objectMode: false }), zstdDecompress(), sink]);
			expect(Buffer.concat(out).equals(Buffer.concat([first, second]))).toBe(true);
		});

		it('stays bounded while compressing for a slow reader', async () => {
			const frameSize = 64 * 1024;
			const concurrency = 3;
			let given = 0;
			let received = 0;
			let most = 0;
			const source = function* () {
				for (let i = 0; i < 60; i++) {
					most = Math.max(most, given - received);
					given += frameSize;
					// Random bytes do not shrink, so that what comes out can be compared with what went in.
					yield randomBytes(frameSize);
				}
			};
			const sink = new Writable({
				highWaterMark: 1,
				write(chunk: Buffer, _encoding, done) {
					received += chunk.length;
					setTimeout(done, 3);
				},
			});
			await pipeline(
				Readable.from(source(), { objectMode: false, highWaterMark: 1 }),
				zstdCompress({ frameSize, concurrency }),
				sink,
			);
			expect(received).toBeGreaterThan(given);
			expect(most).toBeGreaterThanOrEqual(concurrency * frameSize);
			expect(most).toBeLessThanOrEqual((2 * concurrency + 4) * frameSize);
		});

		it.each([
			['two frames', 64 * MIB, MIB],
			['many frames', MIB, 2 * MIB],
		])('stays bounded when a few KiB of bomb hold 128 MiB in %s', async (_, frameSize, limit) => {
			const zeros = function* () {
				for (let i = 0; i < 8; i++) yield Buffer.alloc(16 * MIB);
			};
			const bomb = await through(zeros(), zstdCompress({ level: 1, frameSize }));
			expect(bomb.length).toBeLessThan(100_000);
			const stream = zstdDecompress();
			stream.end(bomb);
			let read = 0;
			for await (const chunk of stream) {
				read += (chunk as Buffer).length;
				expect(stream.readableLength).toBeLessThan(limit);
				await new Promise((resolve) => setTimeout(resolve, 1));
				if (read > 16 * MIB) break;
			}
			expect(stream.destroyed).toBe(true);
		});
	});

	describe('cancelled in the middle', () => {
		it.each([
			['compressing', () => zstdCompress({ frameSize: 10_000 }), dumpText(500_000)],
			['decompressing', () => zstdDecompress(), zstdCompressSync(dumpText(500_000))],
		])('%s stops and gives nothing more', async (_, create, input) => {
			const stream = create();
			const abort = new AbortController();
			let first = 0;
			let out = 0;
			const sink = new Writable({
				write(chunk: Buffer, _encoding, done) {
					out += chunk.length;
					first ||= out;
					abort.abort();
					done();
				},
			});
			await expect(
				pipeline(Readable.from(cut(input, [5000])), stream, sink, { signal: abort.signal }),
			).rejects.toMatchObject({
				name: 'AbortError',
			});
			if (!stream.closed) await once(stream, 'close');
			expect(out).toBe(first);
			expect(stream.readableLength).toBe(0);
		});

		it('hands on the error of the source', async () => {
			const source = new PassThrough();
			const done = pipeline(source, zstdCompress({ frameSize: 1000 }), zstdDecompress(), new PassThrough().resume());
			source.write(dumpText(5000));
			source.destroy(new Error('the database went away'));
			await expect(done).rejects.toThrow('the database went away');
		});
	});
});
