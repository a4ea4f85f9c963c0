/** A report for people, before it takes the form of a channel. */
import type { SectionEntry, Outcome } from './section';
import { compareLevels } from './section';
import type { ReportFacts } from './facts';
import { sizeText } from '../base/size-text';
import { shortened } from './values';
import { secondsText } from './words';

/** What a chat shows without folding; every channel takes more. Characters. */
const TEXT_LIMIT = 2500;
const LINE_LIMIT = 200;
const LINES = 10;

export interface Message {
	outcome: Outcome;
	subject: string;
	/** What somebody has to know: all that is not well, worst first. */
	entries: SectionEntry[];
	/** What was done in numbers: "databases backed up", "50". */
	figures: Array<[string, string]>;
	workflow: string;
}

/** What deserves attention, worst first, as single lines. */
export function noteworthyOf(entries: readonly SectionEntry[]): string[] {
	const notable = entries.filter(({ level }) => level !== 'ok').sort((a, b) => compareLevels(a.level, b.level));
	const lines = notable.slice(0, LINES).map(lineOf);
	return notable.length > LINES ? [...lines, `and ${notable.length - LINES} more`] : lines;
}

function lineOf({ state, about, short }: SectionEntry): string {
	return shortened(`${about === '' ? state : `${state} ${about}`}: ${short}`, LINE_LIMIT);
}

/** Everything where that is short; otherwise figures and what deserves attention. @param figures none where they stand beside */
export function shortText(details: string, figures: Message['figures'], noteworthy: readonly string[]): string {
	if (details.length <= TEXT_LIMIT) return details;
	return [
		...figures.map(([what, value]) => `${what}: ${value}`),
		...noteworthy,
		'All the rest is in the details.',
	].join('\n');
}

/** Only what was done at all. */
export function figuresOf({ counts, bytes, seconds }: ReportFacts): Message['figures'] {
	const figures: Array<[string, number, string?]> = [
		['Backed up', counts.stored],
		['Size', bytes.original, sizeText(bytes.original)],
		['Stored', bytes.stored, sizeText(bytes.stored)],
		['Time of backups', seconds.backup, secondsText(seconds.backup)],
		['Failed', counts.failed],
		['Not verified', counts.notVerified],
		['Copied', counts.copied],
		['Not copied', counts.notCopied],
		['Proved', counts.proved],
		['Bad', counts.bad],
		['Not proved', counts.notProved],
		['Restored', counts.restored],
		['Time of restores', seconds.restore, secondsText(seconds.restore)],
		['Removed', counts.removed],
		['Freed', bytes.freed, sizeText(bytes.freed)],
		['Warnings', counts.warnings],
	];
	return figures
		.filter(([, amount]) => amount > 0)
		.map(([what, amount, text]) => [what, text ?? amount.toLocaleString('en')]);
}
