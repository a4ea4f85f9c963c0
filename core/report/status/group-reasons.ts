/** What may be wrong with one group, and how bad each of it is. */
import { lostPercent } from '../../records/approval';
import { assessEvidence } from '../../records/assessment';
import type { BackupEntry } from '../../records/catalog';
import type { Loss } from '../../records/manifest';
import { fromDetails, slotProblems } from '../../records/slot-problems';
import { spanText } from './ages';
import { type Rhythm, usualDistance } from './expectation';
import type { GroupFacts, ReadBackup } from './facts';
import { type Reason, reason } from './reasons';
import { unusual } from './usual';

/** What is asked of all groups. */
export interface Targets {
	/** Data that may be lost at most, milliseconds; none when null. */
	rpoMs: number | null;
	/** A restore may take so long, milliseconds; none when null. */
	rtoMs: number | null;
}

/** Newest backups that nobody can read, or that nobody trusted has signed. */
export function unusableReasons({ unusable }: GroupFacts): Reason[] {
	return unusable.map(({ label, why, notAuthentic }) =>
		reason(notAuthentic ? 'not-authentic' : 'unreadable', 'critical', `${label} cannot be used: ${why}`),
	);
}

/** What is wrong with the newest backup itself. */
export function newestReasons({ newest }: GroupFacts, past: readonly BackupEntry[]): Reason[] {
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
export function chainReasons(recent: readonly ReadBackup[]): Reason[] {
	const digests = new Map(recent.map(({ entry, sha256 }) => [entry.label, sha256]));
	return recent.flatMap(({ entry, manifest: { previous } }) => {
		const now = previous && digests.get(previous.label);
		if (!now || now === previous.sha256) return [];
		const what = `the manifest of ${previous.label} is not the one that was there when ${entry.label} was made`;
		return [reason('exchanged', 'critical', what)];
	});
}

/** A newest backup that is older than usual. @param unchangedAt when it was last found that there was nothing new to back up */
export function lateReasons(
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
export function proofState({ proved }: GroupFacts, past: readonly BackupEntry[], rhythm: Rhythm, now: Date) {
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

/** What the last run that stored log saw of its slot; a later one that found nothing new has seen that all was collected. */
export function slotReasons(newest: ReadBackup | null, unchangedAt: number | null): Reason[] {
	if (newest === null || (unchangedAt !== null && unchangedAt > newest.entry.startedAt)) return [];
	const slot = fromDetails(newest.manifest.source.details);
	return slot === null ? [] : slotProblems(slot).map(({ severity, text }) => reason('slot', severity, text));
}

/** As bad as for sizes: much is a warning, nearly all is critical. */
const NEARLY_ALL_PERCENT = 90;

/** What got lost since a backup before, and nobody has approved. */
export function lossReasons(losses: readonly Loss[]): Reason[] {
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

/** A newest backup that is much smaller than usual. @param before of the backups before it, bytes */
export function sizeReasons(bytes: number, before: readonly number[]): Reason[] {
	const found = unusual(bytes, before);
	if (!found || found.ratio >= 1) return [];
	const percent = Math.max(1, Math.round(found.ratio * 100));
	return [
		reason('shrunk', found.extreme ? 'critical' : 'warning', `the newest backup has ${percent} % of its usual size`),
	];
}

/** Seconds that are not worth a word. */
const LEAST_SLOW_SECONDS = 60;

/** A backup that took much longer than usual. */
export function slowReasons(seconds: number, before: readonly number[]): Reason[] {
	const found = unusual(seconds, before);
	if (!found || found.ratio < 2 || seconds - found.usual < LEAST_SLOW_SECONDS) return [];
	const text = `the last backup took ${spanText(seconds * 1000)}; usually it takes ${spanText(found.usual * 1000)}`;
	return [reason('slow', 'warning', text)];
}

/** What is asked of all groups, and not kept. @param rpo what would be lost now, milliseconds @param rto how long the last restore took, milliseconds */
export function targetReasons(rpo: number | null, rto: number | null, { rpoMs, rtoMs }: Targets): Reason[] {
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
