import { backUp } from '../../../../core/verbs/backup/backup';
import { checkDatabase } from '../../../../core/sources/postgres/check';
import { connect, disconnect } from '../../../../core/sources/postgres/connection/connection';
import { DEFAULT_DUMP_OPTIONS, postgresSource } from '../../../../core/sources/postgres/dump/dump';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { restoreDatabase } from '../../../support/database-verbs';
import { MemoryStorage } from '../../../../core/storage/memory';
import { verifyBackup } from '../../../../core/verbs/verify/verify';
import { type OwnServer, sql, startPostgres } from '../../../support/postgres';
import { TcpProxy } from '../../../support/proxy';
import { GROUP, makeSmallBackup, NEVER, requestFor, type SmallBackup } from '../../../support/small-backup';

const PATIENCE_MS = 700;

let server: OwnServer;
let target: DatabaseTarget;
let backup: SmallBackup;
beforeAll(async () => {
	// Its own: whoever cannot reach a server any more leaves a scratch database there.
	server = await startPostgres(18);
	target = await server.createDatabase();
	await sql(target, 'CREATE TABLE item AS SELECT generate_series(1, 5) AS id');
	backup = await makeSmallBackup(target);
}, 60_000);
afterAll(async () => await server.stop());

/** What came of it: 'ok', or the code and the words of an error. */
type Outcome = { code: string; message: string };
type Attempt = (through: DatabaseTarget, stallTimeoutMs: number) => Promise<Outcome>;

async function outcomeOf(work: Promise<unknown>): Promise<Outcome> {
	return await work.then(
		() => ({ code: 'ok', message: '' }),
		(error: { code?: string; message: string }) => ({ code: error.code ?? '', message: error.message }),
	);
}

/** Through a proxy that falls silent after so many messages of the server, of all connections together. */
async function muted(attempt: Attempt, muteAfter: number): Promise<Outcome & { passed: string }> {
	const proxy = await TcpProxy.start(target.port, { muteAfter });
	try {
		const outcome = await attempt({ ...target, port: proxy.port }, muteAfter === Infinity ? 60_000 : PATIENCE_MS);
		return { ...outcome, passed: proxy.passed.join('') };
	} finally {
		await proxy.close();
	}
}

/**
 * Does it undisturbed, then muted at one message of each sort and place: those of a first login, the end of every answer of
 * the first hundred messages, and a few of what follows. So many at once, because most of it is waiting.
 * @returns the outcomes that are not 'stalled'
 */
async function atEach(attempt: Attempt, { atOnce = 8 } = {}): Promise<Outcome[]> {
	const { code, message, passed } = await muted(attempt, Infinity);
	if (code !== 'ok') return [{ code, message }];
	const left = [...passed.slice(0, 100)].flatMap((letter, at) =>
		(at % 5 === 0 && at < 25) || letter === 'Z' ? [at] : [],
	);
	for (let part = 1; part <= 4; part++) left.push(Math.floor((passed.length * part) / 5));
	const others: Outcome[] = [];
	const work = async () => {
		for (let at = left.shift(); at !== undefined; at = left.shift()) {
			const outcome = await muted(attempt, at);
			if (outcome.code !== 'stalled') others.push({ code: outcome.code, message: `at ${at}: ${outcome.message}` });
		}
	};
	await Promise.all(Array.from({ length: atOnce }, work));
	return others;
}

describe('a server that falls silent', () => {
	it('ends a dump after the stall time-out, at whatever message, and the lock is gone', async () => {
		const storages: MemoryStorage[] = [];
		const attempt: Attempt = async (through, stallTimeoutMs) => {
			const storage = new MemoryStorage();
			if (stallTimeoutMs === PATIENCE_MS) storages.push(storage);
			const source = postgresSource(through, { ...DEFAULT_DUMP_OPTIONS, globals: 'roles' });
			const limits = { stallTimeoutMs };
			return await outcomeOf(backUp({ storage, group: GROUP, source, encryption: null, limits, signal: NEVER }));
		};
		expect(await atEach(attempt)).toEqual([]);
		expect(storages.length).toBeGreaterThan(15);
		for (const storage of storages) {
			for await (const { key } of storage.list('')) expect(key).toMatch(/^(repository\.json|runs\/)/);
		}
	}, 120_000);

	it('ends a check', async () => {
		const attempt: Attempt = async (through, patienceMs) => {
			const { findings } = await checkDatabase({ ...through, patienceMs }, DEFAULT_DUMP_OPTIONS, NEVER);
			return (findings.find(({ ok }) => !ok) as Outcome | undefined) ?? { code: 'ok', message: '' };
		};
		expect(await atEach(attempt)).toEqual([]);
	}, 120_000);

	it('ends a drill, as a failure of its environment', async () => {
		const attempt: Attempt = async (through, stallTimeoutMs) => {
			const scratch = { kind: 'server', target: through } as const;
			const { outcome, code, message } = await verifyBackup(
				requestFor(backup, 'restored', { scratch, limits: { stallTimeoutMs } }),
			);
			return outcome === 'bad' ? { code: 'bad', message } : { code: code ?? 'ok', message };
		};
		expect(await atEach(attempt)).toEqual([]);
	}, 120_000);

	it('ends a restore', async () => {
		let n = 0;
		const { repository, label } = backup;
		const attempt: Attempt = async (server, stallTimeoutMs) =>
			await outcomeOf(
				restoreDatabase({
					repository,
					group: GROUP,
					label,
					keys: backup.keys,
					server: { ...server, database: 'postgres' },
					into: { mode: 'new', database: `${target.database}_${n++}` },
					rules: { owners: 'drop', privileges: 'drop' },
					limits: { stallTimeoutMs },
					signal: NEVER,
				}),
			);
		expect(await atEach(attempt)).toEqual([]);
	}, 120_000);
});

describe('a server that is silent because it works', () => {
	it('is waited for, however long it counts', async () => {
		await sql(
			target,
			`CREATE TABLE slow AS SELECT 1 AS id;
			CREATE FUNCTION slowly() RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(2.5); RETURN true; END';`,
		);
		const client = await connect({ ...target, patienceMs: PATIENCE_MS }, { signal: NEVER });
		const { rows } = await client.query('SELECT slowly() AS done FROM slow');
		expect(rows).toEqual([{ done: true }]);
		await disconnect(client);
	});
});
