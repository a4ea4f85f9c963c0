import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { generateIdentity } from '../../core/codecs/age/keys';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import type { RestoreResult } from '../../core/verbs/restore/types';
import { FolderStorage } from '../../core/storage/folder/folder';
import { makeBackup } from '../support/backups';
import { definitionOf, rowsOf } from '../support/by-hand';
import { databaseUrl, run, start } from '../support/command-line';
import { commandLines } from '../support/processes';
import { type PostgresServer, quoteName, sharedPostgres, sql, startPostgres } from '../support/postgres';
import { rounds } from '../support/soak';

let folder: string;
let server: PostgresServer;
let source: DatabaseTarget;
let keyFile: string;
let recipient: string;
let names = 0;
const made: string[] = [];

beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), 'restore-command-'));
	server = await sharedPostgres(15);
	source = await server.createDatabase();
	await sql(
		source,
		`CREATE SCHEMA shop; CREATE TABLE shop.orders AS SELECT i AS id, md5(i::text) AS v FROM generate_series(1, 2000) i;
		CREATE TABLE names (name text); INSERT INTO names VALUES ('Zoë')`,
	);
	const pair = await generateIdentity();
	recipient = pair.recipient;
	keyFile = join(folder, 'key.txt');
	writeFileSync(keyFile, `${pair.identity}\n`, { mode: 0o600 });
	await backUp('postgres/shop');
}, 120_000);
afterAll(async () => {
	for (const name of made) await sql(server.target(), `DROP DATABASE IF EXISTS ${quoteName(name)} WITH (FORCE)`);
	rmSync(folder, { recursive: true, force: true });
});

const env = () => ({ PGPASSWORD: source.password });
const freeName = () => {
	const name = `by command ${process.pid}_${++names}`;
	made.push(name);
	return name;
};

async function backUp(group: string, change: Parameters<typeof makeBackup>[1] = {}) {
	return await makeBackup(source, {
		storage: new FolderStorage({ path: folder }),
		group,
		encryption: { recipients: [recipient] },
		...change,
	});
}

const args = (backup: string, database: string, ...more: string[]) => [
	'restore',
	backup,
	'--storage',
	`file://${folder}`,
	'--to',
	databaseUrl({ ...source, database }),
	'--identity',
	keyFile,
	...more,
];

