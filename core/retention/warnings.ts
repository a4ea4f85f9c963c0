/** What a plan does not act upon, and people should know. */
import { AHEAD_MS } from '../records/label';
import type { History } from './history';
import type { GroupContext } from './facts';
import { timeText } from './reasons';
import type { FoundRisk } from './risks';

/**
 * @param allowed risks that the policy takes
 * @param context of the group
 */
export function warn(
	{ entries }: History,
	allowed: readonly FoundRisk[],
	{ lastFailure: failure = null, unreadable, unreadableEvidence }: GroupContext,
	now: number,
): string[] {
	const warnings = allowed.map(({ message }) => `${message}; the policy allows it`);
	const ahead = entries.filter(({ future }) => future).map(({ facts }) => facts.label);
	if (ahead.length > 0) warnings.push(`dated in the future, so kept and not counted: ${some(ahead)}; check the clocks`);
	const proved = entries
		.filter(({ future, futureEvidence }) => futureEvidence && !future)
		.map(({ facts }) => facts.label);
	if (proved.length > 0) {
		warnings.push(`verified in the future, which proves nothing good: ${some(proved)}; check the clocks`);
	}
	if (failure && failure.getTime() > now + AHEAD_MS) {
		warnings.push(`a failed run is dated in the future (${timeText(failure)}) and does not count; check the clocks`);
	}
	if (unreadable && unreadable.size > 0) {
		const why = some([...unreadable].map(([label, reason]) => `${label} (${reason})`));
		warnings.push(`cannot be read, so kept and not counted: ${why}`);
	}
	if (unreadableEvidence && unreadableEvidence.size > 0) {
		const why = some([...unreadableEvidence].map(([label, reason]) => `of ${label} (${reason})`));
		warnings.push(`evidence that does not count: ${why}`);
	}
	return warnings;
}

/** `X`, `X and Y`, `X, Y and 3 more`. */
function some(labels: readonly string[]): string {
	return labels.length <= 2 ? labels.join(' and ') : `${labels.slice(0, 2).join(', ')} and ${labels.length - 2} more`;
}
