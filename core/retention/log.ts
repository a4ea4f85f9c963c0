/** What of a write-ahead log stays: exactly what the base backups need, of which a policy of their own keeps some. */
import type { BackupFacts, Blocked } from './facts';
import type { GroupPlan, PlannedBackup } from './plan';

/** A base backup that stays. */
export interface KeptBase {
	label: string;
	/** Which cluster it is of. */
	server: string | null;
	/** The place in the log where its recovery begins. */
	start: bigint;
}

/** How far a backup of log goes. */
export interface LogEnd {
	server: string | null;
	end: bigint;
}

/**
 * Plans for the log of one cluster. Log that ends before the start of every base backup of its cluster is of no use to
 * anything that is stored, but for the newest; all that comes later stays, so that there is never a gap. No policy says otherwise, and nothing
 * that anybody proved is relied on.
 * @param members in any order
 * @param bases null where nobody can say which there are, or what they need: then all of it stays
 * @param ends of members by label, at least of those that come before the first one that stays; null where it cannot be read
 */
export function planLog(
	group: string,
	members: readonly BackupFacts[],
	bases: readonly KeptBase[] | null,
	ends: ReadonlyMap<string, LogEnd | null>,
): GroupPlan {
	const oldestFirst = members.toSorted((a, b) => a.startedAt - b.startedAt);
	const first =
		bases === null || bases.length === 0 ? 0 : oldestFirst.findIndex(({ label }) => isNeeded(ends.get(label), bases));
	// The newest stays in any case: the next run looks at its end to know that nothing is missing behind it.
	const isUsed = first >= 0;
	const keptFrom = isUsed ? first : oldestFirst.length - 1;
	const why = isUsed ? whyKept(bases) : 'the next run goes on behind it';
	const backups = oldestFirst.map(({ label, startedAt, storedBytes, pinned }, place): PlannedBackup => {
		const kept = place >= keptFrom || pinned;
		const reasons = kept ? [place >= keptFrom ? why : 'pinned'] : ['no base backup needs it'];
		return { label, startedAt, storedBytes, action: kept ? 'keep' : 'expire', reasons, held: false, keptUntil: null };
	});
	const bytesOf = (wanted: PlannedBackup['action']) =>
		backups.reduce((sum, { action, storedBytes }) => (action === wanted ? sum + storedBytes : sum), 0);
	return {
		...{ group, backups, blocked: blockedBy(bases), warnings: bases?.length === 0 ? [NO_BASE] : [], nextExpiry: null },
		...{ keptBytes: bytesOf('keep'), freedBytes: bytesOf('expire') },
	};
}

const NO_BASE =
	'there is no base backup that this log belongs to: nothing can be restored from it, and all of it stays';

/** Of what cannot be read, nobody knows. */
function isNeeded(log: LogEnd | null | undefined, bases: readonly KeptBase[]): boolean {
	if (!log) return true;
	return bases.some(({ server, start }) => server === log.server && log.end > start);
}

function whyKept(bases: readonly KeptBase[] | null): string {
	if (bases === null) return 'a base backup cannot be read';
	const [oldest] = bases.toSorted((a, b) => (a.label < b.label ? -1 : 1));
	return oldest ? `needed from ${oldest.label} on` : 'there is no base backup yet';
}

function blockedBy(bases: readonly KeptBase[] | null): Blocked[] {
	if (bases !== null) return [];
	return [
		{
			risk: 'unreadable',
			message: 'a base backup of this log cannot be read, so that nobody knows what it needs',
			hint: 'Look at the base backup: verify it, or remove it by its own retention.',
		},
	];
}
