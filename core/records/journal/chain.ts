/**
 * Appending to the journal, by any number of machines at once. There is one next place at any time, and the storage lets
 * one writer have it: who is second reads what the first wrote and tries the place after it. So the chain never forks,
 * whatever a listing leaves out and whatever clocks say. A day is closed by an entry that names the next one, for which the
 * same holds; a writer who is late, or whose clock is behind, finds it and goes on where the chain goes on.
 */
import { BackupError, isBackupError } from '../../base/errors';
import { addDays, chainEnd, listDay, newestDay } from './days';
import { entryKey } from '../layout';
import { formatJournalEntry, hashOf, type NewEntry, parseJournalEntry } from './entry';
import { readText, writeText } from '../small-objects';
import type { Storage } from '../../storage/storage';

/** The next free place, as far as is known. */
interface Place {
	day: string;
	number: number;
	previous: string | null;
}

/**
 * Where this process has appended last, by the storage's location. Only a hint, since others append too: the entry is read before the place
 * after it is tried. Without it each run would list the whole day twice, and a day in which log is collected twice a minute has thousands.
 */
const lastPlaces = new Map<string, Pick<Place, 'day' | 'number'>>();
/** So many places may be taken by others before a listing is the faster way to the end. */
const MOST_STEPS = 8;

/**
 * Appends an entry. Ends when the signal says so; nobody knows how many others append.
 * @param today by the storage's clock
 * @returns where it lies
 * @throws BackupError of the storage; 'cancelled', or the signal's reason
 */
export async function append(storage: Storage, entry: NewEntry, today: string, signal: AbortSignal): Promise<string> {
	let place = (await placeAfterOwn(storage, today, signal)) ?? (await findPlace(storage, today, signal));
	for (let taken = 1; ; taken++) {
		signal.throwIfAborted();
		const closes = place.day < today;
		const text = closes
			? formatJournalEntry({ kind: 'next-day', next: today, at: entry.at }, place.previous)
			: formatJournalEntry(entry, place.previous);
		const key = entryKey(place.day, place.number);
		try {
			await writeText(storage, key, text, { signal });
			if (!closes) {
				lastPlaces.set(storage.location, place);
				return key;
			}
			place = { day: today, number: 1, previous: hashOf(text) };
		} catch (error) {
			if (!isBackupError(error, 'already-exists')) throw error;
			const next = taken % MOST_STEPS === 0 ? null : await placeAfter(storage, place, today, signal);
			place = next ?? (await findPlace(storage, today, signal));
		}
	}
}

/** @returns null where this process has not appended today, or what it has appended is gone */
async function placeAfterOwn(storage: Storage, today: string, signal: AbortSignal): Promise<Place | null> {
	const own = lastPlaces.get(storage.location);
	return own?.day === today ? await placeAfter(storage, own, today, signal) : null;
}

async function findPlace(storage: Storage, today: string, signal: AbortSignal): Promise<Place> {
	for (;;) {
		signal.throwIfAborted();
		const newest = await newestDay(storage, today);
		if (!newest) return { day: today, number: 1, previous: null };
		const place = await placeAfter(storage, { day: newest.day, number: chainEnd(newest.entries) }, today, signal);
		if (place) return place;
	}
}

/** @returns null when that entry is gone: then what was known of the chain is wrong */
async function placeAfter(
	storage: Storage,
	{ day, number }: Pick<Place, 'day' | 'number'>,
	today: string,
	signal: AbortSignal,
): Promise<Place | null> {
	const key = entryKey(day, number);
	let text: string;
	try {
		text = await readText(storage, key, signal);
	} catch (error) {
		if (isBackupError(error, 'not-found')) return null;
		// It is larger than any entry. It closes nothing, and the check shows it; with it, one such object would end the journal.
		if (isBackupError(error, 'damaged')) return { day, number: number + 1, previous: null };
		throw error;
	}
	const previous = hashOf(text);
	const next = dayAfter(text, { day, today }, `${storage.location}/${key}`);
	if (next === null) return { day, number: number + 1, previous };
	const end = chainEnd((await listDay(storage, next)).entries);
	if (end === 0) return { day: next, number: 1, previous };
	return await placeAfter(storage, { day: next, number: end }, today, signal);
}

/**
 * The day that an entry says the chain goes on with; an entry that cannot be read closes nothing, and neither does one that
 * leads into the future, beyond where clocks of two machines differ: with it, one forged entry would end the journal.
 */
function dayAfter(text: string, { day, today }: { day: string; today: string }, location: string): string | null {
	try {
		const entry = parseJournalEntry(text, location);
		return entry.kind === 'next-day' && entry.next > day && entry.next <= addDays(today, 1) ? entry.next : null;
	} catch (error) {
		if (error instanceof BackupError) return null;
		throw error;
	}
}