describe('n8n-backup restore', () => {
	it('restores the newest backup of a group into a new database, and says what it compared', async () => {
		const database = freeName();
		const { code, stdout, stderr } = await run(args('postgres/shop', database), env());
		expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
		expect(stdout).toMatch(/2001 rows in \d+\.\d s\nas it was just now, at \d{4}-\S+Z\n2 tables as backed up/);
		expect(await definitionOf(server.target(database))).toBe(await definitionOf(source));
		expect(await rowsOf(server.target(database))).toEqual(await rowsOf(source));
	}, 60_000);

	it('prints one JSON document, also for one label and for the newest before a time', async () => {
		const [first, second] = [await backUp('g/a'), await backUp('g/a')];
		const restored = async (backup: string, ...more: string[]) => {
			const { code, stdout } = await run(args(backup, freeName(), '--json', ...more), env());
			return { code, ...(JSON.parse(stdout) as RestoreResult) };
		};
		const byLabel = await restored(`g/a/${first.label}`);
		expect(byLabel).toMatchObject({ code: 0, ok: true, group: 'g/a', label: first.label, comparison: { ok: true } });
		expect([first.label, second.label]).toContain((await restored('g/a', '--before', new Date().toISOString())).label);
		const none = await run(args('g/a', freeName(), '--before', '2001-01-01T00:00:00Z', '--json'), env());
		expect(none.code).toBe(1);
		expect(JSON.parse(none.stdout)).toMatchObject({ ok: false, code: 'not-found' });
	}, 60_000);

	it('refuses what reaches out of the database, and says how it is allowed', async () => {
		const legacy = await server.createDatabase();
		await sql(legacy, "CREATE FUNCTION old(text) RETURNS text LANGUAGE internal STRICT AS 'textlen'");
		await makeBackup(legacy, {
			storage: new FolderStorage({ path: folder }),
			group: 'g/legacy',
			encryption: { recipients: [recipient] },
		});
		const refused = await run(args('g/legacy', freeName()), env());
		expect(refused.code).toBe(1);
		expect(refused.stderr).toMatch(
			/makes a function of machine code: CREATE FUNCTION public.old[^]*allow "c-functions" \(--allow/,
		);
		expect(await run(args('g/legacy', freeName(), '--allow', 'c-functions'), env())).toMatchObject({ code: 0 });
		expect(await run(args('g/legacy', freeName(), '--allow', 'c'), env())).toMatchObject({ code: 2 });
	}, 60_000);

	it('restores single tables, without owners and privileges', async () => {
		const database = freeName();
		const { code } = await run(
			args('postgres/shop', database, '--table', 'shop.orders', '--no-owner', '--no-privileges', '--connections', '2'),
			env(),
		);
		expect(code).toBe(0);
		expect(await sql(server.target(database), "SELECT to_regclass('public.names') AS names")).toEqual([
			{ names: null },
		]);
	}, 60_000);

	it('replaces a database only when its name is given a second time', async () => {
		const { database } = await server.createDatabase();
		expect(await run(args('postgres/shop', database, '--into', 'replace'), env())).toMatchObject({ code: 2 });
		expect(await run(args('postgres/shop', database, '--into', 'replace', '--confirm', database), env())).toMatchObject(
			{ code: 0 },
		);
		expect(await rowsOf(server.target(database))).toEqual(await rowsOf(source));
	}, 60_000);

	it('ends with 4 when what came back differs, and names the table', async () => {
		await backUp('g/wrong', {
			changeContents: (contents) => ({
				...contents,
				tables: contents.tables.map((table) => ({ ...table, rows: table.rows! + 1 })),
			}),
		});
		const { code, stderr } = await run(args('g/wrong', freeName()), env());
		expect(code).toBe(4);
		expect(stderr).toContain('differs: public.names: 1 row instead of 2 rows');
	}, 60_000);

	it.each([
		['a mode that is none', ['--into', 'over']],
		['a role without its replacement', ['--role', 'a']],
		['an invalid time', ['--before', 'yesterday-ish']],
		['a time without a zone', ['--before', '2026-11-20T02:00:00']],
		['no number of connections', ['--connections', '0']],
		['a name of a table that is none', ['--table', 'a.b.c.d']],
	])('ends with 2 on wrong use: %s', async (_what, more) => {
		expect((await run(args('postgres/shop', freeName(), ...more), env())).code).toBe(2);
	});

	it('ends with 1 with the wrong identity, and makes nothing', async () => {
		const other = join(folder, 'other.txt');
		writeFileSync(other, `${(await generateIdentity()).identity}\n`, { mode: 0o600 });
		const database = freeName();
		const { code, stderr } = await run([...args('postgres/shop', database), '--identity', other], env());
		expect(code).toBe(1);
		expect(stderr).toMatch(/identity/i);
		expect(await sql(server.target(), 'SELECT FROM pg_database WHERE datname = $1', [database])).toEqual([]);
	});

	it('dumps roles and hashes, and restores both on another server', async () => {
		const [from, to] = [await startPostgres(15), await startPostgres(18)];
		try {
			const target = await from.createDatabase();
			await sql(target, 'CREATE ROLE clerk; CREATE TABLE t AS SELECT 1 AS id; ALTER TABLE t OWNER TO clerk');
			const dumped = await run(
				[
					'dump',
					'--storage',
					`file://${folder}`,
					'--database',
					databaseUrl(target),
					'--group',
					'g/roles',
					'--recipient',
					recipient,
					'--globals',
					'--content-hash',
				],
				{ PGPASSWORD: target.password },
			);
			expect(dumped).toMatchObject({ code: 0, stderr: '' });
			const other = { PGPASSWORD: to.password };
			const url = ['--to', databaseUrl(to.target('again')), '--json'];
			const without = await run([...args('g/roles', 'again'), ...url], other);
			expect(without.code).toBe(1);
			expect(JSON.parse(without.stdout)).toMatchObject({
				code: 'missing-requirements',
				hint: expect.stringContaining('CREATE ROLE "clerk"'),
			});
			const result = await run([...args('g/roles', 'again'), ...url, '--globals'], other);
			expect(JSON.parse(result.stdout)).toMatchObject({ ok: true, comparison: { figures: { hashed: 1 } } });
		} finally {
			await Promise.all([from.stop(), to.stop()]);
		}
	}, 120_000);

	it('shows the password to nobody', async () => {
		const { child, finished } = start(args('postgres/shop', freeName()), env());
		const seen: string[] = [];
		while (child.exitCode === null) {
			seen.push(...commandLines().filter((line) => line.includes('n8n-backup')));
			await delay(5);
		}
		await finished;
		expect(seen.length).toBeGreaterThan(0);
		expect(seen.filter((line) => line.includes(source.password!))).toEqual([]);
	}, 60_000);
});

describe('a restore over a database that is killed', () => {
	it(
		'leaves the old database in its place, at whatever moment',
		async () => {
			const own = await startPostgres(15);
			try {
				const target = await own.createDatabase('precious');
				await sql(target, 'CREATE TABLE old AS SELECT 42 AS answer');
				const killEnv = { PGPASSWORD: own.password };
				const restoreArgs = [
					...args('postgres/shop', 'x'),
					'--to',
					databaseUrl(target),
					'--into',
					'replace',
					'--confirm',
					'precious',
				];
				const began = performance.now();
				await run([...restoreArgs.slice(0, -1), 'wrong'], killEnv);
				const startup = performance.now() - began;
				let replaced = false;
				for (let after = startup; !replaced; after += rounds(130, 40)) {
					const { child, finished } = start(restoreArgs, killEnv);
					const timer = setTimeout(() => child.kill('SIGKILL'), after);
					const { code } = await finished;
					clearTimeout(timer);
					// The server notices a little later that nobody is there any more.
					let names: string[] = [];
					do {
						names = (await sql<{ datname: string }>(own.target(), 'SELECT datname FROM pg_database')).map(
							(row) => row.datname,
						);
					} while (!names.includes('precious'));
					const [row] = await sql<{ old: string | null; orders: string | null }>(
						own.target('precious'),
						"SELECT to_regclass('public.old')::text AS old, to_regclass('shop.orders')::text AS orders",
					);
					// One or the other, never neither and never half of one.
					replaced = row!.old === null;
					if (replaced) expect(await rowsOf(own.target('precious'))).toEqual(await rowsOf(source));
					else expect(row).toEqual({ old: 'old', orders: null });
					if (code === 0) expect(replaced).toBe(true);
				}
			} finally {
				await own.stop();
			}
		},
		rounds(180_000, 3_600_000),
	);
});
