/** Everything that can break in the middle of a whole run: a clear error, no backup, and a next run that succeeds. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type BackupRequest, backUp } from '../../core/verbs/backup/backup';
import { isBackupError } from '../../core/base/errors';
import { generateIdentity } from '../../core/codecs/age/keys';
import { DEFAULT_DUMP_OPTIONS, postgresSource } from '../../core/sources/postgres/dump/dump';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { Repository } from '../../core/records/repository';
import { createStorage } from '../../core/storage/create';
import type { Storage } from '../../core/storage/storage';
import { backends, eventually, noBackend } from '../support/activity';
import { until } from '../support/until';
import { databaseUrl, start } from '../support/command-line';
import { keysBesideJournal } from '../support/journal';
import { sharedPostgres, sql, startPostgres } from '../support/postgres';
import { commandLines } from '../support/processes';
import { TcpProxy } from '../support/proxy';
import { sharedS3, startS3 } from '../support/s3';

const GROUP = 'postgres/big';
const s3 = sharedS3();
/** About 38 MB as a dump that hardly shrinks: more than all buffers on the way can hold. */
const BIG = `CREATE TABLE big AS SELECT i AS id, string_agg(md5((i * 100 + j)::text), '') AS v
	FROM generate_series(1, 12000) i, generate_series(1, 100) j GROUP BY i`;

let target: DatabaseTarget;
let recipient: string;
let folder: string;
beforeAll(async () => {
	target = await (await sharedPostgres(17)).createDatabase();
	await sql(target, BIG);
	recipient = (await generateIdentity()).recipient;
}, 120_000);
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'faults-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
	storage: Storage;
	target: DatabaseTarget;
	/** Called once, when bytes have begun to flow. */
	during?: () => unknown;
	more?: Partial<BackupRequest>;
}

async function run({ storage, target, during, more }: Run) {
	const source = postgresSource(target, { ...DEFAULT_DUMP_OPTIONS, lockTimeoutMs: 2000 });
	const slowly = during ? { limits: { bytesPerSecond: 8_000_000, ...more?.limits } } : {};
	let started = false;
	return await backUp({
		storage,
		group: GROUP,
		encryption: { recipients: [recipient] },
		signal: new AbortController().signal,
		...more,
		...slowly,
		source: {
			kind: 'postgres',
			open: async (options) => {
				const open = (await source.open(options))!;
				return {
					...open,
					async *parts() {
						for await (const part of open.parts()) {
							part.body.on('pause', () => {
								if (!started) void during?.();
								started = true;
							});
							yield part;
						}
					},
				};
			},
		},
	});
}

/** What failed says what it must, nothing is left but the repository's own file, and the next run succeeds. */
async function expectFailure(job: Run, error: object, after: Partial<Run> = {}): Promise<void> {
	const failure: unknown = await run(job).catch((reason: unknown) => reason);
	expect(failure).toMatchObject({ hint: expect.stringMatching(/\.$/), ...error });
	expect(isBackupError(failure)).toBe(true);
	expect(JSON.stringify([(failure as Error).message, failure])).not.toContain(target.password);
	const left = await keysBesideJournal(after.storage ?? job.storage);
	expect(left.filter((key) => key !== 'repository.json')).toEqual([]);
	const next = await run({ storage: job.storage, target: job.target, ...after });
	expect(next.manifest.warnings).toEqual([]);
}

