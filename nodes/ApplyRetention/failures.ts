/** One error of several groups. */
import { BackupError } from '../../core/base/errors';
import type { GroupFailure } from '../../core/verbs/expire/expire';

/** @param what failed, e.g. "retention" */
export function allFailures(failures: readonly GroupFailure[], total: number, what: string): BackupError {
	const { code, hint } = failures[0]!.error;
	const each = failures.map(({ group, error }) => `${group}: ${error.message}`).join('; ');
	if (total === 1) return new BackupError(code, each, { hint, cause: failures[0]!.error });
	const done = total - failures.length;
	return new BackupError(code, `${what} failed for ${failures.length} of ${total} groups: ${each}`, {
		hint: `${done > 0 ? `Done all the same: ${done}. ` : ''}${hint ?? ''}`.trim() || undefined,
		cause: failures[0]!.error,
	});
}
