/**
 * A server that works while it is backed up: clients move money and write it into a ledger, tables and databases come and go.
 * At its marks everybody stands still for a moment, so that all that was committed by then is known to the last transaction.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import type { RecoveryTarget } from '../../core/sources/postgres/physical/restore/recovery';
import { connectTo, sql } from './postgres';

/** Whoever changes something holds this advisory lock together with others; a mark takes it alone. */
const LOCK = 7;
/** Rounds of a mark during which nothing is committed, before and behind its time: times have milliseconds. */
const QUIET = 'SELECT pg_sleep(0.02)';
const CLIENTS = 3;
const ACCOUNTS = 100;

const SETUP = `
	CREATE EXTENSION amcheck;
	CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL DEFAULT 0) WITH (fillfactor = 50);
	INSERT INTO accounts SELECT n FROM generate_series(1, ${ACCOUNTS}) n;
	CREATE TABLE ledger (id bigserial PRIMARY KEY, giver int, taker int, amount int, at timestamptz DEFAULT clock_timestamp());
	CREATE TABLE stock AS SELECT n, repeat(md5(n::text), 8) AS t FROM generate_series(1, 20000) n;
	CREATE UNLOGGED TABLE unlogged AS SELECT n FROM generate_series(1, 1000) n;
	SELECT lo_from_bytea(0, decode(repeat(md5('first'), 500), 'hex'))`;

/** All that a restored cluster must have as it was, in one line. */
const STATE = `SELECT json_build_object(
	'ledger', (SELECT count(*) || ' rows ' || coalesce(md5(string_agg(id || ':' || amount, ',' ORDER BY id)), '') FROM ledger),
	'balances', (SELECT sum(balance) || ' in all ' || md5(string_agg(id || ':' || balance, ',' ORDER BY id)) FROM accounts),
	'tables', (SELECT string_agg(relname || ':' || (xpath('/row/n/text()',
		query_to_xml(format('SELECT count(*) AS n FROM %I', relname), false, true, '')))[1]::text, ',' ORDER BY relname)
		FROM pg_class WHERE relkind = 'r' AND relpersistence = 'p' AND relnamespace = 'public'::regnamespace),
	'objects', (SELECT count(*) || ':' || coalesce(md5(string_agg(md5(lo_get(oid)), ',' ORDER BY oid)), '') FROM pg_largeobject_metadata),
	'databases', (SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database)) AS state`;

export type ClusterState = Record<'ledger' | 'balances' | 'tables' | 'objects' | 'databases', string>;

/** A moment, by each of its names, and what was there. */
export interface Mark {
	time: Date;
	lsn: string;
	name: string;
	state: ClusterState;
}

export class ClusterLoad {
	readonly marks: Mark[] = [];
	readonly #target: DatabaseTarget;
	readonly #tablespaces: readonly string[];
	readonly #stop = new AbortController();
	#work: Promise<unknown> = Promise.resolve();

	private constructor(target: DatabaseTarget, tablespaces: readonly string[]) {
		this.#target = target;
		this.#tablespaces = tablespaces;
	}

	/**
	 * Begins. {@link stop} it in the end.
	 * @param target a new database, as a superuser
	 * @param tablespaces names of those in which tables are made
	 */
	static async start(target: DatabaseTarget, tablespaces: readonly string[] = []): Promise<ClusterLoad> {
		await sql(target, SETUP);
		const load = new ClusterLoad(target, ['pg_default', ...tablespaces]);
		const clients = Array.from({ length: CLIENTS }, async () => await load.#transfer());
		load.#work = Promise.all([...clients, load.#churn()]);
		// Told by stop(), and before that to nobody.
		load.#work.catch(() => undefined);
		return load;
	}

	/** Makes a mark: a restore point, a place in the log and a time, at which the same was committed. */
	async mark(): Promise<Mark> {
		return await connected(this.#target, async (run) => {
			await run(`SELECT pg_advisory_lock(${LOCK})`);
			const state = await stateOf(this.#target);
			const name = `mark ${this.marks.length + 1}`;
			await run(`SELECT pg_create_restore_point('${name}')`);
			await run(QUIET);
			const [now] = await run('SELECT pg_current_wal_insert_lsn()::text AS lsn, clock_timestamp() AS time');
			await run(QUIET);
			await run(`SELECT pg_advisory_unlock(${LOCK})`);
			const mark = { ...(now as unknown as Pick<Mark, 'lsn' | 'time'>), name, state };
			this.marks.push(mark);
			return mark;
		});
	}

	/** Ends it. @throws what broke it meanwhile */
	async stop(): Promise<void> {
		this.#stop.abort();
		await this.#work;
	}

	get #goesOn(): boolean {
		return !this.#stop.signal.aborted;
	}

