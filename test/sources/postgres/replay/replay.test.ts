import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { BackupError } from '../../../../core/base/errors';
import { ALLOWANCES } from '../../../../core/sources/postgres/replay/allowances';
import { builtinEngine } from '../../../../core/sources/postgres/dump/engines/builtin/host';
import { replay } from '../../../../core/sources/postgres/replay/replay';
import { type ReplayOptions } from '../../../../core/sources/postgres/replay/types';
import { type ReplayProgress } from '../../../../core/sources/postgres/replay/types';
import { KEEP_ALL } from '../../../../core/sources/postgres/replay/rewrite';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { eventually } from '../../../support/activity';
import { definitionOf, rowsOf } from '../../../support/by-hand';
import { type CreateOptions, type Major, type PostgresServer, sharedPostgres, sql } from '../../../support/postgres';
import { comparable, forServer, restore } from '../../../support/psql';
import { rounds } from '../../../support/soak';

const engine = builtinEngine();
const TRAILER = '\n--\n-- PostgreSQL database dump complete\n--\n\n';

async function dump(target: DatabaseTarget, filter = {}): Promise<Buffer> {
	const signal = new AbortController().signal;
	return await buffer(
		(await engine.start({ target, format: 'plain', filter, lockTimeoutMs: 10_000 }, { signal })).body,
	);
}

/** Most of these tests write their dumps themselves: what no dump says is refused elsewhere. */
const ANYTHING = { ...KEEP_ALL, allow: ALLOWANCES };

function run(body: string | Buffer | Readable, target: DatabaseTarget, options: Partial<ReplayOptions> = {}) {
	const stream = body instanceof Readable ? body : Readable.from([Buffer.from(body)]);
	return replay(stream, target, { signal: new AbortController().signal, rules: ANYTHING, ...options });
}

/** A dump that goes on for as long as the test wants. */
function source(...beginning: string[]): Readable {
	const body = new Readable({ read() {} });
	for (const text of beginning) body.push(text);
	return body;
}

/** The schema as Debian's pg_dump sees it, or ours where that one is too old. */
async function schemaOf(target: DatabaseTarget, major: Major): Promise<string> {
	return major <= 15 ? await definitionOf(target) : comparable((await dump(target, { schemaOnly: true })).toString());
}

/** All rows: digests by the server, or (of thousands of tables) the rows as they are dumped. */
async function contentsOf(target: DatabaseTarget, load?: string): Promise<unknown> {
	return load === 'many-tables' ? comparable((await dump(target)).toString()) : await rowsOf(target);
}

/** Large ones, which the version makes no difference to: in `npm run soak` on every one, and thousands of tables there alone. */
const LARGE: Array<[string, CreateOptions]> = [
	...rounds<Array<[string, CreateOptions]>>([], [['3,000 tables', { load: 'many-tables' }]]),
	['a row of 20 MB', { load: 'big-row' }],
];

const DATABASES: Array<[string, CreateOptions]> = [
	['many kinds of objects', { load: 'many-kinds' }],
	['awkward texts and circles', { load: 'awkward' }],
	['names and rows in LATIN1', { load: 'latin1', encoding: 'LATIN1' }],
	['large objects', { load: 'large-objects' }],
	['nothing', {}],
];

