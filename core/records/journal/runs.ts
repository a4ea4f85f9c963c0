/** What the journal tells of runs: who did what, how it ended, and which are under way or lost. */
import { z } from 'zod';
import type { Actor, Verb } from './actor';
import { within } from '../../base/deadline';
import { type ErrorCode, isBackupError } from '../../base/errors';
import { STALE_AFTER_MS } from '../heartbeat';
import { inParallel } from '../../base/in-parallel';
import { READERS } from './check';
import { addDays, type Day, dayOf, listDays } from './days';
import { type EndEntry, type JournalEntry, parseJournalEntry, type RunEntry } from './entry';
import { isDead, sinceHeartbeat } from '../locks/holder';
import { hostName } from '../../base/process-identity';
import { readText } from '../small-objects';
import { storageTime } from '../storage-clock';
import type { Storage, StoredObject } from '../../storage/storage';

/** A run as the journal tells of it. */
export interface JournalRun {
	id: string;
	verb: Verb;
	group: string | null;
	label: string | null;
	actor: Actor | null;
	host: string;
	/** ISO 8601. */
	startedAt: string;
	finishedAt: string | null;
	/** `lost`: it began, and neither ended nor sends heartbeats any more. */
	state: 'running' | 'ok' | 'degraded' | 'failed' | 'cancelled' | 'lost';
	/** Of a failure whose error is one of ours. */
	code: ErrorCode | null;
	facts: EndEntry['facts'];
	/** The last heartbeat of a run that has not ended. `at`: ISO 8601. */
	progress: { phase: string; bytes: number; totalBytes: number | null; at: string } | null;
}

/** A run that began in the span ends, as a rule, so many days after it at the latest; else one looks further. */
const DAYS_TO_END = 2;
/** For asking the storage for its time. */
const CLOCK_MS = 5000;

const beatSchema = z.object({
	phase: z.string().max(200),
	bytes: z.number(),
	totalBytes: z.number().nullable(),
	at: z.string().datetime(),
});

interface Told {
	entry: RunEntry;
	/** Of the storage, for its time. */
	object: StoredObject;
}

/** Which runs to read. */
export interface RunSpan {
	from: Date;
	to: Date;
	signal?: AbortSignal;
}

/**
 * The runs that started in a span of time, oldest first. Entries that are damaged are left out, see `checkJournal`.
 * @throws BackupError of the storage
 */
export async function readRuns(storage: Storage, span: RunSpan): Promise<JournalRun[]> {
	return (await readNewestRuns(storage, span, Infinity)).runs;
}

/**
 * As {@link readRuns}, but so many entries at most are read, the newest ones: a run has two, and each is an object.
 * @returns the runs, and since when none is missing
 * @throws BackupError of the storage
 */
export async function readNewestRuns(
	storage: Storage,
	{ from, to, signal }: RunSpan,
	mostEntries: number,
): Promise<{ runs: JournalRun[]; since: Date }> {
	const last = addDays(dayOf(to), DAYS_TO_END);
	const journal = new JournalReader(storage, mostEntries, signal);
	await journal.read(await listDays(storage, dayOf(from), last));
	const isWanted = ({ entry }: Told) => entry.startedAt >= from.toISOString() && entry.startedAt <= to.toISOString();
	const open = () => [...journal.starts.values()].filter((told) => isWanted(told) && !journal.ends.has(told.entry.run));
	const today = dayOf(new Date());
	if (today > last && open().some(({ entry }) => !journal.beats.has(entry.run))) {
		await journal.read(await listDays(storage, addDays(last, 1), today));
	}
	// Who has ended after the listing is gone as well: only whose end is not there now either is lost.
	const gone = new Set(open().flatMap(({ entry }) => (isDead(idOf(entry)) ? [entry.run] : [])));
	if (gone.size > 0) await journal.readNews();
	const unfinished = open();
	const now = unfinished.some(({ entry }) => !gone.has(entry.run)) ? await timeOf(storage, signal) : 0;
	const runs = [
		...[...journal.ends.values()].filter(isWanted).map(({ entry }) => ended(entry as EndEntry)),
		...(await inParallel(
			unfinished,
			READERS,
			async (told) => await journal.unfinished(told, gone.has(told.entry.run), now),
		)),
	];
	runs.sort((a, b) => (a.startedAt < b.startedAt ? -1 : a.startedAt > b.startedAt ? 1 : 0));
	return { runs, since: journal.oldest !== null && journal.oldest > from ? journal.oldest : from };
}

