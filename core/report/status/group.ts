/** The verdict on one group: could it be restored right now, and is all as it usually is? */
import { counted } from '../../base/counted';
import { assessEvidence } from '../../records/assessment';
import type { BackupEntry } from '../../records/catalog';
import type { JournalRun } from '../../records/journal/journal';
import { AHEAD_MS } from '../../records/label';
import { planRetention } from '../../retention/plan';
import type { RetentionPolicy } from '../../retention/policy';
import { type Attempts, attemptsOf } from './attempts';
import { certificateReasons } from './certificates';
import { type CopyState, copyReasons } from './copies';
import { type Expectation, type Rhythm, rhythmOf } from './expectation';
import { type DayCell, daysOf } from './days';
import type { DrillFacts, GroupFacts, ReadBackup } from './facts';
import {
	chainReasons,
	lateReasons,
	lossReasons,
	newestReasons,
	proofState,
	sizeReasons,
	slotReasons,
	slowReasons,
	targetReasons,
	type Targets,
	unusableReasons,
} from './group-reasons';
import { type HistoryPoint, historyOf } from './history';
import { type Reason, reason, type Verdict, verdictOf } from './reasons';
import { unusual } from './usual';

/** One source, as an administrator needs to know it. */
export interface GroupStatus {
	group: string;
	/** Of its newest backup, e.g. `postgres`; null where there is none. */
	kind: string | null;
	verdict: Verdict;
	/** Worst first. */
	reasons: Reason[];
	/** A proved backup of it is there that is not too old. */
	restorable: boolean;
	attempt: Attempts['last'];
	failuresInARow: number;
	/** The newest backup; its age counts from its start. */
	newest: { label: string; type: string; at: number; storedBytes: number; incomplete: boolean } | null;
	proved: { label: string; startedAt: number; at: number; depth: string } | null;
	drill: DrillFacts | null;
	rhythm: Rhythm;
	/** How much would be lost now: the age of the newest proved backup, milliseconds; null without one. */
	rpoMs: number | null;
	/** How long the last restore took, milliseconds; null where none was made. */
	rtoMs: number | null;
	/** Of the newest backup, and what is usual for its type; null where nobody can say. */
	size: { bytes: number; usual: number | null } | null;
	seconds: { value: number; usual: number | null } | null;
	backups: number;
	storedBytes: number;
	copies: CopyState[];
	/** Where a policy is given. */
	retention: { nextExpiry: number | null; blocked: string | null } | null;
	encrypted: boolean | null;
	/** Oldest first. */
	history: HistoryPoint[];
	/** The last thirty, oldest first. */
	days: DayCell[];
}

export interface GroupRequest {
	now: Date;
	/** Of this group, oldest first. */
	runs: readonly JournalRun[];
	expectations: readonly Expectation[];
	targets: Targets;
	policy: RetentionPolicy | null;
	copies: CopyState[];
	/** Of the days. */
	timeZone: string;
}

