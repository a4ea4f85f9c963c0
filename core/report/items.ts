/** What came in, sorted by what it is about. The shape of an item tells; of an error without facts, only its node does. */
import { readCopy, readFailure, readRestore, readStored, readVerification } from './read';
import type { Copied, Failure, ReportedRestore, StoredBackup, ReportedVerification } from './read';
import { readCheck, readLeftovers, readRetained } from './read-upkeep';
import type { ReportedCheck, Leftovers, Retained } from './read-upkeep';
import { errorText, type Facts, factsOf } from './values';

/** The nodes of which a report is. */
export type NodeKind = 'dump' | 'verify' | 'copy' | 'retention' | 'prune' | 'restore';

export interface ReportItem {
	/** The item as its node gave it, also one of an error output. */
	json: unknown;
	/** The node; absent where it is not known. */
	from?: NodeKind;
}

export interface SortedItems {
	checks: ReportedCheck[];
	stored: StoredBackup[];
	/** Databases and files of which no backup was made, and runs that could not even begin. */
	notStored: Failure[];
	verifications: ReportedVerification[];
	copies: Copied[];
	retained: Retained[];
	leftovers: Leftovers[];
	restores: ReportedRestore[];
	/** Pinned, unpinned, approved, previewed, found, collected, …: done, and nothing to say of it. */
	done: number;
	/** Items of other nodes, of which nothing is told: they may hold anything. */
	foreign: number;
}

/** Sorts items. One that came on two ways, as by a node that is deactivated, counts once. */
export function sortItems(items: readonly ReportItem[]): SortedItems {
	const sorted: SortedItems = {
		...{ checks: [], stored: [], notStored: [], verifications: [], copies: [], retained: [], leftovers: [] },
		...{ restores: [], done: 0, foreign: 0 },
	};
	const seen = new Set<string>();
	for (const { json, from } of items) {
		const kind = sortOne(sorted, factsOf(json), from, (key) => !seen.has(key) && Boolean(seen.add(key)));
		if (kind === 'foreign') sorted.foreign += 1;
		if (kind === 'done') sorted.done += 1;
	}
	return sorted;
}

function sortOne(
	sorted: SortedItems,
	json: Facts,
	from: NodeKind | undefined,
	isNew: (key: string) => boolean,
): 'sorted' | 'done' | 'foreign' {
	const failed = json.error !== undefined && json.error !== null && json.error !== '';
	const facts = failed ? { ...factsOf(json.details), message: errorText(json.error) } : json;
	const add: Add = <Read>(kind: keyof SortedItems, list: Read[], read: Read) => {
		if (isNew(`${kind} ${JSON.stringify(read)}`)) list.push(read);
		return 'sorted' as const;
	};
	if (Array.isArray(facts.findings)) return add('checks', sorted.checks, readCheck(facts));
	if (typeof facts.restoredTo === 'string' || (failed && from === 'restore')) {
		return add('restores', sorted.restores, readRestore(facts, failed));
	}
	if (typeof facts.depth === 'string' || (failed && from === 'verify')) {
		return add('verifications', sorted.verifications, readVerification(facts, failed));
	}
	if (typeof facts.destination === 'string' || (failed && from === 'copy')) {
		return add('copies', sorted.copies, readCopy(facts, failed));
	}
	if (Array.isArray(facts.orphans) || (failed && from === 'prune')) {
		return add('leftovers', sorted.leftovers, readLeftovers(facts, failed));
	}
	if (typeof facts.policy === 'string' || (failed && from === 'retention')) {
		return add('retained', sorted.retained, readRetained(facts, failed));
	}
	if (failed) return add('notStored', sorted.notStored, readFailure(facts));
	if (NOTHING_TO_TELL.has(facts.status) && typeof facts.group === 'string') return 'done';
	if (typeof facts.label === 'string' && typeof facts.location === 'string') {
		addAfterwards(facts, add, sorted);
		return add('stored', sorted.stored, readStored(facts));
	}
	const isFinding = facts.status === 'found' && typeof facts.path === 'string';
	return isFinding ? 'done' : 'foreign';
}

/** What was done to a backup, or only looked at; and log, which comes every few minutes. */
const NOTHING_TO_TELL: ReadonlySet<unknown> = new Set([
	...['pinned', 'unpinned', 'approved', 'previewed'],
	...['collected', 'unchanged', 'skipped', 'dropped'],
]);

type Add = <Read>(kind: keyof SortedItems, list: Read[], read: Read) => 'sorted';

/** What the node that dumped has done with the backup itself: verified it, and applied a policy. */
function addAfterwards(facts: Facts, add: Add, sorted: SortedItems): void {
	const [verification, retention] = [factsOf(facts.verification), factsOf(facts.retention)];
	if (typeof verification.depth === 'string') {
		add('verifications', sorted.verifications, readVerification(verification, false));
	}
	if (typeof retention.policy === 'string') {
		add('retained', sorted.retained, readRetained(retention, retention.status === 'failed'));
	}
}
