/** Ends of names that two runs must not share. */
import { randomInt } from 'node:crypto';

/** Without letters and digits that are mistaken for each other. */
const ALPHABET = 'abcdefghjkmnpqrstvwxyz23456789';

/** A random word for a name, e.g. `k3f9`: lower case letters and digits, about five bits in each. */
export function randomWord(length: number): string {
	return Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}
