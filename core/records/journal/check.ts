/** Whether the journal is whole: every entry there, as it was written, and where it was written. */
import { BackupError, isBackupError } from '../../base/errors';
import { inParallel } from '../../base/in-parallel';
import { addDays, chainEnd, type Day, dayOf, listDays, newestDay } from './days';
import { entryKey } from '../layout';
import { hashOf, type JournalEntry, parseJournalEntry } from './entry';
import { readText } from '../small-objects';
import type { Storage } from '../../storage/storage';

export interface JournalProblem {
	key: string;
	/** Lower case, for people. */
	problem: string;
}

interface Span {
	from: Date;
	to: Date;
	signal?: AbortSignal;
}

/** Entries read at the same time. */
export const READERS = 16;
/** An entry may have come while the day was being listed; a hole larger than this did not come from that. */
const MAX_LATE = 100;

interface Link {
	key: string;
	number: number;
	/** Of the text as it lies there. */
	hash: string;
	/** null when it is damaged. */
	entry: JournalEntry | null;
	problem: string | null;
}

/**
 * What is wrong with the chain of entries: one that is missing, changed, or not where it was written. What it cannot see:
 * that the very last entries were removed, since nothing came after them that could tell.
 * @throws BackupError of the storage
 */
export async function checkJournal(storage: Storage, span: Span): Promise<JournalProblem[]> {
	return (await examineJournal(storage, span)).problems;
}

/** The same, and how many entries were looked at. */
export async function examineJournal(
	storage: Storage,
	{ from, to, signal }: Span,
): Promise<{ entries: number; problems: JournalProblem[] }> {
	const days = (await listDays(storage, dayOf(from), dayOf(to))).filter(({ entries }) => entries.length > 0);
	if (days.length === 0) return { entries: 0, problems: [] };
	const problems: JournalProblem[] = [];
	let entries = 0;
	let before = await lastBefore(storage, days[0]!.day, signal);
	for (const day of days) {
		const links = await readDay(storage, day, signal);
		entries += links.length;
		problems.push(...checkDay(day.day, links, before));
		const end = chainEnd(links);
		before = links.find(({ number }) => number === end) ?? before;
	}
	return { entries, problems };
}

/** The last entry before a day, or null when the journal begins with that day. */
async function lastBefore(storage: Storage, day: string, signal?: AbortSignal): Promise<Link | null> {
	const earlier = await newestDay(storage, addDays(day, -1));
	if (!earlier || earlier.day >= day) return null;
	return await readLink(storage, earlier.day, chainEnd(earlier.entries), signal);
}

async function readDay(storage: Storage, { day, entries }: Day, signal?: AbortSignal): Promise<Link[]> {
	const listed = new Set(entries.map(({ number }) => number));
	const missing: number[] = [];
	const end = chainEnd(entries);
	for (let number = 1; number < end && missing.length <= MAX_LATE; number++) {
		if (!listed.has(number)) missing.push(number);
	}
	const numbers = [...listed, ...(missing.length <= MAX_LATE ? missing : [])].sort((a, b) => a - b);
	const links = await inParallel(numbers, READERS, (number) => readLink(storage, day, number, signal));
	return links.filter((link) => link !== null);
}

/** @returns null when it is not there */
async function readLink(storage: Storage, day: string, number: number, signal?: AbortSignal): Promise<Link | null> {
	const key = entryKey(day, number);
	let text: string;
	try {
		text = await readText(storage, key, signal);
	} catch (error) {
		if (isBackupError(error, 'not-found')) return null;
		if (isBackupError(error, 'damaged')) return { key, number, hash: '', entry: null, problem: 'is too large' };
		throw error;
	}
	const hash = hashOf(text);
	try {
		return { key, number, hash, entry: parseJournalEntry(text, key), problem: null };
	} catch (error) {
		if (!(error instanceof BackupError)) throw error;
		const problem = error.code === 'newer-format' ? null : 'is not as it was written';
		return { key, number, hash, entry: null, problem };
	}
}

function checkDay(day: string, links: readonly Link[], before: Link | null): JournalProblem[] {
	const problems: JournalProblem[] = [];
	for (const [i, link] of links.entries()) {
		const last = links[i - 1];
		const expected = (last?.number ?? 0) + 1;
		if (link.problem) problems.push({ key: link.key, problem: link.problem });
		if (link.number > expected) {
			problems.push({ key: entryKey(day, expected), problem: missingText(expected, link.number - 1) });
		} else if (last) {
			problems.push(...checkPair(last, link));
		} else {
			problems.push(...checkBeginning(day, link, before));
		}
	}
	return problems;
}

function missingText(first: number, last: number): string {
	return first === last ? 'is missing' : `is missing, with all up to number ${last}`;
}

function checkPair(last: Link, { entry, key }: Link): JournalProblem[] {
	const problems: JournalProblem[] = [];
	if (last.entry?.kind === 'next-day') problems.push({ key, problem: 'was written after the day was closed' });
	if (entry && !last.problem && entry.previous !== last.hash) {
		const problem = `is not what ${key} followed: one of them was changed, exchanged or removed`;
		problems.push({ key: last.key, problem });
	}
	return problems;
}

function checkBeginning(day: string, { entry, key }: Link, before: Link | null): JournalProblem[] {
	// A damaged one before it is a problem of its own.
	if (!entry || before?.problem) return [];
	if (!before)
		return entry.previous === null ? [] : [{ key, problem: 'follows an earlier day, of which nothing is left' }];
	const closed = before.entry?.kind === 'next-day' && before.entry.next === day;
	if (entry.previous === before.hash && closed) return [];
	return [
		{
			key,
			problem: `does not follow ${before.key}: entries between them, or before them, are missing or were changed`,
		},
	];
}