describe('a run ends with a clear error and leaves nothing when', () => {
	const inFolder = () => createStorage({ type: 'folder', path: folder });

	it('the backend of pg_dump is killed', async () => {
		const during = async () =>
			await sql(target, `SELECT pg_terminate_backend(pid) FROM (${backends(target.database)}) b`);
		await expectFailure(
			{ storage: inFolder(), target, during },
			{
				code: expect.stringMatching(/connection-lost|dump-failed/),
				// The server's own words are lost when it ends in the middle of a message.
				message: expect.stringMatching(/terminat|connection|Dumping the contents of table/),
			},
		);
	});

	it('the server is stopped', async () => {
		const server = await startPostgres(17);
		const own = await server.createDatabase();
		await sql(own, BIG);
		await expectFailure(
			{ storage: inFolder(), target: own, during: () => server.stop() },
			{ code: expect.stringMatching(/connection-lost|dump-failed/) },
			{ target },
		);
	}, 120_000);

	it('the connection is cut', async () => {
		const proxy = await TcpProxy.start(target.port);
		const through = { ...target, port: proxy.port };
		await expectFailure(
			{ storage: inFolder(), target: through, during: () => proxy.cut() },
			{ code: 'connection-lost' },
		);
		await proxy.close();
	});

	it('the connection stalls', async () => {
		const proxy = await TcpProxy.start(target.port);
		const job: Run = {
			storage: inFolder(),
			target: { ...target, port: proxy.port },
			during: () => proxy.pause(),
			more: { limits: { stallTimeoutMs: 1500 } },
		};
		await expectFailure(job, { code: 'stalled', message: expect.stringContaining('source') }, { target, more: {} });
		await proxy.close();
	});

	it('it is cancelled', async () => {
		const stop = new AbortController();
		const job: Run = { storage: inFolder(), target, during: () => stop.abort(), more: { signal: stop.signal } };
		const failure: unknown = await run(job).catch((reason: unknown) => reason);
		expect(failure).toMatchObject({ code: 'cancelled' });
		expect(await keysBesideJournal(job.storage)).toEqual(['repository.json']);
		await eventually(target, noBackend(target.database));
	});

	it.each<[string, (t: DatabaseTarget) => DatabaseTarget, object]>([
		['the password is wrong', (t) => ({ ...t, password: 'wrong-password' }), { code: 'wrong-credentials' }],
		['the database is missing', (t) => ({ ...t, database: 'gone' }), { code: 'database-not-found' }],
		['nobody listens', (t) => ({ ...t, port: 1 }), { code: 'unreachable' }],
	])('%s', async (_, change, error) => {
		await expectFailure({ storage: inFolder(), target: change(target) }, error, { target });
	});

	it('one table may not be read', async () => {
		const user = `partial_${Date.now()}`;
		await sql(target, `CREATE ROLE ${user} LOGIN PASSWORD 'partial-password'`);
		await sql(target, 'CREATE TABLE public.hidden (id int)');
		await sql(target, `GRANT SELECT ON public.big TO ${user}`);
		const partial = { ...target, user, password: 'partial-password' };
		try {
			await expectFailure(
				{ storage: inFolder(), target: partial },
				{ code: 'access-denied', message: expect.stringContaining('hidden') },
				{ target },
			);
		} finally {
			await sql(target, 'DROP TABLE public.hidden');
		}
	});

	it('the server is newer than every engine', async () => {
		// A server of the future: the same answers, but for its version.
		const rewrite = (chunk: Buffer) => {
			for (const [now, then] of [['170010', '990010']] as const) {
				for (let at = chunk.indexOf(now); at >= 0; at = chunk.indexOf(now, at + 1)) chunk.write(then, at, 'latin1');
			}
			return chunk;
		};
		const proxy = await TcpProxy.start(target.port, { rewrite });
		await expectFailure(
			{ storage: inFolder(), target: { ...target, port: proxy.port } },
			{ code: 'server-too-new', message: expect.stringMatching(/PostgreSQL 99\.10.*builtin pg_dump 18/) },
			{ target },
		);
		await proxy.close();
	});

	it('the storage is full', async () => {
		const user = await s3().makeUser();
		const bucket = await s3().makeBucket(undefined, user);
		await s3().setQuota(user, 12_000_000);
		const storage = createStorage({ type: 's3', ...s3().options(bucket), ...user });
		// The server counts a moment later what lies there: a fast machine would have stored the whole dump by then.
		await storage.write('filled/most', Readable.from([Buffer.alloc(8_000_000)]));
		await until('the server counts', async () => {
			const more = storage.write('filled/more', Readable.from([Buffer.alloc(6_000_000)]));
			const isRefused = await more.then(
				() => false,
				() => true,
			);
			await storage.remove('filled/more');
			return isRefused;
		});
		const failure: unknown = await run({ storage, target }).catch((reason: unknown) => reason);
		expect(failure).toMatchObject({ code: 'storage-full', hint: expect.any(String) });
		expect((await keysBesideJournal(storage)).filter((key) => key.startsWith(GROUP))).toEqual([]);
		expect(await storage.removeUnfinished('')).toBe(0);
		await storage.close();
	});

	it('the S3 server is killed', async () => {
		const server = await startS3({ store: 'bluestore' });
		try {
			const bucket = await server.makeBucket();
			const options = { ...server.options(bucket), stallTimeoutMs: 3000, connectTimeoutMs: 1000 };
			const storage = createStorage({ type: 's3', ...options }, { attempts: 2, firstDelayMs: 50, maxDelayMs: 50 });
			const failure: unknown = await run({ storage, target, during: () => server.kill() }).catch(
				(reason: unknown) => reason,
			);
			expect(failure).toMatchObject({ hint: expect.stringContaining('a run after a day removes it') });
			await server.restart();
			const again = createStorage({ type: 's3', ...server.options(bucket) });
			expect(await (await Repository.open(again)).list()).toEqual([]);
			await run({ storage: again, target });
			expect((await (await Repository.open(again)).list()).length).toBe(1);
			expect(await server.unfinished(bucket)).toEqual([]);
			await again.close();
			await storage.close();
		} finally {
			await server.stop();
		}
	}, 180_000);
});

