import fs from 'node:fs';
import v8 from 'node:v8';
import vm from 'node:vm';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { spawnSync } from 'node:child_process';
import { compareContents } from '../../../../core/sources/postgres/dump/compare';
import { connect, disconnect } from '../../../../core/sources/postgres/connection/connection';
import type { DatabaseFacts } from '../../../../core/sources/postgres/dump/contents';
import { type EmbeddedDatabase, openEmbeddedDatabase } from '../../../../core/sources/postgres/drill/embedded/database';
import { EMBEDDED_EXTENSIONS } from '../../../../core/sources/postgres/drill/embedded/extensions';
import { ALLOWANCES } from '../../../../core/sources/postgres/replay/allowances';
import { builtinEngine } from '../../../../core/sources/postgres/dump/engines/builtin/host';
import { gatherFacts, listTables } from '../../../../core/sources/postgres/dump/facts';
import { replayInto } from '../../../../core/sources/postgres/replay/replay';
import { type ReplayIntoOptions } from '../../../../core/sources/postgres/replay/types';
import { DRILL_RULES, KEEP_ALL } from '../../../../core/sources/postgres/replay/rewrite';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { sharedPostgres, sql } from '../../../support/postgres';
import { childrenOf, commandLine } from '../../../support/processes';

const TRAILER = '\n--\n-- PostgreSQL database dump complete\n--\n\n';
const MB = 1024 * 1024;

/** Of this process. */
function folders(): string[] {
	return fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith(`n8n-backup-scratch-${process.pid}-`));
}

/** Processes that this one has started and that run an embedded database. */
function processes(): number {
	return childrenOf(process.pid).filter((pid) => commandLine(pid).includes('/embedded/child.')).length;
}

async function open(extensions: readonly string[] = [], signal = new AbortController().signal) {
	return await openEmbeddedDatabase({ signal, extensions });
}

/** Most of these tests write their dumps themselves: what no dump says is refused elsewhere. */
const ANYTHING = { ...KEEP_ALL, allow: ALLOWANCES };

async function replayed(body: string | Readable, database: EmbeddedDatabase, options: Partial<ReplayIntoOptions> = {}) {
	const stream = typeof body === 'string' ? Readable.from([Buffer.from(body + TRAILER)]) : body;
	return await replayInto(stream, database.session, 'the drill', {
		signal: new AbortController().signal,
		rules: ANYTHING,
		...options,
	});
}

/** What a drill does: a dump, restored and compared with what was counted and hashed at its source. */
async function drilled(source: DatabaseTarget): Promise<{ facts: DatabaseFacts; database: EmbeddedDatabase }> {
	const { signal } = new AbortController();
	const client = await connect(source, { signal });
	await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
	const facts = await gatherFacts(client, {}, await listTables(client, {}), {
		serverVersionNumber: 180000,
		contentHash: true,
	});
	await disconnect(client);
	const request = { target: source, format: 'plain', filter: {}, lockTimeoutMs: 10_000 } as const;
	const database = await open(facts.extensions.map(({ name }) => name));
	try {
		await replayed((await builtinEngine().start(request, { signal })).body, database, { rules: DRILL_RULES });
		return { facts, database };
	} catch (error) {
		await database.close();
		throw error;
	}
}

