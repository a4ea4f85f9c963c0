/**
 * The rules that no policy can override, each in one place. That parents of what stays stay too is the work of
 * {@link Keeping}: it holds for whatever is kept, for whatever reason. When nothing may expire at all is in `risks.ts`.
 */
import { BackupError } from '../base/errors';
import { isSound } from './history';
import type { Keeping } from './keeping';
import { REASONS } from './reasons';
import type { CompletePolicy } from './rules';

/** Keeps what must stay whatever the policy says. To be called when the policy has chosen. */
export function guard(keeping: Keeping, policy: CompletePolicy): void {
	keepPinned(keeping);
	keepFuture(keeping);
	keepUnreadable(keeping);
	keepNewestVerified(keeping);
	keepMinimum(keeping, policy.minimum);
}

function keepPinned(keeping: Keeping): void {
	for (const entry of keeping.history.entries) if (entry.facts.pinned) keeping.add(entry, REASONS.pinned, Infinity);
}

/** A time that has not come says nothing about when the backup was made, so nothing about when it may go. */
function keepFuture(keeping: Keeping): void {
	for (const entry of keeping.history.entries) if (entry.future) keeping.add(entry, REASONS.future, Infinity);
}

/** Not even that it expired can be said of what nobody can read; nor of what needs it. */
function keepUnreadable(keeping: Keeping): void {
	const { entries, chains } = keeping.history;
	const unreadable = entries.filter((entry) => entry.unreadable);
	for (const entry of unreadable) keeping.add(entry, REASONS.unreadable, Infinity);
	for (const [place, origin] of chains.needing(unreadable.map(({ place }) => place))) {
		keeping.add(entries[place]!, REASONS.needsUnreadable(entries[origin]!.facts.label), Infinity);
	}
}

function keepNewestVerified(keeping: Keeping): void {
	const newest = keeping.history.entries.findLast((entry) => entry.verified && !entry.future);
	if (newest) keeping.add(newest, REASONS.newestVerified, null);
}

/** Those that stay for other reasons count too; what is lacking is made up of the newest ones. */
function keepMinimum(keeping: Keeping, minimum: number): void {
	for (const entry of keeping.history.entries.toReversed()) {
		if (keeping.sound >= minimum) return;
		if (isSound(entry) && !keeping.has(entry)) keeping.add(entry, REASONS.minimum(minimum), null);
	}
}

/**
 * Can happen only when no backup of the group is sound, and the policy allows that.
 * @throws BackupError 'invalid-input'
 */
export function refuseToKeepNothing(group: string, keeping: Keeping): void {
	if (keeping.size > 0 || keeping.history.entries.length === 0) return;
	throw new BackupError('invalid-input', `the plan would keep no backup of ${group} at all`, {
		hint: 'None of them can be restored as far as known. Take "failed" out of what the policy allows, and make a good backup first.',
	});
}
