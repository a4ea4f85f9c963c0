/** Reasons of a verdict, in plain words, each with what to do. */

export type Severity = 'warning' | 'critical';
export type Verdict = 'ok' | Severity;

/** Why something is not well. */
export interface Reason {
	/** For programs; stays the same from version to version. */
	code: ReasonCode;
	severity: Severity;
	/** Lower case, without a full stop. */
	text: string;
	/** What to do, as a sentence. */
	todo: string;
}

export const REASON_CODES = [
	'bad',
	'certificate',
	'chain-broken',
	'copy-missing',
	'exchanged',
	'failed',
	'future',
	'incomplete',
	'journal',
	'late',
	'long-running',
	'lost',
	'missing',
	'nearly-full',
	'not-authentic',
	'not-proved',
	'retention-blocked',
	'rolled-back',
	'rpo',
	'rto',
	'shrunk',
	'slot',
	'slow',
	'stuck',
	'unreachable',
	'unreadable',
] as const;
export type ReasonCode = (typeof REASON_CODES)[number];

/** What to do about each. */
const TODO: Record<ReasonCode, string> = {
	bad: 'Make a new backup now, and find out what damaged this one: the disk, the network, or somebody.',
	certificate: 'Renew it, and see why nothing renewed it by itself.',
	'chain-broken': 'Make a full backup now: this one cannot be restored without the one it builds on.',
	'copy-missing': 'Run the copy again, with all that are missing, and look at the destination.',
	exchanged: 'Find out who wrote to the storage. Compare with a copy elsewhere before you restore either of them.',
	failed: 'Look at the run in n8n, or in the journal, and at the hint of its error.',
	future: 'Set the clock of the machine that makes the backups.',
	incomplete: 'The warnings of the backup name what is missing.',
	journal: 'Look at who else writes to the storage, and whether it is damaged: n8n-backup check says more.',
	late: 'Look whether the workflow is published and n8n runs. Then run it by hand.',
	'long-running': 'Look at what it waits for: the journal shows how far it is.',
	lost: 'It can be restored by hand. Find out who removed its manifest.',
	missing: 'Look at the name of the group, and whether its workflow has ever run.',
	'nearly-full': 'Let a retention policy expire old backups, or make room.',
	'not-authentic': 'Find out who wrote to the storage. Nothing of it is restored until its signature is trusted.',
	'not-proved': 'Verify the newest backup. A restore drill proves most.',
	'retention-blocked': 'Look at why; old backups stay until then, and the storage fills up.',
	'rolled-back':
		'Find out who removed them, or who put the storage back to an older state. Copy them back from there, and make a new backup.',
	rpo: 'Back up more often, or find out why runs fail.',
	rto: 'Restore side by side, on a faster machine, or split what is restored.',
	shrunk:
		'Look whether the source has lost data: older backups still have it. If all is right, approve the newest backup.',
	slot: 'Run that SQL on the server as a superuser, and see that the log is collected: what slots hold back fills its disk.',
	slow: 'Look at the load of the source, the network and the storage.',
	stuck: 'Its process is gone. The next run cleans up after it; see why it ended.',
	unreachable: 'Look at the storage, its credential and the network.',
	unreadable: 'Look at who writes to the storage, and whether it needs a newer version of this program.',
};

/** Makes a reason. */
export function reason(code: ReasonCode, severity: Severity, text: string): Reason {
	return { code, severity, text, todo: TODO[code] };
}

/** What all reasons together come to. */
export function verdictOf(reasons: readonly Reason[]): Verdict {
	if (reasons.some(({ severity }) => severity === 'critical')) return 'critical';
	return reasons.length > 0 ? 'warning' : 'ok';
}

/** Worst first. */
export function bySeverity(a: Verdict, b: Verdict): number {
	const ORDER: readonly Verdict[] = ['critical', 'warning', 'ok'];
	return ORDER.indexOf(a) - ORDER.indexOf(b);
}
