/**
 * Several sessions for what comes after the rows: indexes and constraints of different tables at the same time.
 * Statements on the same table keep their order, and wait for each other unless all of them only read it.
 */
import type { Locks } from './post-data-locks';
import type { ReplaySession } from './session';
import type { SessionPool } from './session-pool';

/** Statements that are known but do not run yet; enough to find some on other tables. */
const MAX_WAITING = 256;

interface Task {
	readonly locks: Locks;
	readonly perform: (session: ReplaySession) => Promise<void>;
}

export class PostData {
	/** The first error of a statement, after which no other is begun. */
	failure: Error | undefined;
	readonly #pool: SessionPool;
	readonly #size: number;
	readonly #onFailure: () => void;
	readonly #idle: ReplaySession[];
	readonly #helpers: ReplaySession[] = [];
	/** Settings of the dump in their order, by their text. */
	readonly #settings = new Map<string, readonly Buffer[]>();
	#opened = 1;
	#waiting: Task[] = [];
	readonly #running = new Set<Task>();
	#onProgress: Array<() => void> = [];

	/**
	 * @param size sessions, `main` included; others are opened when there is work for them
	 * @param onFailure called at the first error, when what runs beside has been stopped
	 */
	constructor(pool: SessionPool, main: ReplaySession, size: number, onFailure: () => void) {
		this.#pool = pool;
		this.#idle = [main];
		this.#size = size;
		this.#onFailure = onFailure;
	}

	/** Lets a statement run as soon as its tables are free. Resolves earlier. @throws the first error of any statement */
	async add(task: Task): Promise<void> {
		this.#waiting.push(task);
		this.#begin();
		await this.#until(() => this.#waiting.length < MAX_WAITING);
	}

	/** Waits until nothing runs. @throws the first error of any statement */
	async idle(): Promise<void> {
		await this.#until(() => this.#waiting.length + this.#running.size === 0);
	}

	/** Makes a setting hold in all sessions but the main one, which has it. To be called when nothing runs. */
	async set(pieces: readonly Buffer[]): Promise<void> {
		const text = Buffer.concat(pieces).toString('latin1');
		this.#settings.delete(text); // the last one counts
		this.#settings.set(text, pieces);
		for (const session of this.#helpers) await session.execute(pieces);
	}

	async #until(isTrue: () => boolean): Promise<void> {
		while (!this.failure && !isTrue()) await new Promise<void>((resolve) => this.#onProgress.push(resolve));
		if (this.failure) throw this.failure;
	}

	#begin(): void {
		const before: Task[] = [...this.#running];
		this.#waiting = this.#waiting.filter((task) => {
			const isFree = this.#idle.length > 0 || this.#opened < this.#size;
			if (isFree && !before.some((other) => conflict(task.locks, other.locks))) this.#start(task);
			else before.push(task); // what waits is not overtaken on its tables
			return !this.#running.has(task);
		});
	}

	#start(task: Task): void {
		this.#running.add(task);
		const session = this.#idle.pop();
		if (!session) this.#opened++;
		this.#run(task, session)
			.catch((error: unknown) => this.#fail(error as Error))
			.finally(() => {
				this.#running.delete(task);
				if (!this.failure) this.#begin();
				for (const resolve of this.#onProgress.splice(0)) resolve();
			});
	}

	async #run(task: Task, idle: ReplaySession | undefined): Promise<void> {
		const session = idle ?? (await this.#open());
		await task.perform(session);
		this.#idle.push(session);
	}

	async #open(): Promise<ReplaySession> {
		const session = await this.#pool.add();
		for (const pieces of this.#settings.values()) await session.execute(pieces);
		this.#helpers.push(session);
		return session;
	}

	async #fail(error: Error): Promise<void> {
		if (this.failure) return;
		this.failure = error;
		this.#waiting = [];
		if (this.#running.size > 1) await this.#pool.close('at once');
		this.#onFailure();
	}
}

function conflict(one: Locks, other: Locks): boolean {
	return (one.exclusive || other.exclusive) && one.tables.some((table) => other.tables.includes(table));
}