describe('a run killed with -9', () => {
	/** A process that would take many seconds if nobody stopped it. */
	function startSlowDump() {
		const where = ['--storage', `file://${folder}`, '--database', databaseUrl(target), '--group', GROUP];
		const how = ['--recipient', recipient, '--rate-limit', '4'];
		return start(['dump', ...where, ...how], { PGPASSWORD: target.password });
	}

	it('leaves no backup, and the next run removes what it left and says so', async () => {
		const { child, finished } = startSlowDump();
		while (!readdirSync(folder, { recursive: true }).some((file) => String(file).includes('dump.sql'))) await delay(10);
		child.kill('SIGKILL');
		await finished;
		const storage = createStorage({ type: 'folder', path: folder });
		expect(await (await Repository.open(storage)).list()).toEqual([]);
		await eventually(target, noBackend(target.database));
		const { manifest } = await run({ storage, target });
		expect(manifest.warnings).toEqual([
			expect.stringMatching(/^broke the lock of \S+ \(process \d+, backup\) since .*: that run no longer exists$/),
			expect.stringMatching(/^removed 1 leftover/),
		]);
		const names = ['contents.json.zst.age', 'dump.sql.zst.age', 'manifest.json'];
		expect(await keysBesideJournal(storage)).toEqual([
			...names.map((name) => `${GROUP}/${manifest.label}/${name}`),
			'repository.json',
			// How far the killed run had come.
			expect.stringMatching(/^runs\/[^/]+\/\w+\.beat-\d+\.json$/),
		]);
	});

	it('or stopped with Ctrl-C ends quickly and leaves nothing', async () => {
		const { child, finished } = startSlowDump();
		await eventually(target, backends(target.database));
		child.kill('SIGINT');
		expect(await finished).toMatchObject({ code: 130, stderr: expect.stringContaining('cancelled') });
		expect(await keysBesideJournal(createStorage({ type: 'folder', path: folder }))).toEqual(['repository.json']);
	});

	it('shows no password in the list of processes', async () => {
		const { child, finished } = startSlowDump();
		await eventually(target, backends(target.database));
		const seen = commandLines().join('\n');
		child.kill('SIGINT');
		await finished;
		expect(seen).toContain(databaseUrl(target));
		expect(seen).not.toContain(target.password);
	});
});
