import fc from 'fast-check';
import {
	createRing,
	endRing,
	isEmpty,
	readRing,
	waitForBytes,
	waitForSpace,
	writeRing,
} from '../../../../../core/sources/postgres/dump/engines/builtin/ring';

const RING_BYTES = 1024 * 1024;

describe('the ring between socket and worker', () => {
	it('gives back every byte in order, whatever the sizes, also where its counters pass 2^31 and 2^32', () => {
		const steps = fc.array(fc.record({ write: fc.nat(RING_BYTES + 10), read: fc.nat(RING_BYTES + 10) }), {
			maxLength: 12,
		});
		const start = fc.constantFrom(0, RING_BYTES - 7, 2 ** 31 - 300_000, 2 ** 31, 2 ** 32 - 500_000, 2 ** 32 - 1);
		fc.assert(
			fc.property(start, steps, (counter, all) => {
				const ring = createRing();
				ring.control[0] = ring.control[1] = counter | 0;
				const seed = new Uint8Array(RING_BYTES + 10).map((_, index) => (index * 31) % 251);
				const expected: Uint8Array[] = [];
				const received: Uint8Array[] = [];
				let written = 0;
				let read = 0;
				for (const { write, read: wanted } of all) {
					const bytes = seed.subarray(0, write).map((byte) => byte ^ (written & 255));
					const space = RING_BYTES - (written - read);
					const taken = writeRing(ring, bytes);
					expect(taken).toBe(Math.min(write, space));
					expected.push(bytes.subarray(0, taken));
					written += taken;
					const into = new Uint8Array(wanted);
					const count = readRing(ring, into);
					expect(count).toBe(Math.min(wanted, written - read));
					received.push(into.subarray(0, count));
					read += count;
					expect(isEmpty(ring)).toBe(written === read);
				}
				const rest = new Uint8Array(RING_BYTES);
				received.push(rest.subarray(0, readRing(ring, rest)));
				expect(Buffer.concat(received).equals(Buffer.concat(expected))).toBe(true);
			}),
			{ numRuns: 60 },
		);
	});

	it('has an end only after its last byte', () => {
		const ring = createRing();
		writeRing(ring, new Uint8Array(3));
		endRing(ring);
		expect(waitForBytes(ring)).toBe(true);
		readRing(ring, new Uint8Array(3));
		expect(waitForBytes(ring)).toBe(false);
	});

	it('is filled again when it is half empty, not before', async () => {
		const ring = createRing();
		writeRing(ring, new Uint8Array(RING_BYTES));
		let filled = false;
		const waiting = waitForSpace(ring).then(() => (filled = true));
		readRing(ring, new Uint8Array(RING_BYTES / 2 - 1));
		await new Promise((resolve) => setImmediate(resolve));
		expect(filled).toBe(false);
		readRing(ring, new Uint8Array(1));
		await waiting;
	});
});
