/**
 * Which base backup a cluster is restored from, and which log is replayed on it, for a moment that somebody asks for. What cannot
 * work is refused before anything is written.
 */
import { BackupError, isBackupError, isOfStorage } from '../../../../base/errors';
import { assessEvidence } from '../../../../records/assessment';
import type { Manifest } from '../../../../records/manifest';
import type { BackupEntry, Repository } from '../../../../records/repository';
import { CLUSTER } from '../base/word';
import { logGroupOf } from '../groups';
import { formatLsn, parseLsn } from '../lsn';
import type { RecoveryTarget } from './recovery';
import type { LogContents } from '../wal/contents';
import { assertLogRange } from '../wal/position';
import { type JoinedLog, joinLog, readLog, readLogBehind } from './joined-log';
import { lastCommitOf } from './last-commit';

/** What will be restored. */
export interface ClusterPlan {
	/** Of the base backup. */
	label: string;
	/** The log to replay, in its order; null where there is none, or none is wanted. */
	log: { group: string; labels: string[] } | null;
	/** What the server is told. */
	target: RecoveryTarget;
	/** The last transaction that can be had from what is stored; null where nobody knows. */
	restorableUntil: string | null;
	warnings: string[];
}

export interface ClusterChoice {
	repository: Repository;
	/** Of base backups. */
	group: string;
	/** A base backup by its label; otherwise the newest one that the target can be reached from. */
	label?: string;
	target: RecoveryTarget;
	/** Reads the contents of a backup; null where no key opens them. For the names of restore points, which the log holds. */
	readContents: (manifest: Manifest) => Promise<unknown>;
	signal: AbortSignal;
}

/**
 * Plans the restore of a cluster.
 * @throws BackupError 'not-found' where no base backup fits; 'damaged' where none can be taken without being named; 'invalid-input' for a target that cannot be reached from what is
 * stored, with the moment up to which it can; those of the storage
 */
export async function planClusterRestore(choice: ClusterChoice): Promise<ClusterPlan> {
	const { target, repository, signal } = choice;
	const logGroup = logGroupOf(choice.group);
	// A restore point may be in any of it.
	const all = target.kind === 'name' ? await readLog(repository, logGroup, signal) : [];
	const wanted = target.kind === 'name' ? await findRestorePoint(choice, all, target.name) : target;
	const { base, warnings } = await chooseBase(choice, wanted);
	if (target.kind === 'base') {
		return { label: base.label, log: null, target, restorableUntil: null, warnings };
	}
	const log = target.kind === 'name' ? all : await readLogBehind(repository, logGroup, base, signal);
	const { pieces, lastCommit, end, gap } = joinLog(base, log);
	const needed = cut(pieces, wanted);
	const reached = reach(wanted, { end, lastCommit, pieces, base });
	if (gap !== null && needed.length === pieces.length) {
		warnings.push(`nothing is stored between ${formatLsn(end)} and ${gap.label}: it is restored up to there`);
	}
	if (pieces.length === 0)
		warnings.push(`no log follows ${base.group}/${base.label}: it is restored as it was at its end`);
	if (reached.kind === 'time' && !lastCommit.isKnown) {
		warnings.push(
			'when the last transaction in this log ended is not known: where the server says that recovery ended before its target was reached, restore to the newest moment',
		);
	}
	return {
		label: base.label,
		log: pieces.length === 0 ? null : { group: logGroup, labels: needed.map(({ label }) => label) },
		target:
			target.kind === 'name' ? target : pieces.length === 0 && reached.kind === 'newest' ? { kind: 'base' } : reached,
		restorableUntil: lastCommit.isKnown ? lastCommit.time : null,
		warnings,
	};
}

/** The newest base backup that the target can be reached from. */
async function chooseBase(
	{ repository, group, label, signal }: ClusterChoice,
	wanted: RecoveryTarget,
): Promise<{ base: Manifest; warnings: string[] }> {
	const warnings: string[] = [];
	const entries = (await repository.list(group)).toSorted((a, b) => b.startedAt - a.startedAt);
	const asked = label === undefined ? entries : entries.filter((entry) => entry.label === label);
	if (asked.length === 0) throw noBase(group, label);
	let isLate = false;
	for (const entry of asked) {
		const failed = failureOf(entry);
		if (failed !== null && label === undefined) {
			warnings.push(`${failed}; it was passed over`);
			continue;
		}
		const base = await readBase(repository, entry, signal);
		if (typeof base === 'string') {
			if (label !== undefined) throw new BackupError('invalid-input', base, { hint: 'Choose another backup.' });
			warnings.push(`${base}; it was passed over`);
			continue;
		}
		const late = isBefore(wanted, base);
		if (late === null) return { base, warnings: failed === null ? warnings : [...warnings, failed] };
		if (label !== undefined) throw tooEarly(base, late);
		isLate = true;
	}
	if (!isLate) {
		throw new BackupError('damaged', `no base backup of ${group} can be taken: ${warnings.join(', ')}`, {
			hint: 'Choose one by its label: it is taken then, whatever a verification has said of it.',
		});
	}
	throw new BackupError('not-found', `no base backup of ${group} had ended by then`, {
		hint: `The oldest one that can be read ends later. Give a later moment, or a place in the log behind ${String(asked.at(-1)!.label)}.`,
	});
}

