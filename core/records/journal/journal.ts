/** The journal of a storage: every run writes down that it began, how far it is, and how it ended. */
import type { Actor, Verb } from './actor';
import { within } from '../../base/deadline';
import { type ErrorCode, isBackupError, messageOf } from '../../base/errors';
import { BEAT_MS, Heartbeat } from '../heartbeat';
import { append } from './chain';
import { dayOf } from './days';
import { whoCancelled } from '../cancellation';
import { beatKey, cancelKey } from '../layout';
import type { EndEntry, NewEntry, RunEntry } from './entry';
import { forgetId, newId } from '../locks/holder';
import { thisHost } from '../../base/process-identity';
import { PROGRAM } from '../../base/program';
import { unlessStuck } from '../../base/limits';
import { FollowingClock } from '../storage-clock';
import type { Storage } from '../../storage/storage';

export type { Actor, Verb } from './actor';
export { checkJournal, examineJournal, type JournalProblem } from './check';
export { readNewestRuns, readRuns, type JournalRun } from './runs';

/** Writing the start, and writing the end, hold up a run for no longer than this each: many may append at once. */
const PATIENCE_MS = 30_000;
/** Whoever restores is in a hurry. */
const RESTORE_PATIENCE_MS = 5000;
/** Names in facts, codes, names of workflows: enough for any of them. */
const MAX_WORD = 200;

export interface RecordRequest {
	verb: Verb;
	/** null for a run about the whole storage. */
	group: string | null;
	/** Where it is known from the start. */
	label?: string | null;
	actor?: Actor;
	signal?: AbortSignal;
	/** How long the work may go on after the signal before it is no longer waited for; a minute when absent. */
	endingMs?: number;
	/** Time between two heartbeats, milliseconds; a minute when absent. */
	beatMs?: number;
	/** Told once when somebody asked in the storage for this run to stop. Without it nobody looks. */
	onCancel?: (by: string) => void;
	/** This machine's clock, milliseconds since 1970. */
	clock?: () => number;
}

/** A run while it is under way. */
export interface RunRecord {
	readonly id: string;
	/** Notes how far the run is; the next heartbeat takes it along. May be called as often as one likes. */
	readonly progress: (phase: string, bytes: number, totalBytes?: number) => void;
	/** Adds to the warnings of the run. */
	readonly warn: (...texts: readonly string[]) => void;
}

/** How a run ended, in codes and figures: no secret, no name of a table, no message. */
export interface RunEnd {
	outcome: 'ok' | 'degraded' | 'failed';
	code?: ErrorCode | null;
	/** Where it became known on the way. */
	label?: string | null;
	facts: Record<string, string | number | boolean | null>;
}

/**
 * Does the work and writes down its start, its heartbeats and its end. A journal that cannot be written is a warning:
 * it never fails the work, and holds it up for half a minute at most, a restore for some seconds.
 * @param describe how the run ended, of its result and of the warnings so far; work that throws has failed, or was cancelled
 * @returns what the work gave, and all warnings: those of the run, and what went wrong with the journal
 * @throws what the work throws
 */
export async function recordRun<T>(
	storage: Storage,
	request: RecordRequest,
	work: (run: RunRecord) => Promise<T>,
	describe: (value: T, warnings: readonly string[]) => RunEnd,
): Promise<{ value: T; warnings: string[] }> {
	const run = new RunJournal(storage, request);
	await run.start();
	try {
		const working = work(run);
		const value = await (request.signal ? unlessStuck(working, request.signal, request.endingMs) : working);
		await run.end(describe(value, run.warnings));
		return { value, warnings: run.warnings };
	} catch (error) {
		await run.fail(error);
		throw error;
	}
}

type Ended = Pick<EndEntry, 'outcome' | 'code' | 'label' | 'facts'>;

class RunJournal implements RunRecord {
	readonly id = newId();
	readonly warnings: string[] = [];
	readonly #clock: FollowingClock;
	readonly #heartbeat: Heartbeat;
	#progress = { phase: 'starting', bytes: 0, totalBytes: null as number | null };
	#facts: Omit<Extract<RunEntry, { kind: 'start' }>, 'format' | 'previous' | 'sha256' | 'at' | 'kind'>;
	readonly #patienceMs: number;
	/** false when the storage does not take entries at all. */
	#writable = true;
	#hasEnded = false;
	#cancelledBy: string | null = null;

