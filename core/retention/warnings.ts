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
	if (ahead.length > 0) {
		warnings.push(`${some(ahead)} dated in the future: kept, and not counted; check the clocks`);
	}
	const proved = entries.filter(({ futureEvidence }) => futureEvidence).map(({ facts }) => facts.label);
	if (proved.length > 0) {
		warnings.push(
			`verifications of ${some(proved)} dated in the future: what succeeded does not count; check the clocks`,
		);
	}
	if (failure && failure.getTime() > now + AHEAD_MS) {
		warnings.push(`a failed run is dated in the future (${timeText(failure)}) and does not count; check the clocks`);
	}
	return warnings;
}

/** `X is`, `X and Y are`, `X, Y and 3 more are`. */
function some(labels: readonly string[]): string {
	if (labels.length === 1) return `${labels[0]} is`;
	if (labels.length === 2) return `${labels.join(' and ')} are`;
	return `${labels.slice(0, 2).join(', ')} and ${labels.length - 2} more are`;
}