class JournalReader {
	readonly starts = new Map<string, Told>();
	readonly ends = new Map<string, Told>();
	readonly beats = new Map<string, StoredObject>();
	readonly #read = new Set<string>();
	/** When the oldest entry was written that was read, where older ones were left out. */
	oldest: Date | null = null;
	#newest: string | null = null;

	constructor(
		private readonly storage: Storage,
		private readonly mostEntries: number,
		private readonly signal?: AbortSignal,
	) {}

	async read(days: readonly Day[]): Promise<void> {
		for (const { beats } of days) for (const [id, object] of beats) this.beats.set(id, object);
		const all = days.flatMap(({ entries }) => entries).filter(({ key }) => !this.#read.has(key));
		const listed = all.slice(-this.mostEntries);
		this.#newest = days.findLast(({ entries }) => entries.length > 0)?.day ?? this.#newest;
		const read = await inParallel(listed, READERS, async ({ key }) => await this.#entry(key));
		const first = read.find((entry) => entry !== null);
		if (listed.length < all.length && first) this.oldest = new Date(first.at);
		for (const [i, entry] of read.entries()) {
			this.#read.add(listed[i]!.key);
			if (!entry) continue;
			if (entry.kind === 'next-day') continue;
			const told = entry.kind === 'start' ? this.starts : this.ends;
			told.set(entry.run, { entry, object: listed[i]!.object });
		}
	}

	/** What was written since the days were read. */
	async readNews(): Promise<void> {
		if (this.#newest !== null) await this.read(await listDays(this.storage, this.#newest, addDays(this.#newest, 1)));
	}

	/**
	 * @param isGone its process is no more, or has forgotten it
	 * @param now by the storage's clock, milliseconds
	 */
	async unfinished({ entry, object }: Told, isGone: boolean, now: number): Promise<JournalRun> {
		const beat = this.beats.get(entry.run);
		const isLost = isGone || sinceHeartbeat(beat ? [object, beat] : [object], now) >= STALE_AFTER_MS;
		return {
			...common(entry),
			finishedAt: null,
			state: isLost ? 'lost' : 'running',
			code: null,
			facts: {},
			progress: beat ? await this.#progress(beat) : null,
		};
	}

	/** null when it is damaged or gone. */
	async #entry(key: string): Promise<JournalEntry | null> {
		try {
			return parseJournalEntry(await readText(this.storage, key, this.signal), key);
		} catch (error) {
			if (isBackupError(error, 'not-found', 'damaged', 'newer-format')) return null;
			throw error;
		}
	}

	/** null when the run has replaced it meanwhile, or somebody else wrote it. */
	async #progress({ key }: StoredObject): Promise<JournalRun['progress']> {
		let text: string;
		try {
			text = await readText(this.storage, key, this.signal);
		} catch (error) {
			if (isBackupError(error, 'not-found', 'damaged')) return null;
			throw error;
		}
		try {
			return beatSchema.parse(JSON.parse(text));
		} catch (error) {
			if (error instanceof z.ZodError || error instanceof SyntaxError) return null;
			throw error;
		}
	}
}

function ended(entry: EndEntry): JournalRun {
	return {
		...common(entry),
		finishedAt: entry.at,
		state: entry.outcome,
		code: entry.code as ErrorCode | null,
		facts: entry.facts,
		progress: null,
	};
}

function common({ run, verb, group, label, actor, host, startedAt }: RunEntry) {
	return { id: run, verb, group, label, actor, host: hostName(host), startedAt };
}

function idOf({ run, host, pid }: RunEntry) {
	return { id: run, host, pid };
}

/** By the storage's clock; one that cannot be written to is taken to agree with ours. */
async function timeOf(storage: Storage, signal?: AbortSignal): Promise<number> {
	try {
		return await within(CLOCK_MS, storage.location, async (limit) => await storageTime(storage, 'runs', limit), signal);
	} catch (error) {
		if (signal?.aborted || !isBackupError(error)) throw error;
		return Date.now();
	}
}
