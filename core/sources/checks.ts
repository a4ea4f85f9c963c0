/** How drills of every kind ask the questions of programs. */
import type { AssertionResult, Check, OpenBackup, RestoreRun } from './source';

type Question<Place> = (restored: Place) => Promise<AssertionResult>;

/**
 * Lets every check look at the backup, before anything is restored.
 * @returns the questions of those that are about it
 */
export async function prepareChecks<Contents, Place>(
	checks: ReadonlyArray<Check<Contents, Place>>,
	backup: OpenBackup<Contents>,
	run: Pick<RestoreRun, 'signal' | 'warn'>,
): Promise<Array<Question<Place>>> {
	const questions: Array<Question<Place>> = [];
	for (const check of checks) {
		const question = await check(backup, run);
		if (question) questions.push(question);
	}
	return questions;
}

/** Asks one after the other. */
export async function askAll<Place>(
	questions: ReadonlyArray<Question<Place>>,
	restored: Place,
): Promise<AssertionResult[]> {
	const results: AssertionResult[] = [];
	for (const question of questions) results.push(await question(restored));
	return results;
}
