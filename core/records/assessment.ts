/** What all evidence of a backup says together: the one answer to "is it proved?". */
import { type Depth, DEPTHS, reaches, type Verification } from './evidence';
import { AHEAD_MS } from './label';

export interface Assessment {
	/** The verification that found the backup bad, and that no later one has disproved; null when there is none. */
	failed: Verification | null;
	/** The newest of the deepest verifications that went well; null when there is none, or when `failed` stands. */
	proved: Verification | null;
	/** There is a verification of a time to come: a clock is or was wrong. */
	future: boolean;
}

/**
 * Assesses the evidence of one backup. A failed verification stands until a later one that looked at least as deep succeeds.
 * A success dated in the future proves nothing, because nobody knows what came after it; a failure counts all the same.
 * @param limit what is later is dated in the future, milliseconds since 1970; by default five minutes from now
 */
export function assessEvidence(
	verifications: readonly Verification[],
	limit: number = Date.now() + AHEAD_MS,
): Assessment {
	/** By depth: the newest look at least as deep that succeeded. */
	const succeeded: Array<Verification | undefined> = DEPTHS.map(() => undefined);
	let future = false;
	for (const verification of verifications) {
		const { at, depth, ok } = verification;
		if (at > limit) future = true;
		else if (ok) {
			for (let each = DEPTHS.indexOf(depth); each >= 0; each--) {
				if (at >= (succeeded[each]?.at ?? -Infinity)) succeeded[each] = verification;
			}
		}
	}
	const stands = ({ at, depth, ok }: Verification) => !ok && at >= (succeeded[DEPTHS.indexOf(depth)]?.at ?? -Infinity);
	const failed = verifications.findLast(stands) ?? null;
	const deepest = succeeded.findLast((each) => each !== undefined) ?? null;
	return { failed, proved: failed === null ? deepest : null, future };
}

/** Whether a backup is proved to a depth, or deeper. */
export function isProved({ proved }: Assessment, depth: Depth): boolean {
	return proved !== null && reaches(proved.depth, depth);
}