describe.each(rounds<Major[]>([13, 18], [13, 15, 18]))('a replay on PostgreSQL %i', (major) => {
	let server: PostgresServer;
	beforeAll(async () => {
		server = await sharedPostgres(major);
	});

	it.each([...DATABASES, ...(rounds(major, 18) === 18 ? LARGE : [])])(
		'restores %s exactly as psql does',
		async (_, { load, encoding }) => {
			const original = await server.createDatabase(undefined, { load, encoding });
			const bytes = await dump(original);
			const byPsql = await server.createDatabase(undefined, { encoding });
			const byReplay = await server.createDatabase(undefined, { encoding });
			await restore(byPsql, withoutUnknown(bytes, major));
			const result = await run(Readable.from(pieces(bytes)), byReplay, { rules: KEEP_ALL });

			expect(await schemaOf(byReplay, major)).toBe(await schemaOf(byPsql, major));
			const rows = await contentsOf(byReplay, load);
			expect(rows).toEqual(await contentsOf(byPsql, load));
			expect(rows).toEqual(await contentsOf(original, load));
			expect(result).toMatchObject({ bytes: bytes.length });
			expect(result.skipped).toEqual(major < 17 ? ['SET transaction_timeout = 0;'] : []);
		},
		120_000,
	);
});

/** As a network would deliver it. */
function* pieces(bytes: Buffer): Generator<Buffer> {
	for (let at = 0; at < bytes.length; at += 65_521) yield bytes.subarray(at, at + 65_521);
}

function withoutUnknown(bytes: Buffer, major: Major): Buffer {
	return Buffer.from(forServer(major, bytes.toString('latin1')), 'latin1');
}

