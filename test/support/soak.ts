/** `npm run soak` repeats for hours what `npm test` tries a few times: kills at random moments, fights, random inputs. */
import fs from 'node:fs';

/** The file to which a run at length is told what was done; undefined in `npm test`. */
const told = process.env.N8N_BACKUP_SOAK;

/** @returns how often to try: `few` in `npm test`, `many` in `npm run soak` */
export function rounds<T>(few: T, many: T): T {
	return told === undefined ? few : many;
}

/**
 * Whether a loop that kills at random moments goes on: at least for its rounds, and then until one kill has struck where
 * it should, but not for ever.
 */
export function goesOn(round: number, wanted: number, struck: number): boolean {
	return round < wanted || (struck === 0 && round < 4 * wanted);
}

/** Tells people what a loop has done, e.g. "killed in the middle of a copy: 31 of 100 times". */
export function tell(what: string): void {
	if (told === undefined) process.stdout.write(`${what}\n`);
	else fs.appendFileSync(told, `${what}\n`);
}