/** Judges one group. Pure. */
export function judgeGroup(facts: GroupFacts, request: GroupRequest): GroupStatus {
	const { group, entries, newest, drill, proved } = facts;
	const { now, runs, expectations, targets, policy, copies } = request;
	const past = entries.filter(({ startedAt }) => startedAt <= now.getTime() + AHEAD_MS);
	const rhythm = rhythmOf(group, past, expectations);
	const attempts = attemptsOf(runs, now);
	const history = historyOf(past, facts.recent, runs);
	const retention = isPiece(newest) ? null : policy && planned(facts, policy, now, attempts);
	const proof = proofState(facts, past, rhythm, now);
	const rpoMs = proved && now.getTime() - proved.entry.startedAt;
	const rtoMs = drill?.seconds == null ? null : drill.seconds * 1000;
	const last = past.at(-1) ?? null;
	const size = last && { bytes: last.dataBytes, before: sizesBefore(past, last) };
	const latest = history.findLast(({ seconds }) => seconds !== null);
	const durations = history.flatMap((point) =>
		point.seconds !== null && point !== latest && point.type === latest?.type ? [point.seconds] : [],
	);
	const reasons = [
		...unusableReasons(facts),
		...newestReasons(facts, past),
		...lateReasons(last, attempts.unchangedAt, rhythm, now),
		...proof.reasons,
		...attempts.reasons,
		...slotReasons(newest, attempts.unchangedAt),
		...lossReasons(facts.losses),
		...(size && !isPiece(newest) ? sizeReasons(size.bytes, size.before) : []),
		...(latest?.seconds ? slowReasons(latest.seconds, durations) : []),
		...copyReasons(copies, rhythm),
		...chainReasons(facts.recent),
		...(newest ? certificateReasons(newest.manifest, now) : []),
		...(retention?.blocked ? [reason('retention-blocked', 'warning', `nothing expires: ${retention.blocked}`)] : []),
		...targetReasons(rpoMs, rtoMs, targets),
		...(past.length < entries.length
			? [reason('future', 'warning', `dated in the future: ${counted(entries.length - past.length, 'backup')}`)]
			: []),
	];
	return {
		...{ group, kind: newest?.manifest.source.kind ?? null, verdict: verdictOf(reasons) },
		reasons: reasons.sort((a, b) => Number(b.severity === 'critical') - Number(a.severity === 'critical')),
		restorable: proof.restorable,
		...{ attempt: attempts.last, failuresInARow: attempts.failuresInARow },
		newest: last && {
			...{ label: last.label, type: last.type, at: last.startedAt, storedBytes: last.storedBytes },
			incomplete: newest?.entry === last && newest.manifest.status === 'incomplete',
		},
		proved: proved && {
			...{ label: proved.entry.label, startedAt: proved.entry.startedAt, at: proved.at, depth: proved.depth },
		},
		...{ drill, rhythm, rpoMs, rtoMs },
		size: size && { bytes: size.bytes, usual: unusual(size.bytes, size.before)?.usual ?? null },
		seconds:
			latest?.seconds == null
				? null
				: { value: latest.seconds, usual: unusual(latest.seconds, durations)?.usual ?? null },
		backups: entries.length,
		storedBytes: entries.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
		...{ copies, retention, history },
		days: daysOf(past, runs, now, request.timeZone),
		encrypted: newest ? newest.manifest.encryption !== null : null,
	};
}

/** A source that is expected by its name, and that nobody has. */
export function missingGroup(group: string, rhythm: Rhythm): GroupStatus {
	const reasons = [reason('missing', 'critical', 'there is no backup of it')];
	return {
		...{ group, kind: null, verdict: 'critical', reasons, restorable: false, attempt: null, failuresInARow: 0 },
		...{ newest: null, proved: null, drill: null, rhythm, rpoMs: null, rtoMs: null, size: null, seconds: null },
		...{ backups: 0, storedBytes: 0, copies: [], retention: null, encrypted: null, history: [], days: [] },
	};
}

/** Of the same type, without those that were found bad; none from before one that a person has approved. */
function sizesBefore(past: readonly BackupEntry[], last: BackupEntry): number[] {
	const approved = past.findLastIndex((entry) => entry.approved);
	return past
		.slice(Math.max(approved, 0))
		.filter(
			(entry) => entry !== last && entry.type === last.type && assessEvidence(entry.verifications).failed === null,
		)
		.slice(-20)
		.map(({ dataBytes }) => dataBytes);
}

/**
 * Whether a group holds pieces of something that goes on and on, such as a log, as their manifests say: how large one is says nothing
 * of the next, and what stays is decided by what needs them.
 */
function isPiece(newest: ReadBackup | null): boolean {
	return newest?.manifest.source.details.piece === true;
}

/** What a policy would do, from names alone: what it removes is decided by an apply, which reads more. */
function planned(
	{ entries, newest, losses }: GroupFacts,
	policy: RetentionPolicy,
	now: Date,
	{ last, failuresInARow }: Attempts,
) {
	const lastFailure = failuresInARow > 0 && last ? new Date(last.at) : null;
	const contexts = new Map(entries.slice(0, 1).map(({ group }) => [group, { lastFailure }]));
	const known = entries.map((entry) => (entry === newest?.entry ? { ...entry, shrunk: losses } : entry));
	const [plan] = planRetention(known, policy, now, contexts).groups;
	return {
		nextExpiry: plan?.nextExpiry?.at.getTime() ?? null,
		blocked: plan?.blocked[0]?.message ?? null,
	};
}