describe('a drill in the embedded database', () => {
	it.each([
		['many kinds of objects', 'many-kinds', undefined],
		['awkward texts and circles', 'awkward', undefined],
		['large objects', 'large-objects', undefined],
		['names and rows in LATIN1', 'latin1', 'LATIN1'],
	])(
		'brings %s back with the content they had',
		async (_, load, encoding) => {
			const server = await sharedPostgres(18);
			const source = await server.createDatabase(undefined, { load, encoding });
			await sql(source, 'DROP EXTENSION IF EXISTS postgres_fdw CASCADE'); // WebAssembly has no network
			const { facts, database } = await drilled(source);
			try {
				const comparison = await compareContents(database.query, facts);
				expect(comparison).toMatchObject({ ok: true, differences: [], figures: { tables: facts.tables.length } });
				expect(comparison.figures.hashed).toBe(facts.tables.filter(({ hash }) => hash !== undefined).length);
				expect(comparison.figures.hashed).toBeGreaterThan(0);
				expect(comparison.figures.largeObjects).toBe(facts.largeObjects);
			} finally {
				await database.close();
			}
		},
		180_000,
	);

	it('notices a row that is missing', async () => {
		const server = await sharedPostgres(18);
		const source = await server.createDatabase(undefined, { load: 'latin1', encoding: 'LATIN1' });
		const { facts, database } = await drilled(source);
		try {
			const { schema, name } = facts.tables.find(({ rows }) => rows !== null && rows > 0)!;
			await database.query(
				`DELETE FROM "${schema}"."${name}" WHERE ctid = (SELECT min(ctid) FROM "${schema}"."${name}")`,
			);
			expect(await compareContents(database.query, facts)).toMatchObject({ ok: false });
		} finally {
			await database.close();
		}
	}, 180_000);
});

