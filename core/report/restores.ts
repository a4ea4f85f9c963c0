/** Databases that were restored. */
import { sizeText } from '../base/size-text';
import { parseLabel } from '../records/label';
import { warningText } from './backups';
import type { ReportedRestore } from './read';
import { type SectionEntry, type Section, worst } from './section';
import { shortened } from './values';
import { namesOrCount, namesText, secondsText } from './words';

const DIFFERENCES = 100;

/**
 * @param about what a restore is about that failed before it could say so, e.g. "postgres/shop into shop"
 * @param timeZone in which times are shown
 */
export function restoreSection(restores: readonly ReportedRestore[], about: string, timeZone: string): Section {
	const failed = restores.filter(({ ok }) => !ok).map((each) => nameOfRestore(each, about));
	const well = restores.filter(({ ok }) => ok).map((each) => nameOfRestore(each, about));
	return {
		outcome: worst(restores.map(({ ok }) => (ok ? 'ok' : 'failed'))),
		title: [
			...(failed.length > 0 ? [`Restore of ${namesText(failed)} FAILED`] : []),
			...(well.length > 0 ? [`Restored ${namesOrCount(well, 'database')}`] : []),
		].join('; '),
		entries: restores.map((each) => restoreEntry(each, about, timeZone)),
	};
}

function nameOfRestore({ group, database }: ReportedRestore, about: string): string {
	if (group !== '' && database !== '') return `${group} into ${database}`;
	return about || group || database || 'a database';
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
		state: ok ? 'restored' : 'FAILED',
		about: nameOfRestore(restored, about),
		short: shortened(lines.join('; ').replaceAll('\n', ' '), 300),
		text: lines.join('\n'),
	};
}

function linesOf(restored: ReportedRestore, timeZone: string): string[] {
	const { group, label, restoredTo, seconds, originalBytes, rows, differences, warnings } = restored;
	const { matches, tablesCompared, rowsCompared } = restored;
	const more = differences.length - DIFFERENCES;
	return [
		`backup: ${group}/${label}, of ${startOf(label, timeZone)}`,
		`restored into: ${restoredTo}`,
		`took: ${secondsText(seconds)} for ${sizeText(originalBytes)}, ${rows} rows`,
		matches
			? `compared: ${tablesCompared} tables and ${rowsCompared} rows are as they were backed up`
			: `DIFFERENT from what was backed up: ${differences.length} differences`,
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