describe('a replay', () => {
	let server: PostgresServer;
	let target: DatabaseTarget;
	beforeAll(async () => {
		server = await sharedPostgres(15);
	});
	beforeEach(async () => {
		target = await server.createDatabase();
	});

	/** Tables of the target, by name. */
	async function tables(): Promise<string[]> {
		const rows = await sql<{ name: string }>(
			target,
			`SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1`,
		);
		return rows.map(({ name }) => name);
	}

	/** A query with a row once no session of ours is left in the target. */
	function nobody(): string {
		return `SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = '${target.database}')`;
	}

	function working(query: string): string {
		return `SELECT 1 FROM pg_stat_activity WHERE datname = '${target.database}' AND query LIKE '${query}%' AND state = 'active'`;
	}

	it('stops at the first error and says which statement it is, where it stands, and what can be done', async () => {
		await sql(target, 'CREATE TABLE b (i int)');
		const text = `CREATE TABLE a (i int);\n\n-- and now\nCREATE TABLE\n  b (i int);\nCREATE TABLE c (i int);\n${TRAILER}`;
		await expect(run(text, target)).rejects.toMatchObject({
			code: 'restore-failed',
			message: expect.stringMatching(
				/relation "b" already exists \(SQLSTATE 42P07\) at line 4, byte 36 of the dump: CREATE TABLE b \(i int\);$/,
			),
			hint: 'Restore into a new or empty database.',
			details: { sqlState: '42P07', line: 4, byte: 36, statement: 'CREATE TABLE b (i int);', environment: true },
		});
		expect(await tables()).toEqual(['a', 'b']);
		await eventually(server.target(), nobody());
	});

	it('stops at a row that the server refuses, keeps none of its COPY and shows no other row', async () => {
		const rows = `1\tfirst secret\nx\tsecond\n${'3\tthird secret\n'.repeat(500_000)}`;
		const text = `CREATE TABLE a (i int, t text);\nCOPY a (i, t) FROM stdin;\n${rows}\\.\nCREATE TABLE b (i int);\n${TRAILER}`;
		const error: unknown = await run(Readable.from(pieces(Buffer.from(text))), target).catch(
			(reason: unknown) => reason,
		);
		expect(error).toMatchObject({
			code: 'restore-failed',
			message: expect.stringContaining('COPY a, line 2, column i: "x"'),
			details: { line: 2, sqlState: '22P02', statement: 'COPY a (i, t) FROM stdin;', environment: false },
		});
		expect(String(error)).not.toContain('secret');
		expect(await tables()).toEqual(['a']);
		expect(await sql(target, 'SELECT * FROM a')).toEqual([]);
	});

	it.each([
		['a missing extension', `CREATE EXTENSION "not there";`, 'Install this extension'],
		['a missing role', `CREATE TABLE a (i int); ALTER TABLE a OWNER TO "nobody there";`, 'Create this role'],
		['a missing tablespace', `SET default_tablespace = nowhere;`, 'Create this tablespace'],
		['a missing locale', `CREATE COLLATION a (provider = libc, locale = 'xx_XX');`, 'Install this locale'],
		['an older server', `-- Dumped from database version 18.1\nCREATE UNLOGGED SCHEMA x;`, 'older'],
		['a newer server', `-- Dumped from database version 13.9\nSELECT 5 !;`, 'newer'],
		['a time limit', `SET statement_timeout = 50; SELECT pg_sleep(10);`, 'time limit'],
		['a server that only reads', `SET default_transaction_read_only = on; CREATE TABLE a ();`, 'log'],
		[
			'an encoding',
			`CREATE TABLE a (i "char"); INSERT INTO a VALUES (convert_from('\\xff', 'UTF8')::"char");`,
			'encoding',
		],
	])('takes %s for a fault of the environment, and gives a hint', async (_, text, hint) => {
		await expect(run(text + TRAILER, target)).rejects.toMatchObject({
			code: 'restore-failed',
			hint: expect.stringContaining(hint),
			details: { environment: true },
		});
	});

	it.each([
		['a value that is none', `CREATE TABLE a (i int); INSERT INTO a VALUES ('x');`, '22P02'],
		['a key that is there twice', `CREATE TABLE a (i int UNIQUE); INSERT INTO a VALUES (1), (1);`, '23505'],
		['a row that a check forbids', `CREATE TABLE a (i int CHECK (i > 0)); INSERT INTO a VALUES (0);`, '23514'],
		['a statement that is no SQL', '-- Dumped from database version 15.1\nCREATE TABEL a ();', '42601'],
		['a statement that is no SQL, of an unknown server', 'CREATE TABEL a ();', '42601'],
		['a table that is not there', 'CREATE INDEX i ON nowhere (i);', '42P01'],
		['a function that fails', `DO $$ BEGIN RAISE 'no'; END $$;`, 'P0001'],
	])('takes %s for a fault of the dump', async (_, text, sqlState) => {
		await expect(run(text + TRAILER, target)).rejects.toMatchObject({
			code: 'restore-failed',
			details: { environment: false, sqlState },
		});
	});

	it('does not blame the dump for what a part of it lacks', async () => {
		const entry = '--\n-- Name: a; Type: TABLE; Schema: public; Owner: me\n--\n\n';
		const rules = { ...KEEP_ALL, only: { tables: ['a'] } };
		await expect(
			run(`${entry}CREATE TABLE public.a (i shop.size);${TRAILER}`, target, { rules }),
		).rejects.toMatchObject({
			hint: expect.stringContaining('must be there before'),
			details: { environment: true },
		});
	});

	it('shows no passwords and no rows of a statement that fails', async () => {
		const mapping = `CREATE USER MAPPING FOR CURRENT_USER SERVER nowhere OPTIONS (password 'a secret');`;
		const insert = `INSERT INTO nowhere VALUES ('a secret');`;
		for (const text of [mapping, insert]) {
			const error: unknown = await run(text + TRAILER, target).catch((reason: unknown) => reason);
			expect(error).toMatchObject({ code: 'restore-failed' });
			expect(`${String(error)} ${JSON.stringify((error as BackupError).details)}`).not.toContain('secret');
		}
	});

	it('reports how far it is, and the warnings of the server', async () => {
		const reports: ReplayProgress[] = [];
		const text = `CREATE TABLE a (i int);\nCOPY a FROM stdin;\n1\n2\n\\.\nDO $$ BEGIN RAISE WARNING 'mind this'; END $$;\n${TRAILER}`;
		const result = await run(text, target, { onProgress: (progress) => reports.push(progress) });
		expect(result).toEqual({
			bytes: text.length,
			statements: 3,
			rows: 2,
			leftOut: 0,
			skipped: [],
			warnings: ['mind this'],
		});
		expect(reports.at(-1)).toEqual({ bytes: text.length, statements: 3, rows: 2 });
		expect(reports.map(({ statements }) => statements)).toEqual([1, 1, 2, 3]);
	});

	it('takes a dump that was cut off anywhere for incomplete, and executes nothing that is not whole', async () => {
		const original = await server.createDatabase();
		await sql(original, `CREATE TABLE a AS SELECT i FROM generate_series(1, 5) i; CREATE TABLE b (i int)`);
		const text = comparable((await dump(original)).toString());
		const cuts = [
			0,
			text.indexOf('CREATE TABLE public.a') + 12,
			text.indexOf(';\n', text.indexOf('CREATE TABLE public.a')),
			text.indexOf('CREATE TABLE public.b'),
			text.indexOf('FROM stdin;') + 11,
			text.indexOf('\n3\n') + 1,
			text.indexOf('\n3\n') + 3,
			text.indexOf('\\.\n') + 1,
			text.indexOf('\\.\n') + 3,
			text.indexOf('-- PostgreSQL database dump complete'),
			text.indexOf('-- PostgreSQL database dump complete') + 38,
		];
		for (const cut of cuts) {
			target = await server.createDatabase();
			await expect(run(text.slice(0, cut), target)).rejects.toMatchObject({ code: 'incomplete' });
			const found = await tables();
			if (cut < text.indexOf('CREATE TABLE public.b')) expect(found).not.toContain('b');
			// A COPY without its end must not leave some of its rows.
			if (found.includes('a')) expect([0, 5]).toContain((await sql(target, 'SELECT * FROM a')).length);
		}
	});

	it('takes a dump that leaves a transaction open for incomplete', async () => {
		await expect(run(`BEGIN; CREATE TABLE a ();${TRAILER}`, target)).rejects.toMatchObject({ code: 'incomplete' });
		await eventually(server.target(), nobody());
		expect(await tables()).toEqual([]);
	});

	it('fails with the error of its stream, and executes nothing after it', async () => {
		const body = source('CREATE TABLE a (i int);\nCOPY a FROM stdin;\n1\n');
		const running = run(body, target);
		running.catch(() => undefined);
		await eventually(server.target(), working('COPY a'));
		body.push('2\n\\.\nCREATE TABLE b ();');
		body.destroy(new BackupError('damaged', 'a frame is damaged'));
		await expect(running).rejects.toMatchObject({ code: 'damaged', message: 'a frame is damaged' });
		await eventually(server.target(), nobody());
		expect(await tables()).toEqual(['a']);
		expect(await sql(target, 'SELECT * FROM a')).toEqual([]);
	});

	it('fails with the error of its stream at once, while the server is busy', async () => {
		const body = source('SELECT pg_sleep(1000);');
		const running = run(body, target);
		running.catch(() => undefined);
		await eventually(server.target(), working('SELECT pg_sleep'));
		body.destroy(new Error('plain'));
		await expect(running).rejects.toMatchObject({ code: 'incomplete', message: expect.stringContaining('plain') });
		await eventually(server.target(), nobody());
	});

	it.each([
		['a statement', 'SELECT pg_sleep(1000);', 'SELECT pg_sleep'],
		['a COPY whose rows do not come', 'CREATE TABLE a (i int);\nCOPY a FROM stdin;\n1\n', 'COPY a'],
	])('ends at once when it is stopped during %s, and the server does too', async (_, text, query) => {
		const body = source(text);
		const controller = new AbortController();
		const running = run(body, target, { signal: controller.signal });
		running.catch(() => undefined);
		await eventually(server.target(), working(query));
		controller.abort();
		await expect(running).rejects.toMatchObject({ code: 'cancelled' });
		expect(body.destroyed).toBe(true);
		await eventually(server.target(), nobody());
	});

	it('does not begin when it is stopped before', async () => {
		const body = source('CREATE TABLE a ();');
		await expect(run(body, target, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
		expect(body.destroyed).toBe(true);
		expect(await tables()).toEqual([]);
	});

	it('says that the connection was lost when the server ends it', async () => {
		const running = run(source('SELECT pg_sleep(1000);'), target);
		running.catch(() => undefined);
		await eventually(server.target(), working('SELECT pg_sleep'));
		await sql(server.target(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, [
			target.database,
		]);
		await expect(running).rejects.toMatchObject({ code: 'connection-lost' });
	});

	it('reads no faster than the server takes the rows', async () => {
		await sql(target, 'CREATE TABLE a (t text)');
		const row = Buffer.from(`${'x'.repeat(1023)}\n`);
		let taken = 0;
		function* rows(): Generator<Buffer> {
			yield Buffer.from('COPY a FROM stdin;\n');
			for (; taken < 200_000; taken += 64) yield Buffer.concat(Array<Buffer>(64).fill(row));
			yield Buffer.from(`\\.\n${TRAILER}`);
		}
		// A trigger that waits for a lock, so that the server reads a bit and then no more.
		await sql(
			target,
			`CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_lock(1); RETURN NEW; END $$;
			CREATE TRIGGER waiting BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION wait()`,
		);
		const blocker = run(source('SELECT pg_advisory_lock(1);SELECT pg_sleep(1000);'), target);
		blocker.catch(() => undefined);
		await eventually(server.target(), working('SELECT pg_sleep'));
		const controller = new AbortController();
		const running = run(Readable.from(rows()), target, { signal: controller.signal });
		running.catch(() => undefined);
		const isWaiting = `SELECT 1 FROM pg_stat_activity WHERE datname = '${target.database}' AND wait_event_type = 'Lock'`;
		await eventually(server.target(), isWaiting);
		for (let before = -1; before !== taken; ) {
			before = taken;
			await sql(server.target(), 'SELECT pg_sleep(0.3)');
		}
		expect(taken).toBeLessThan(20_000); // of 200 MB
		controller.abort();
		await expect(running).rejects.toMatchObject({ code: 'cancelled' });
		await sql(server.target(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, [
			target.database,
		]);
		await expect(blocker).rejects.toMatchObject({ code: 'connection-lost' });
	});

	it('refuses a dump that chooses its database itself', async () => {
		const texts = ['CREATE DATABASE other;', '\\connect other\n'];
		for (const text of texts) await expect(run(text, target)).rejects.toMatchObject({ code: 'unsupported' });
		expect(await sql(target, `SELECT FROM pg_database WHERE datname = 'other'`)).toEqual([]);
	});

	it('restores a function that is called "begin", of which psql does not find the end', async () => {
		const original = await server.createDatabase();
		await sql(
			original,
			`CREATE FUNCTION begin() RETURNS int LANGUAGE sql AS 'SELECT 1; SELECT 2'; CREATE TABLE a (i int)`,
		);
		const bytes = await dump(original);
		await run(bytes, target);
		expect(await definitionOf(target)).toBe(await definitionOf(original));
	});

	it('restores a dump with a statement of 100 MB', async () => {
		const text = 'x'.repeat(1024 * 1024);
		function* statement(): Generator<Buffer> {
			yield Buffer.from(`CREATE TABLE a (t text);\nINSERT INTO a VALUES ('`);
			for (let i = 0; i < 100; i++) yield Buffer.from(text);
			yield Buffer.from(`');\n${TRAILER}`);
		}
		await run(Readable.from(statement()), target);
		expect(await sql(target, 'SELECT length(t) FROM a')).toEqual([{ length: 104_857_600 }]);
	});

	it('takes only bytes', async () => {
		const body = Readable.from(['SELECT 1;']);
		await expect(run(body, target)).rejects.toMatchObject({ code: 'invalid-input' });
		if (!body.closed) await once(body, 'close');
	});
});