describe('an embedded database', () => {
	let database: EmbeddedDatabase;
	beforeAll(async () => {
		database = await open(EMBEDDED_EXTENSIONS);
	}, 180_000);
	afterAll(async () => {
		await database.close();
		expect({ folders: folders(), processes: processes() }).toEqual({ folders: [], processes: 0 });
	});

	async function columnOf(query: string, values?: unknown[]): Promise<unknown[]> {
		return (await database.query(query, values)).flatMap((row) => Object.values(row) as unknown[]);
	}

	it.each(EMBEDDED_EXTENSIONS.map((name) => [name]))('has the extension %s as a dump creates it', async (name) => {
		await replayed(`CREATE EXTENSION IF NOT EXISTS "${name}" WITH SCHEMA public CASCADE;`, database);
		expect(await columnOf('SELECT extname FROM pg_extension WHERE extname = $1', [name])).toEqual([name]);
	});

	it('gives and takes values as pg does', async () => {
		const query = `SELECT 2::int8 AS a, true AS b, $1::oid[] AS c, NULL AS d, $2::text[] AS e, $3::jsonb AS f, $4::float8 AS g`;
		expect(await database.query(query, [['1', 2], ['a"b\\', null, ''], '{"a": 1}', 1.5])).toEqual([
			{ a: '2', b: true, c: [1, 2], d: null, e: ['a"b\\', null, ''], f: { a: 1 }, g: 1.5 },
		]);
		await expect(database.query('SELECT 1; SELECT 2')).rejects.toMatchObject({ code: '42601' });
		await expect(database.query('SELECT 1 / 0')).rejects.toMatchObject({ code: '22012', message: 'division by zero' });
		expect(await columnOf('SELECT 1 AS one')).toEqual([1]);
	});

	it('stops at a refused statement with its SQLSTATE and goes on with the next restore', async () => {
		await expect(replayed('CREATE TABLE twice (i int);\nCREATE TABLE twice (i int);', database)).rejects.toMatchObject({
			code: 'restore-failed',
			message: expect.stringContaining('the drill: relation "twice" already exists'),
			details: { sqlState: '42P07', line: 2, environment: true },
		});
		await replayed('DROP TABLE twice;', database);
	});

	it('names the line of a refused row, in whichever part of the COPY it is', async () => {
		const rows = '1\tsome more text to fill the line\n'.repeat(400_000);
		await expect(
			replayed(`CREATE TABLE lines (i int, t text);\nCOPY lines FROM stdin;\n${rows}x\t\n${rows}\\.\n`, database),
		).rejects.toMatchObject({
			message: expect.stringContaining('COPY lines, line 400001, column i: "x"'),
			details: { sqlState: '22P02' },
		});
		await database.query('DROP TABLE lines');
	});

	it('forgets the settings of a dump before it answers questions', async () => {
		await replayed(
			`CREATE TABLE found (i int);\nSELECT pg_catalog.set_config('search_path', '', false);\nSET DateStyle = 'German';`,
			database,
		);
		expect(await columnOf('SELECT count(*) FROM found')).toEqual(['0']);
		expect(await columnOf('SHOW DateStyle')).toEqual(['ISO, MDY']);
		await database.query('DROP TABLE found');
	});

	it('knows which settings there are, whether a transaction is open, and hands on warnings', async () => {
		const { session } = database;
		expect(await session.knows('transaction_timeout')).toBe(true);
		expect(await session.knows('no_such_timeout')).toBe(false);
		expect(session.inTransaction).toBe(false);
		await session.execute([Buffer.from('BEG'), Buffer.from('IN;')]);
		expect(session.inTransaction).toBe(true);
		await expect(session.execute([Buffer.from('nonsense')])).rejects.toMatchObject({ code: '42601' });
		expect(session.inTransaction).toBe(true);
		await session.execute([Buffer.from('ROLLBACK')]);
		expect(session.inTransaction).toBe(false);
		const { warnings } = await replayed(`DO $$ BEGIN RAISE WARNING 'careful'; END $$;`, database);
		expect(warnings).toEqual(['careful']);
	});

	it('takes LATIN9 as PostgreSQL reads it, and says which encodings it does not take', async () => {
		const dump = `SET client_encoding = 'LATIN9';\nCREATE TABLE "pr\xe4is" (t text);\nCOPY "pr\xe4is" FROM stdin;\n\xa4\n\\.\n${TRAILER}`;
		await replayed(Readable.from([Buffer.from(dump, 'latin1')]), database);
		expect(await columnOf('SELECT t FROM präis')).toEqual(['€']);
		const statement = Buffer.from("SET client_encoding = 'EUC_JP';");
		await expect(database.session.execute([statement])).rejects.toMatchObject({
			code: 'unsupported',
			message: 'the embedded database takes no dumps in the encoding EUC_JP',
		});
	});

	it('takes 100 MB of rows in little memory of this thread, which stays free for others', async () => {
		await database.query('CREATE TABLE big (i int, t text)');
		const line = Buffer.from(`12345\t${'lorem ipsum dolor sit amet '.repeat(4)}\n`);
		const chunk = Buffer.concat(Array.from({ length: 1000 }, () => line));
		const chunks = Math.ceil((100 * MB) / chunk.length);
		let given = 0;
		let next = 0;
		let looks = 0;
		function* body() {
			yield Buffer.from('COPY big FROM stdin;\n');
			for (let i = 0; i < chunks; i++) {
				given++;
				yield Buffer.from(chunk);
			}
			yield Buffer.from(`\\.\n${TRAILER}`);
		}
		// What is in use, not what the garbage collector has not come to yet: that depends on how busy the machine is.
		v8.setFlagsFromString('--expose-gc');
		const collect = vm.runInNewContext('gc') as () => void;
		const memory = () => {
			collect();
			// What the first one found to be free, another thread gives back, and the second one waits for that.
			collect();
			const { heapUsed, external } = process.memoryUsage();
			return heapUsed + external;
		};
		const before = memory();
		let peak = 0;
		let turns = 0;
		const timer = setInterval(() => {
			turns++;
		}, 5);
		const { rows } = await replayed(Readable.from(body(), { objectMode: false }), database, {
			onProgress: () => {
				// A dozen times on the way, not every so often: a collection takes long in a process that has run many tests.
				if (given < next) return;
				next = given + chunks / 12;
				looks++;
				peak = Math.max(peak, memory());
			},
		});
		clearInterval(timer);
		expect(rows).toBe(chunks * 1000);
		expect(await columnOf('SELECT count(*) FROM big')).toEqual([String(rows)]);
		expect(looks).toBeGreaterThan(5);
		expect(peak - before).toBeLessThan(30 * MB);
		// A database in this thread would let it have one turn per message, of which there are 13.
		expect(turns).toBeGreaterThan(50);
	}, 120_000);

	it('never calls a statement done of which it said nothing', async () => {
		// There is no library for this conversion, and the error about it takes the database down.
		await replayed('CREATE TABLE before_the_end (i int);', database);
		await expect(
			replayed(`SELECT pg_catalog.convert_to('ä', 'WIN1252');\nCREATE TABLE c (i int);`, database),
		).rejects.toMatchObject({ code: 'connection-lost', message: 'the embedded database broke down' });
		await expect(database.query('SELECT 1')).rejects.toMatchObject({ code: 'connection-lost' });
		await database.close();
	});
});

