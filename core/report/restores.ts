/** What was restored: databases, files, buckets, clusters. */
import { sizeText } from '../base/size-text';
import { parseLabel } from '../records/label';
import { warningText } from './backups';
import type { ReportedRestore } from './read';
import { type SectionEntry, type Section, worst } from './section';
import { shortened } from './values';
import { comparedText, namesOrCount, namesText, secondsText } from './words';

const DIFFERENCES = 100;

/**
 * @param about what a restore is about that failed before it could say so, e.g. "postgres/shop into shop"
 * @param timeZone in which times are shown
 */
export function restoreSection(restores: readonly ReportedRestore[], about: string, timeZone: string): Section {
	const failed = restores.filter(({ ok }) => !ok).map((each) => nameOfRestore(each, about));
	const good = restores.filter(({ ok }) => ok);
	const well = good.map((each) => nameOfRestore(each, about));
	const noun = good.every(({ database }) => database !== '') ? 'database' : 'source';
	const verb = good.every(({ dryRun }) => dryRun) ? 'Could be restored: ' : 'Restored ';
	return {
		outcome: worst(restores.map(({ ok }) => (ok ? 'ok' : 'failed'))),
		title: [
			...(failed.length > 0 ? [`Restore of ${namesText(failed)} FAILED`] : []),
			...(well.length > 0 ? [`${verb}${namesOrCount(well, noun)}`] : []),
		].join('; '),
		entries: restores.map((each) => restoreEntry(each, about, timeZone)),
	};
}

function nameOfRestore({ group, database, restoredTo }: ReportedRestore, about: string): string {
	const target = database || restoredTo;
	if (group !== '' && target !== '') return `${group} into ${target}`;
	return about || group || target || 'a backup';
}

function restoreEntry(restored: ReportedRestore, about: string, timeZone: string): SectionEntry {
	const { ok, message, hint, warnings } = restored;
	const lines = [
		...(message === '' ? [] : [message]),
		...(hint === '' ? [] : [hint]),
		...(restored.done ? linesOf(restored, timeZone) : []),
	];
	return {
		level: ok ? (warnings.length > 0 ? 'warning' : 'ok') : 'failed',
		state: ok ? (restored.dryRun ? 'dry run' : 'restored') : 'FAILED',
		about: nameOfRestore(restored, about),
		short: shortened(lines.join('; ').replaceAll('\n', ' '), 300),
		text: lines.join('\n'),
	};
}

function linesOf(restored: ReportedRestore, timeZone: string): string[] {
	const { group, label, restoredTo, seconds, originalBytes, differences, warnings, dryRun, matches } = restored;
	const { files, objects, tablesCompared: tables, rowsCompared: rows } = restored;
	const compared = comparedText({ tables, rows, files, objects });
	const more = differences.length - DIFFERENCES;
	return [
		`backup: ${group}/${label}, of ${startOf(label, timeZone)}`,
		dryRun ? `nothing was written: this was a dry run for ${restoredTo}` : `restored into: ${restoredTo}`,
		`took: ${secondsText(seconds)} for ${sizeText(originalBytes)}`,
		...(dryRun
			? []
			: [
					matches
						? `compared: ${compared}, as backed up`
						: `DIFFERENT from what was backed up: ${differences.length} differences`,
				]),
		...differences.slice(0, DIFFERENCES).map(({ item, expected, found }) => `${item}: ${found} instead of ${expected}`),
		...(more > 0 ? [`and ${more} more`] : []),
		...warnings.map(warningText),
	];
}

/** When a backup was started, which its label says in UTC. */
function startOf(label: string, timeZone: string): string {
	const parsed = parseLabel(label);
	return parsed ? `${parsed.startedAt.toLocaleString('sv-SE', { timeZone })} ${timeZone}` : 'an unknown time';
}
