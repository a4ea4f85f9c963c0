/** Patterns that are asked of very many paths. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { patternMatcher } from '../../../core/sources/files/patterns';

it('answer alike however many they are asked of, and remember little of it', () => {
	setFlagsFromString('--expose-gc');
	const collectGarbage = runInNewContext('gc') as () => void;
	const isNamed = patternMatcher(['*.log', '!keep.log', '/cache/'])!;
	collectGarbage();
	const before = process.memoryUsage().heapUsed;
	let wrong = 0;
	for (let number = 0; number < 300_000; number++) {
		const path = `${number % 3 === 0 ? 'cache' : 'other'}/a folder with a name/a file with a longer name ${number}.txt`;
		if (isNamed(path, false) !== (number % 3 === 0)) wrong++;
	}
	expect(wrong).toBe(0);
	collectGarbage();
	expect(process.memoryUsage().heapUsed - before).toBeLessThan(20e6);
	expect(['a.log', 'b/keep.log', 'b/c.log'].map((path) => isNamed(path, false))).toEqual([true, false, true]);
	expect([isNamed('cache', true), isNamed('cache', false)]).toEqual([true, false]);
});

it('without a pattern, there is no question', () => {
	expect(patternMatcher([' ', ''])).toBeNull();
});
