/** What a plan does not act upon, and people should know. */
import { AHEAD_MS, type History } from './history';
import { timeText } from './reasons';
import type { FoundRisk } from './risks';

/**
 * @param allowed risks that the policy takes
 * @param failure start of the newest run that failed
 */
export function warn({ entries }: History, allowed: readonly FoundRisk[], failure: Date | null, now: number): string[] {
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
	return warnings;
}

/** `X`, `X and Y`, `X, Y and 3 more`. */
function some(labels: readonly string[]): string {
	return labels.length <= 2 ? labels.join(' and ') : `${labels.slice(0, 2).join(', ')} and ${labels.length - 2} more`;
}
