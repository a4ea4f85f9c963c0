/** For the sake of which backups others expire. What is known of them from names alone is to be looked at before one does. */
import { type HistoryEntry, isSound } from './history';
import type { Keeping } from './keeping';
import { USUAL_DISTANCE_OF } from './risks';
import type { CompletePolicy } from './rules';
import type { Choice } from './selection';

/**
 * Those that take a place of the policy or of the rules that no policy overrides, the newest ones, by which a plan is held
 * back or not, those that expire because they are said to be bad, and all that any of these needs.
 */
export function reliedOn(keeping: Keeping, choices: readonly Choice[], policy: CompletePolicy): HistoryEntry[] {
	const { entries, chains } = keeping.history;
	const newestFirst = entries.filter(({ future }) => !future).reverse();
	const relied = new Set<HistoryEntry>([
		...choices.filter(({ fills }) => fills).map(({ entry }) => entry),
		...newestFirst.filter((entry) => isSound(entry) && keeping.has(entry)).slice(0, policy.minimum),
		...newestFirst.filter(({ verified }) => verified).slice(0, 1),
		...newestFirst.filter(({ facts }) => facts.approved).slice(0, 1),
		...newestFirst.slice(0, USUAL_DISTANCE_OF),
		...newestFirst.filter(({ facts }) => facts.type === 'full').slice(0, USUAL_DISTANCE_OF),
		...entries.filter(({ failed }) => failed),
	]);
	const needed = chains.neededBy([...relied].map(({ place }) => place));
	return [...relied, ...[...needed.keys()].map((place) => entries[place]!)];
}