describe('opening an embedded database', () => {
	it('refuses extensions that it lacks, by name, before anything is written', async () => {
		await expect(open(['citext', 'postgis', 'vector'])).rejects.toMatchObject({
			code: 'unsupported',
			message: 'the embedded database lacks the extensions "postgis", "vector"',
			details: { extensions: ['postgis', 'vector'] },
		});
		expect(folders()).toEqual([]);
	});

	it('can be stopped at any time, and leaves nothing', async () => {
		const abort = new AbortController();
		const opening = open([], abort.signal);
		while (processes() === 0) await new Promise((resolve) => setImmediate(resolve));
		abort.abort();
		await expect(opening).rejects.toMatchObject({ code: 'cancelled' });
		await expect(open([], abort.signal)).rejects.toMatchObject({ code: 'cancelled' });
		expect({ folders: folders(), processes: processes() }).toEqual({ folders: [], processes: 0 });
	});

	it('removes what processes that were killed left behind, and nothing else', async () => {
		const { pid: gone } = spawnSync('true');
		const make = (pid: number, hours: number) => {
			const folder = fs.mkdtempSync(path.join(os.tmpdir(), `n8n-backup-scratch-${pid}-`));
			fs.writeFileSync(path.join(folder, 'file'), 'x');
			const then = Date.now() / 1000 - hours * 3600;
			fs.utimesSync(folder, then, then);
			return folder;
		};
		const [old, young, foreign] = [make(gone, 2), make(gone, 0), make(process.ppid, 2)];
		try {
			const abort = new AbortController();
			const opening = open([], abort.signal);
			while (processes() === 0) await new Promise((resolve) => setImmediate(resolve));
			abort.abort();
			await expect(opening).rejects.toMatchObject({ code: 'cancelled' });
			expect([old, young, foreign].map((folder) => fs.existsSync(folder))).toEqual([false, true, true]);
		} finally {
			for (const folder of [old, young, foreign]) fs.rmSync(folder, { recursive: true, force: true });
		}
	});

	it('gives a folder to nobody else, and stops in the middle of a COPY at once when it is cancelled', async () => {
		const abort = new AbortController();
		const database = await open([], abort.signal);
		const [folder] = folders();
		expect(fs.statSync(path.join(os.tmpdir(), folder!)).mode & 0o777).toBe(0o700);
		const body = new Readable({ read() {} });
		body.push('CREATE TABLE a (i int);\nCOPY a FROM stdin;\n');
		for (let i = 0; i < 20; i++) body.push('1\n'.repeat(MB / 2));
		let seen = 0;
		const restoring = replayed(body, database, {
			signal: abort.signal,
			onProgress: ({ bytes }) => {
				seen = bytes;
				if (bytes > 10 * MB) abort.abort();
			},
		});
		await expect(restoring).rejects.toMatchObject({ code: 'cancelled' });
		expect(seen).toBeGreaterThan(10 * MB);
		await expect(database.query('SELECT 1')).rejects.toMatchObject({ code: 'cancelled' });
		await database.close();
		expect({ folders: folders(), processes: processes() }).toEqual({ folders: [], processes: 0 });
	}, 120_000);
});
