/** What a report is made of: one section for each thing that was done, with an entry for each thing it was done to. */
import { shortened } from './values';

export type Outcome = 'ok' | 'degraded' | 'failed';

/** What an entry means for who reads it. A warning is no reason to send a report that nobody asked for; a note is. */
export type Level = 'failed' | 'degraded' | 'note' | 'warning' | 'ok';

export interface SectionEntry {
	level: Level;
	/** "stored", "FAILED" */
	state: string;
	/** A database, a backup, a group. */
	about: string;
	/** What is to be said of it, in one line. */
	short: string;
	/** The same at length, in lines. */
	text: string;
}

export interface Section {
	outcome: Outcome;
	/** For the subject. */
	title: string;
	entries: SectionEntry[];
}

const ORDER: readonly Level[] = ['failed', 'degraded', 'note', 'warning', 'ok'];
const SHORT = 300;

/** An entry of a first line and others, which are indented below it. */
export function entry(level: Level, state: string, about: string, lines: readonly string[]): SectionEntry {
	const short = shortened(lines.map((line) => line.replace(/\s*\n\s*/g, ' ')).join('; '), SHORT);
	const head = about === '' ? state : `${state} ${about}`;
	return { level, state, about, short, text: `${head}: ${lines.join('\n  ')}` };
}

/** Whether one level is worse than another. */
export function compareLevels(one: Level, other: Level): number {
	return ORDER.indexOf(one) - ORDER.indexOf(other);
}

/** The worst of several outcomes. */
export function worst(outcomes: readonly Outcome[]): Outcome {
	if (outcomes.includes('failed')) return 'failed';
	return outcomes.includes('degraded') ? 'degraded' : 'ok';
}
