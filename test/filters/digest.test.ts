import { createDigest } from '../../core/filters/digest';
import { cut, dumpText, run, through } from './streams';

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
});