/** What a verification has said against it, as a sentence; null where none has. */
function failureOf({ group, label, verifications }: BackupEntry): string | null {
	const { failed } = assessEvidence(verifications);
	return failed ? `${group}/${label} failed a verification (${failed.depth})` : null;
}

/** @returns why it cannot be taken, as a sentence */
async function readBase(repository: Repository, entry: BackupEntry, signal: AbortSignal): Promise<Manifest | string> {
	const name = `${entry.group}/${entry.label}`;
	try {
		const manifest = await repository.readManifest(entry.group, entry.label, signal);
		if (manifest.source.kind !== CLUSTER) return `${name} is no base backup`;
		assertLogRange(manifest);
		return manifest;
	} catch (error) {
		// A storage that does not answer says nothing about this backup.
		if (!isBackupError(error) || signal.aborted || isOfStorage(error.code)) throw error;
		return error.message;
	}
}

/** Whether a target lies before the end of a base backup, which is the first moment that it can be restored to. */
function isBefore(wanted: RecoveryTarget, base: Manifest): string | null {
	const { finishedAt } = base;
	if (wanted.kind === 'time' && wanted.time.getTime() < Date.parse(finishedAt)) return finishedAt;
	const { end } = assertLogRange(base);
	if (wanted.kind === 'lsn' && parseLsn(wanted.lsn) < end) return formatLsn(end);
	return null;
}

/** Only as much log as the target needs. */
function cut(pieces: readonly Manifest[], wanted: RecoveryTarget): readonly Manifest[] {
	const isBehind = (piece: Manifest): boolean => {
		if (wanted.kind === 'time') {
			const { time } = lastCommitOf(piece);
			return time !== null && Date.parse(time) > wanted.time.getTime();
		}
		return wanted.kind === 'lsn' && assertLogRange(piece).end > parseLsn(wanted.lsn);
	};
	const last = pieces.findIndex(isBehind);
	return last < 0 ? pieces : pieces.slice(0, last + 1);
}

/**
 * What the server is told, so that it gets there. It refuses a target that no transaction lies behind, also where nothing
 * happened until then: in that case, all log is what there is to replay.
 */
function reach(
	wanted: RecoveryTarget,
	{ end, lastCommit, pieces, base }: Omit<JoinedLog, 'gap' | 'earlier'> & { base: Manifest },
): RecoveryTarget {
	if (wanted.kind === 'lsn' && parseLsn(wanted.lsn) > end) {
		throw new BackupError('invalid-input', `the log that is stored ends at ${formatLsn(end)}, before ${wanted.lsn}`, {
			hint: 'Give an earlier place, or restore to the newest moment.',
			details: { end: formatLsn(end) },
		});
	}
	if (wanted.kind !== 'time') return wanted;
	const time = wanted.time.getTime();
	if (lastCommit.time !== null && Date.parse(lastCommit.time) > time) return wanted;
	// All that was committed before this moment had been stored.
	const complete = pieces.at(-1)?.startedAt ?? base.finishedAt;
	// Where nobody knows whether something was committed behind it, a server that refuses is better than one that goes past it.
	if (time <= Date.parse(complete)) return lastCommit.isKnown ? { kind: 'newest' } : wanted;
	throw new BackupError(
		'invalid-input',
		`nothing is stored of ${wanted.time.toISOString()}: the log was collected at ${complete}`,
		{
			hint: 'Give an earlier time, or restore to the newest moment.',
			details: { restorableUntil: complete },
		},
	);
}

/** Where a restore point lies. */
async function findRestorePoint(
	choice: ClusterChoice,
	log: readonly Manifest[],
	name: string,
): Promise<RecoveryTarget> {
	for (const manifest of log.toReversed()) {
		const contents = (await choice.readContents(manifest)) as LogContents | null;
		if (contents === null) {
			throw new BackupError(
				'wrong-identity',
				`${manifest.group}/${manifest.label} is encrypted, and no key was given that opens it`,
				{
					hint: 'Names of restore points are encrypted as the log is: give its identity.',
				},
			);
		}
		const point = contents.restorePoints.findLast((each) => each.name === name);
		if (point) return { kind: 'lsn', lsn: point.lsn };
	}
	throw new BackupError('not-found', `no log of ${choice.group} has a restore point "${name}"`, {
		hint: 'It is made on the server: SELECT pg_create_restore_point(…). Log that was collected before does not have it.',
	});
}

function noBase(group: string, label: string | undefined): BackupError {
	return new BackupError(
		'not-found',
		label === undefined ? `there is no base backup of ${group}` : `there is no backup ${label} in ${group}`,
		{
			hint: 'Check the name of the group and the storage’s location and prefix.',
		},
	);
}

function tooEarly({ group, label }: Manifest, end: string): BackupError {
	return new BackupError('invalid-input', `${group}/${label} ended at ${end}, after the moment that is wanted`, {
		hint: 'Take an earlier base backup, or give a later moment.',
	});
}
