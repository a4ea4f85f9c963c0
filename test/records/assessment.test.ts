import { assessEvidence, isProved } from '../../core/records/assessment';
import type { Depth, Verification } from '../../core/records/evidence';

const NOW = Date.parse('2026-11-20T12:00:00Z');
const verified = (day: number, depth: Depth, ok = true): Verification => ({
	at: Date.parse(`2026-11-${String(day).padStart(2, '0')}T02:00:00Z`),
	depth,
	ok,
});
const assess = (...verifications: Verification[]) => assessEvidence(verifications, NOW);

describe('assessing evidence', () => {
	it('says nothing is proved where there is none', () => {
		expect(assess()).toEqual({ failed: null, proved: null, future: false });
	});

	it('proves the deepest depth, by its newest success', () => {
		const deepest = verified(3, 'restored');
		expect(assess(verified(1, 'restored'), deepest, verified(4, 'stored')).proved).toBe(deepest);
	});

	it('proves what lies above the depth that was looked at, and nothing below it', () => {
		const found = assess(verified(1, 'readable'));
		expect(['stored', 'readable', 'restored'].map((depth) => isProved(found, depth as Depth))).toEqual([
			true,
			true,
			false,
		]);
	});

	it('lets a failure stand until a look at least as deep succeeds later', () => {
		const failed = verified(2, 'readable', false);
		expect(assess(verified(1, 'restored'), failed)).toEqual({ failed, proved: null, future: false });
		expect(assess(failed, verified(3, 'stored')).failed).toBe(failed);
		expect(assess(failed, verified(3, 'readable'))).toMatchObject({ failed: null, proved: { depth: 'readable' } });
		// Of the same second, nobody knows which came last.
		expect(assess(verified(2, 'readable'), failed).failed).toBe(failed);
	});

	it('believes no success of a time to come, but a failure', () => {
		expect(assess(verified(30, 'restored'))).toEqual({ failed: null, proved: null, future: true });
		expect(assess(verified(1, 'restored'), verified(30, 'stored', false))).toMatchObject({
			proved: null,
			future: true,
		});
	});
});