	async #transfer(): Promise<void> {
		await connected(this.#target, async (run) => {
			while (this.#goesOn) {
				const [a, b] = [random(ACCOUNTS), random(ACCOUNTS)].toSorted((x, y) => x - y) as [number, number];
				const amount = random(1000) - 500;
				await run(`SELECT pg_advisory_xact_lock_shared(${LOCK});
					UPDATE accounts SET balance = balance - ${amount} WHERE id = ${a};
					UPDATE accounts SET balance = balance + ${amount} WHERE id = ${b};
					INSERT INTO ledger (giver, taker, amount) VALUES (${a}, ${b}, ${amount})`);
				await delay(2);
			}
		});
	}

	/** Tables grow, shrink, are made anew and dropped, and so are databases and large objects. */
	async #churn(): Promise<void> {
		await connected(this.#target, async (run) => {
			for (let n = 1; this.#goesOn; n++) {
				const space = this.#tablespaces[n % this.#tablespaces.length]!;
				const old = n - 2;
				for (const statement of [
					`CREATE TABLE churn_${n} TABLESPACE ${space} AS SELECT n, md5(n::text) AS t FROM generate_series(1, 2000) n`,
					`CREATE INDEX churn_index_${n} ON churn_${n} (t) TABLESPACE ${space}`,
					`CREATE DATABASE made_${n} TEMPLATE template0`,
					`INSERT INTO churn_${n} SELECT n, md5(n::text) FROM generate_series(1, 10000) n`,
					`SELECT lo_from_bytea(0, decode(repeat(md5('${n}'), 500), 'hex'))`,
					`DELETE FROM churn_${n} WHERE n > 100`,
					`VACUUM churn_${n}`,
					`UPDATE stock SET t = repeat(md5('${n}'), 8) WHERE n % 97 = ${n % 97}`,
					`INSERT INTO unlogged SELECT n FROM generate_series(1, 1000) n`,
					`VACUUM FULL churn_${n}`,
					`SELECT lo_unlink(min(oid)) FROM pg_largeobject_metadata`,
					'CHECKPOINT',
					...(old > 0 ? [`TRUNCATE churn_${n - 1}`, `DROP TABLE churn_${old}`, `DROP DATABASE made_${old}`] : []),
				]) {
					if (!this.#goesOn) return;
					await run(`SELECT pg_advisory_lock_shared(${LOCK})`);
					await run(statement);
					await run(`SELECT pg_advisory_unlock_shared(${LOCK})`);
				}
			}
		});
	}
}

/** What is there now. */
export async function stateOf(target: DatabaseTarget): Promise<ClusterState> {
	const [row] = await sql<{ state: ClusterState }>(target, STATE);
	return row!.state;
}

/** Looks at every page and every entry of all indexes. @returns what is wrong, and how many rows the unlogged table has */
export async function soundnessOf(
	target: DatabaseTarget,
	major: number,
): Promise<{ wrong: string[]; unlogged: number }> {
	await sql(
		target,
		`SELECT bt_index_check(c.oid, c.oid >= 16384) FROM pg_class c JOIN pg_am a ON a.oid = c.relam
		WHERE a.amname = 'btree' AND c.relkind = 'i' AND c.relpersistence = 'p'`,
	);
	const heaps = `SELECT c.relname || ' block ' || h.blkno || ': ' || h.msg AS wrong FROM pg_class c, verify_heapam(c.oid) h
		WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence = 'p'`;
	const wrong = major >= 14 ? (await sql<{ wrong: string }>(target, heaps)).map((row) => row.wrong) : [];
	const [row] = await sql<{ unlogged: number }>(target, 'SELECT count(*)::int AS unlogged FROM unlogged');
	return { wrong, unlogged: row!.unlogged };
}

/** A mark as the target of a restore. */
export function targetAt({ time, lsn, name }: Mark, kind: 'time' | 'lsn' | 'name'): RecoveryTarget {
	return { time: { kind: 'time', time }, lsn: { kind: 'lsn', lsn }, name: { kind: 'name', name } }[
		kind
	] as RecoveryTarget;
}

function random(below: number): number {
	return 1 + Math.floor(Math.random() * below);
}

type Run = (text: string) => Promise<object[]>;

/** One connection for many statements. */
async function connected<T>(target: DatabaseTarget, work: (run: Run) => Promise<T>): Promise<T> {
	const client = await connectTo(target);
	try {
		return await work(async (text) => {
			const result: unknown = await client.query(text);
			return ((Array.isArray(result) ? result.at(-1) : result) as { rows: object[] }).rows;
		});
	} finally {
		await client.end();
	}
}
