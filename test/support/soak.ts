/** `npm run soak` repeats for hours what `npm test` tries a few times: kills at random moments, fights, random inputs. */

/** @returns what to try, or how often: `few` in `npm test`, `many` in `npm run soak` */
export function rounds<T>(few: T, many: T): T {
	return process.env.N8N_BACKUP_SOAK === '1' ? many : few;
}

/**
 * Whether a loop that kills at random moments goes on: at least for its rounds, and then until one kill has struck where
 * it should, but not for ever.
 */
export function goesOn(round: number, wanted: number, struck: number): boolean {
	return round < wanted || (struck === 0 && round < 4 * wanted);
}
