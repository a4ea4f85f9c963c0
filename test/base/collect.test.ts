import { Readable } from 'node:stream';
import { collect } from '../../core/base/collect';

const tooLarge = () => new Error('too large');

describe('collecting a stream', () => {
	it('gives all of its bytes, up to the limit', async () => {
		const body = () => Readable.from([Buffer.from('ab'), Buffer.from('c')]);
		expect((await collect(body(), 3, tooLarge)).toString()).toBe('abc');
		await expect(collect(body(), 2, tooLarge)).rejects.toThrow('too large');
	});

	it('reads no further than the limit, and lets go of the stream', async () => {
		let given = 0;
		const endless = Readable.from(
			(function* () {
				for (;;) yield Buffer.alloc(1000, ++given);
			})(),
			{ highWaterMark: 1 },
		);
		await expect(collect(endless, 10_000, tooLarge)).rejects.toThrow('too large');
		expect(given).toBeLessThan(15);
		expect(endless.destroyed).toBe(true);
	});

	it('fails as the stream fails', async () => {
		const broken = Readable.from(
			(async function* () {
				yield Buffer.from('a');
				throw new Error('the disk is gone');
			})(),
		);
		await expect(collect(broken, 10, tooLarge)).rejects.toThrow('the disk is gone');
	});
});
