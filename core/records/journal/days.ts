/**
 * Where the journal lies: one folder for each day by the storage's clock, in it the numbered entries of the chain and,
 * beside them, the heartbeats of runs.
 *
 *     runs/<yyyy-mm-dd>/<number>.json               entries, numbered from 000001 without a gap
 *     runs/<yyyy-mm-dd>/<run id>.beat-<n>.json      a run's last heartbeat; removed when it ends
 */
import type { Storage, StoredObject } from '../../storage/storage';
import { BEAT, ENTRY, RUNS } from '../layout';

const DAY_MS = 24 * 3_600_000;
/** More days than this are found faster by one listing of all. */
const MANY_DAYS = 14;
/** Where more entries in a row are missing than this, what lies beyond them is not taken for a part of the chain that goes on. */
const MOST_MISSING = 100;

export interface Numbered {
	key: string;
	number: number;
	object: StoredObject;
}

/** One day as a listing shows it. */
export interface Day {
	day: string;
	/** By number. */
	entries: Numbered[];
	/** The newest heartbeat of each run, by its id. */
	beats: Map<string, StoredObject>;
}

/**
 * Number of the last entry of a day's chain; 0 where none begins it. An entry far beyond all others is not its end: with it, one forged
 * number would lead the chain to numbers that no name has room for. All between were removed, or it was never appended: the check says so.
 */
export function chainEnd(entries: readonly Pick<Numbered, 'number'>[]): number {
	let end = 0;
	for (const { number } of entries) {
		if (number > end + 1 + MOST_MISSING) break;
		end = number;
	}
	return end;
}

export function dayOf(date: Date): string {
	return date.toISOString().slice(0, 10);
}

/** `days` may be negative. */
export function addDays(day: string, days: number): string {
	return dayOf(new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS));
}

export async function listDay(storage: Storage, day: string): Promise<Day> {
	return (await collectDays(storage, `${RUNS}${day}/`)).get(day) ?? { day, entries: [], beats: new Map() };
}

/** The days from one to another, those with entries or heartbeats, oldest first. */
export async function listDays(storage: Storage, from: string, to: string): Promise<Day[]> {
	if (addDays(from, MANY_DAYS) < to) {
		const all = [...(await collectDays(storage, RUNS)).values()];
		return all.filter(({ day }) => day >= from && day <= to).sort((a, b) => (a.day < b.day ? -1 : 1));
	}
	const found: Day[] = [];
	for (let day = from; day <= to; day = addDays(day, 1)) {
		const listed = await listDay(storage, day);
		if (listed.entries.length > 0 || listed.beats.size > 0) found.push(listed);
	}
	return found;
}

/**
 * The newest day with a chain up to a day. What a clock that was wrong has left in the future is no part of it. A journal is
 * rarely silent for long, so it looks at the last days first.
 */
export async function newestDay(storage: Storage, upTo: string): Promise<Day | null> {
	for (let back = 0; back < 7; back++) {
		const day = await listDay(storage, addDays(upTo, -back));
		if (chainEnd(day.entries) > 0) return day;
	}
	const days = [...(await collectDays(storage, RUNS)).values()].filter(({ entries }) => chainEnd(entries) > 0);
	days.sort((a, b) => (a.day < b.day ? -1 : 1));
	return days.findLast(({ day }) => day <= upTo) ?? null;
}

async function collectDays(storage: Storage, prefix: string): Promise<Map<string, Day>> {
	const days = new Map<string, Day>();
	for await (const object of storage.list(prefix)) {
		const { key } = object;
		const day = key.split('/')[1]!;
		const listed = days.get(day) ?? { day, entries: [], beats: new Map<string, StoredObject>() };
		const entry = ENTRY.exec(key);
		const beat = BEAT.exec(key);
		if (entry) listed.entries.push({ key, number: Number(entry[2]), object });
		else if (beat) keepNewest(listed.beats, beat[1]!, object);
		else continue;
		days.set(day, listed);
	}
	for (const { entries } of days.values()) entries.sort((a, b) => a.number - b.number);
	return days;
}

function keepNewest(beats: Map<string, StoredObject>, id: string, object: StoredObject): void {
	const other = beats.get(id);
	if (!other || numberOf(object) > numberOf(other)) beats.set(id, object);
}

function numberOf({ key }: StoredObject): number {
	return Number(BEAT.exec(key)![2]);
}
