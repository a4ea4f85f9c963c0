/** The verdict on one group: could it be restored right now, and is all as it usually is? */
import { counted } from '../../base/counted';
import { assessEvidence } from '../../records/assessment';
import { lostPercent } from '../../records/approval';
import type { BackupEntry } from '../../records/catalog';
import type { JournalRun } from '../../records/journal/journal';
import { AHEAD_MS } from '../../records/label';
import type { Loss } from '../../records/manifest';
import { fromDetails, slotProblems } from '../../records/slot-problems';
import { planRetention } from '../../retention/plan';
import type { RetentionPolicy } from '../../retention/policy';
import { spanText } from './ages';
import { type Attempts, attemptsOf } from './attempts';
import { certificateReasons } from './certificates';
import { type CopyState, copyReasons } from './copies';
import { type Expectation, type Rhythm, rhythmOf, usualDistance } from './expectation';
import { type DayCell, daysOf } from './days';
import type { DrillFacts, GroupFacts, ReadBackup } from './facts';
import { type HistoryPoint, historyOf } from './history';
import { type Reason, reason, type Verdict, verdictOf } from './reasons';
import { unusual } from './usual';

/** What is asked of all groups. */
export interface Targets {
	/** Data that may be lost at most, milliseconds; none when null. */
	rpoMs: number | null;
	/** A restore may take so long, milliseconds; none when null. */
	rtoMs: number | null;
}

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

function unusableReasons({ unusable }: GroupFacts): Reason[] {
	return unusable.map(({ label, why, notAuthentic }) =>
		reason(notAuthentic ? 'not-authentic' : 'unreadable', 'critical', `${label} cannot be used: ${why}`),
	);
}

function newestReasons({ newest }: GroupFacts, past: readonly BackupEntry[]): Reason[] {
	const last = past.at(-1);
	if (!last) return [];
	const { failed } = assessEvidence(last.verifications);
	const labels = new Map(past.map((entry) => [entry.label, entry]));
	const { parents = [], status = 'whole' } = newest?.entry === last ? newest.manifest : {};
	const broken = parents.filter((label) => {
		const parent = labels.get(label);
		return !parent || assessEvidence(parent.verifications).failed !== null;
	});
	return [
		...(failed
			? [reason('bad', 'critical', `the newest backup is bad, as a verification found (${failed.depth})`)]
			: []),
		...(broken.length > 0
			? [reason('chain-broken', 'critical', `the newest backup builds on ${broken[0]!}, which is gone or bad`)]
			: []),
		...(status === 'incomplete'
			? [reason('incomplete', 'warning', 'the newest backup is incomplete: its source could not give everything')]
			: []),
	];
}

/** Each manifest names the one before it and its digest, so that one that was exchanged shows. */
function chainReasons(recent: readonly ReadBackup[]): Reason[] {
	const digests = new Map(recent.map(({ entry, sha256 }) => [entry.label, sha256]));
	return recent.flatMap(({ entry, manifest: { previous } }) => {
		const now = previous && digests.get(previous.label);
		if (!now || now === previous.sha256) return [];
		const what = `the manifest of ${previous.label} is not the one that was there when ${entry.label} was made`;
		return [reason('exchanged', 'critical', what)];
	});
}

/** @param unchangedAt when it was last found that there was nothing new to back up */
function lateReasons(
	last: BackupEntry | null,
	unchangedAt: number | null,
	{ everyMs, learnt, lateMs, overdueMs }: Rhythm,
	now: Date,
): Reason[] {
	const age = last === null ? 0 : now.getTime() - Math.max(last.startedAt, unchangedAt ?? 0);
	if (age <= lateMs) return [];
	const usually = learnt
		? `usually there is one every ${spanText(everyMs!)}`
		: `one is expected every ${spanText(everyMs!)}`;
	const severity = age > overdueMs ? 'critical' : 'warning';
	return [reason('late', severity, `the newest backup is ${spanText(age)} old; ${usually}`)];
}

/** Backups without a proof before that itself is a reason to worry. */
const UNPROVED = 3;

/** Whether there is a proved backup that is not too old: three times what is usual between backups, or between proofs. */
function proofState({ proved }: GroupFacts, past: readonly BackupEntry[], rhythm: Rhythm, now: Date) {
	if (!proved) {
		const severity = past.length >= UNPROVED ? 'critical' : 'warning';
		return {
			restorable: false,
			reasons: past.length === 0 ? [] : [reason('not-proved', severity, 'no backup of it is proved')],
		};
	}
	const age = now.getTime() - proved.entry.startedAt;
	const times = past.flatMap(({ startedAt, verifications }) =>
		assessEvidence(verifications).proved === null ? [] : [startedAt],
	);
	const limit = Math.max(rhythm.overdueMs, 3 * (usualDistance(times) ?? 0));
	if (age <= limit) return { restorable: true, reasons: [] };
	const text = `the last proved backup is ${spanText(age)} old`;
	return { restorable: false, reasons: [reason('not-proved', 'critical', text)] };
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

/** What the last run that stored log saw of its slot; a later one that found nothing new has seen that all was collected. */
function slotReasons(newest: ReadBackup | null, unchangedAt: number | null): Reason[] {
	if (newest === null || (unchangedAt !== null && unchangedAt > newest.entry.startedAt)) return [];
	const slot = fromDetails(newest.manifest.source.details);
	return slot === null ? [] : slotProblems(slot).map(({ severity, text }) => reason('slot', severity, text));
}

/** As bad as for sizes: much is a warning, nearly all is critical. */
const NEARLY_ALL_PERCENT = 90;

function lossReasons(losses: readonly Loss[]): Reason[] {
	return losses.map((loss) => {
		const severity = lostPercent(loss) >= NEARLY_ALL_PERCENT ? 'critical' : 'warning';
		const { shownBy, to, what, since, from } = loss;
		return reason(
			'shrunk',
			severity,
			`${shownBy} has ${to} ${what}, and ${since} had ${from}; nobody has approved that`,
		);
	});
}

function sizeReasons(bytes: number, before: readonly number[]): Reason[] {
	const found = unusual(bytes, before);
	if (!found || found.ratio >= 1) return [];
	const percent = Math.max(1, Math.round(found.ratio * 100));
	return [
		reason('shrunk', found.extreme ? 'critical' : 'warning', `the newest backup has ${percent} % of its usual size`),
	];
}

/** Seconds that are not worth a word. */
const LEAST_SLOW_SECONDS = 60;

function slowReasons(seconds: number, before: readonly number[]): Reason[] {
	const found = unusual(seconds, before);
	if (!found || found.ratio < 2 || seconds - found.usual < LEAST_SLOW_SECONDS) return [];
	const text = `the last backup took ${spanText(seconds * 1000)}; usually it takes ${spanText(found.usual * 1000)}`;
	return [reason('slow', 'warning', text)];
}

function targetReasons(rpo: number | null, rto: number | null, { rpoMs, rtoMs }: Targets): Reason[] {
	return [
		...(rpoMs !== null && (rpo === null || rpo > rpoMs)
			? [
					reason(
						'rpo',
						'critical',
						rpo === null
							? `nothing could be restored; at most ${spanText(rpoMs)} may be lost`
							: `${spanText(rpo)} of data would be lost; at most ${spanText(rpoMs)} may be`,
					),
				]
			: []),
		...(rtoMs !== null && rto !== null && rto > rtoMs
			? [reason('rto', 'critical', `a restore took ${spanText(rto)}; at most ${spanText(rtoMs)} is allowed`)]
			: []),
	];
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
