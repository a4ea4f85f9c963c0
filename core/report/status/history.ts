/** The backups of a group as points of a trend. */
import { assessEvidence } from '../../records/assessment';
import type { BackupEntry } from '../../records/catalog';
import type { JournalRun } from '../../records/journal/journal';
import type { ReadBackup } from './facts';

/** One backup. */
export interface HistoryPoint {
	label: string;
	type: string;
	/** Start, milliseconds since 1970. */
	at: number;
	storedBytes: number;
	/** How long it took; null where nobody can say. */
	seconds: number | null;
	/** How deep it is proved; null where it is not. */
	depth: string | null;
	bad: boolean;
	pinned: boolean;
}

const MOST_POINTS = 60;

/** The newest of them, oldest first. */
export function historyOf(
	past: readonly BackupEntry[],
	recent: readonly ReadBackup[],
	runs: readonly JournalRun[],
): HistoryPoint[] {
	const seconds = new Map<string, number>();
	for (const { label, facts } of runs) {
		if (label !== null && typeof facts.seconds === 'number' && !seconds.has(label)) seconds.set(label, facts.seconds);
	}
	for (const { entry, manifest } of recent) {
		seconds.set(entry.label, (Date.parse(manifest.finishedAt) - Date.parse(manifest.startedAt)) / 1000);
	}
	return past.slice(-MOST_POINTS).map(({ label, type, startedAt, dataBytes, verifications, pinned }) => {
		const { failed, proved } = assessEvidence(verifications);
		return {
			...{ label, type, at: startedAt, storedBytes: dataBytes, pinned },
			seconds: seconds.get(label) ?? null,
			depth: proved?.depth ?? null,
			bad: failed !== null,
		};
	});
}
