import fc from 'fast-check';
import { matchesGlob } from '../../core/base/glob';

it('finds what a regular expression finds, for any text and pattern', () => {
	const letters = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.', '\n', '😀') });
	const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.', '*', '*', '?', '😀') });
	fc.assert(
		fc.property(letters, patterns, (text, pattern) => {
			const literal = pattern.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.');
			expect(matchesGlob(text, pattern)).toBe(new RegExp(`^${literal}$`, 'su').test(text));
		}),
	);
});

it('takes no time for a pattern of many stars', () => {
	const started = performance.now();
	expect(matchesGlob('a'.repeat(2000), `${'*a'.repeat(20)}*b`)).toBe(false);
	expect(performance.now() - started).toBeLessThan(1000);
});
