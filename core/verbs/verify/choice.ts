/** Which backups a verification is about: decided from the list alone. */
import { createHash } from 'node:crypto';
import { BackupError } from '../../base/errors';
import { assessEvidence, isProved } from '../../records/assessment';
import type { Depth } from '../../records/evidence';
import type { BackupEntry } from '../../records/repository';
import { newestOfEach } from '../../records/newest';

/**
 * `label`: this one. `newest`: of each group. `unverified`: every one that is not proved to that depth, or was found bad since.
 * `share`: one of `parts` shares, another one each UTC day, so that every backup is seen once in `parts` days.
 */
export type VerifyChoice =
	| { kind: 'label'; group: string; label: string }
	| { kind: 'newest'; groups?: string[] }
	| { kind: 'unverified'; groups?: string[] }
	| { kind: 'share'; parts: number; day: Date; groups?: string[] };

const DAY_MS = 24 * 3_600_000;

/**
 * The backups to verify, in the order of the list. None for a label that is not in the list: what is wrong with it,
 * `verifyBackup` says.
 * @param groups of a choice: only these; all when absent
 * @throws BackupError 'invalid-input' when the number of shares is none
 */
export function chooseForVerification(
	entries: readonly BackupEntry[],
	choice: VerifyChoice,
	depth: Depth,
): BackupEntry[] {
	if (choice.kind === 'label') {
		return entries.filter(({ group, label }) => group === choice.group && label === choice.label);
	}
	const among = entries.filter(({ group }) => !choice.groups || choice.groups.includes(group));
	switch (choice.kind) {
		case 'newest':
			return newestOfEach(among);
		case 'unverified':
			return among.filter(({ verifications }) => !isProved(assessEvidence(verifications), depth));
		case 'share': {
			const { parts, day } = choice;
			if (!Number.isInteger(parts) || parts < 1 || parts > 10_000) {
				throw new BackupError('invalid-input', `backups cannot be verified in ${parts} shares`, {
					hint: 'Give a whole number from 1 (all of them every day) to 10000.',
				});
			}
			const today = Math.floor(day.getTime() / DAY_MS) % parts;
			return among.filter((entry) => shareOf(entry, parts) === today);
		}
	}
}

/** Depends on the name only: that other backups come and go does not move a backup to another day. */
function shareOf({ group, label }: BackupEntry, parts: number): number {
	return createHash('sha256').update(`${group}/${label}`).digest().readUIntBE(0, 6) % parts;
}
