import { randomWord } from '../../core/base/random-word';

describe('a random word', () => {
	it('has the length that was asked for, and no character that is mistaken for another', () => {
		for (const length of [0, 1, 4, 8]) {
			expect(randomWord(length)).toMatch(new RegExp(`^[a-hjkmnp-tv-z2-9]{${length}}$`));
		}
	});

	it('is another one every time', () => {
		expect(new Set(Array.from({ length: 1000 }, () => randomWord(12))).size).toBe(1000);
	});
});