	constructor(
		private readonly storage: Storage,
		{ verb, group, label = null, actor, beatMs = BEAT_MS, onCancel, clock }: RecordRequest,
	) {
		this.#patienceMs = verb === 'restore' ? RESTORE_PATIENCE_MS : PATIENCE_MS;
		this.#clock = new FollowingClock(clock);
		this.#facts = {
			run: this.id,
			verb,
			group,
			label,
			actor: actor ? shortened(actor) : null,
			host: thisHost(),
			pid: process.pid,
			program: { ...PROGRAM },
			startedAt: this.#clock.now().toISOString(),
		};
		this.#heartbeat = new Heartbeat(storage, {
			everyMs: beatMs,
			key: (n) => beatKey(this.#facts.startedAt.slice(0, 10), this.id, n),
			text: () => `${JSON.stringify({ ...this.#progress, at: this.#clock.now().toISOString() })}\n`,
			...(onCancel && { goesOn: async (signal) => (await this.#lookForCancel(onCancel, signal), true) }),
			onBeat: ({ modifiedAt }) => this.#clock.follow(modifiedAt),
		});
	}

	readonly progress = (phase: string, bytes: number, totalBytes?: number): void => {
		this.#progress = { phase, bytes, totalBytes: totalBytes ?? null };
	};

	readonly warn = (...texts: readonly string[]): void => {
		this.warnings.push(...texts);
	};

	/** The first heartbeat tells the storage's time, and so the day to write to. */
	async start(): Promise<void> {
		await this.#orWarn('its start', async (signal) => {
			await this.#heartbeat.beat();
			this.#facts = { ...this.#facts, startedAt: this.#clock.now().toISOString() };
			await this.#append({ kind: 'start', at: this.#facts.startedAt, ...this.#facts }, signal);
		});
		const hours = this.#clock.behindMs / 3_600_000;
		if (hours !== 0) {
			const side = hours > 0 ? 'behind' : 'ahead of';
			this.warnings.push(`this machine’s clock is ${Math.abs(hours).toFixed(2)} hours ${side} the storage’s`);
		}
	}

	async #lookForCancel(onCancel: (by: string) => void, signal: AbortSignal): Promise<void> {
		if (this.#cancelledBy !== null) return;
		try {
			this.#cancelledBy = await whoCancelled(this.storage, this.id, signal);
		} catch (error) {
			// The next heartbeat looks again; this one must come whatever happens.
			if (!isBackupError(error)) throw error;
		}
		if (this.#cancelledBy !== null) onCancel(this.#cancelledBy);
	}

	async end({ outcome, code = null, label, facts }: RunEnd): Promise<void> {
		await this.#finish({ outcome, code, label: label ?? this.#facts.label, facts: shortened(facts) });
	}

	async fail(error: unknown): Promise<void> {
		const code = isBackupError(error) ? error.code : null;
		const outcome = code === 'cancelled' ? 'cancelled' : 'failed';
		const by = outcome === 'cancelled' ? this.#cancelledBy : null;
		await this.#finish({ outcome, code, label: this.#facts.label, facts: by === null ? {} : { cancelledBy: by } });
	}

	async #finish(end: Ended): Promise<void> {
		if (this.#hasEnded) return;
		this.#hasEnded = true;
		if (this.#writable) await this.#write(end);
		forgetId(this.id);
	}

	async #write(end: Ended): Promise<void> {
		const isWritten = await this.#orWarn('its end', async (signal) => {
			await this.#append({ kind: 'end', at: this.#clock.now().toISOString(), ...this.#facts, ...end }, signal);
		});
		if (isWritten) {
			await this.#orWarn('that it stopped', async (signal) => {
				await this.#heartbeat.stop();
				if (this.#cancelledBy !== null && !this.storage.appendOnly)
					await this.storage.remove(cancelKey(this.id), { signal });
			});
		} else this.#heartbeat.halt();
	}

	async #append(entry: NewEntry, signal: AbortSignal): Promise<void> {
		await append(this.storage, entry, dayOf(new Date(entry.at)), signal);
	}

	/** @returns whether it was done */
	async #orWarn(what: string, action: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
		try {
			await within(this.#patienceMs, this.storage.location, action);
			return true;
		} catch (error) {
			if (isBackupError(error, 'access-denied')) {
				this.#writable = false;
				this.#heartbeat.halt();
			}
			this.warnings.push(`the journal could not take ${what}: ${messageOf(error)}`);
			return false;
		}
	}
}

/** Nothing in the journal is long; what is, came from somewhere it should not have come from. */
function shortened<T extends object>(record: T): T {
	const entries = Object.entries(record).map(([name, value]) => [
		name,
		typeof value === 'string' ? value.slice(0, MAX_WORD) : (value as unknown),
	]);
	return Object.fromEntries(entries) as T;
}
