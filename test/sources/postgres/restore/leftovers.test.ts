/** What a restore leaves that is killed (SIGKILL), and who removes it. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { thisHost } from '../../../../core/base/process-identity';
import { checkDatabase } from '../../../../core/sources/postgres/check';
import { DEFAULT_DUMP_OPTIONS } from '../../../../core/sources/postgres/dump/dump';
import { temporaryDatabase } from '../../../../core/sources/postgres/restore/target';
import { databaseUrl, run, start } from '../../../support/command-line';
import { makeBackup } from '../../../support/backups';
import { restoreDatabase } from '../../../support/database-verbs';
import { quoteName, sql } from '../../../support/postgres';
import { makeShop, type Shop } from '../../../support/shop';
import { until } from '../../../support/until';

const SENTENCE = 'n8n-backup restores into this database. ';
/** Of another host: nobody knows whether it is at work. */
const ELSEWHERE = { host: 'elsewhere 1 2', pid: 4711, id: 'abcdefghjkmn' };
const HERE = { ...ELSEWHERE, host: thisHost() };
/** A number that no process has: more than Linux gives. */
const GONE = { ...HERE, pid: 2 ** 22 + 1 };

let shop: Shop;
const made: string[] = [];

beforeAll(async () => {
	shop = await makeShop();
}, 120_000);

afterAll(async () => {
	for (const name of made) await drop(name);
	await shop.remove();
});

it('the next restore removes what a killed one left, and says so; until then, Check names it', async () => {
	const source = await shop.server.createDatabase();
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'leftovers-'));
	const env = { PGPASSWORD: source.password };
	// Slow to restore, so that there is time to kill it.
	await sql(
		source,
		`CREATE FUNCTION slow(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.03); RETURN true; END';
		CREATE TABLE numbers (id int CHECK (public.slow(id))); INSERT INTO numbers SELECT generate_series(1, 60)`,
	);
	const storage = ['--storage', `file://${folder}`];
	const place = ['--database', databaseUrl(source), '--group', 'postgres/slow', '--no-encryption'];
	expect((await run(['dump', ...storage, ...place], env)).code).toBe(0);

	const job = shop.request();
	const { database } = job.into;
	const to = ['restore', ...storage, 'postgres/slow', '--to', databaseUrl(shop.at(database))];
	const { child, finished } = start(to, env);
	const filling = `SELECT datname AS name FROM pg_stat_activity
		WHERE starts_with(datname, $1) AND datname ~ '_restoring_' AND query ILIKE 'copy%'`;
	let left = '';
	await until('it fills', async () => {
		left = (await sql<{ name: string }>(shop.server.target(), filling, [database]))[0]?.name ?? '';
		return left !== '';
	});
	child.kill('SIGKILL');
	expect(await finished).toMatchObject({ signal: 'SIGKILL' });

	const begun = String.raw`a restore into ${database}, begun \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`;
	expect(await found()).toMatch(
		new RegExp(
			`${left} \\(.* MB\\) belongs to ${begun} by process ${child.pid} on .*drop it: DROP DATABASE "${left}";`,
		),
	);
	const { code, stderr } = await run(to, env);
	expect(stderr).toMatch(new RegExp(`removed ${left} \\(.* MB\\): ${begun}, had left it when it was killed`));
	expect(code).toBe(0);
	expect(await shop.leftovers()).toEqual([]);
	expect(await sql(shop.at(database), 'SELECT count(*)::int AS rows FROM numbers')).toEqual([{ rows: 60 }]);
	expect(await commentOf(database)).toBeNull();
	fs.rmSync(folder, { recursive: true });
}, 120_000);

describe('the next restore into the same name leaves alone, and names with the SQL that drops it,', () => {
	it.each<[string, 'replaced' | 'restoring', object | string | null, RegExp]>([
		[
			'what a process of this host restores, which runs',
			'restoring',
			{ ...HERE, pid: process.ppid },
			/which is at work$/,
		],
		['what another host may be restoring', 'restoring', ELSEWHERE, /process 4711 on elsewhere\. If .* drop it: DROP/],
		['what has no mark', 'restoring', null, /Look at what is in it, then drop it: DROP/],
		['what has a mark that cannot be read', 'restoring', '{"into":', /Look at what is in it, then drop it: DROP/],
		['what a restore had replaced', 'replaced', null, /had replaced\. If nobody needs what is in it, drop it: DROP/],
	])(
		'%s',
		async (_, purpose, mark, says) => {
			const job = shop.request();
			const left = await leave(job.into.database, purpose, mark);
			const { warnings } = await restoreDatabase(job);
			expect(await shop.leftovers()).toEqual([left]);
			expect(warnings).toEqual([expect.stringMatching(says)]);
			expect(warnings[0]).toMatch(new RegExp(`^${left} \\(\\d+\\.\\d MB\\) `));
			await drop(left);
		},
		60_000,
	);

	it('and says nothing of what is of another name', async () => {
		const job = shop.request();
		const { database } = job.into;
		const left = await leave(database, 'restoring', { ...GONE, into: `${database}x` });
		expect((await restoreDatabase(job)).warnings).toEqual([]);
		expect(await shop.leftovers()).toEqual([left]);
		await drop(left);
	}, 60_000);
});

it('removes what is older than a day, whoever began it, once nobody is connected to it', async () => {
	const job = shop.request();
	const { database } = job.into;
	const since = new Date(Date.now() - 25 * 3_600_000).toISOString();
	const left = await leave(database, 'restoring', { ...ELSEWHERE, since });
	const somebody = new Client({ ...shop.at(left), ssl: false });
	await somebody.connect();
	expect((await restoreDatabase(job)).warnings).toEqual([expect.stringContaining('drop it: DROP')]);
	await somebody.end();
	await until('the server has noticed', async () => {
		return (await sql(shop.server.target(), 'SELECT FROM pg_stat_activity WHERE datname = $1', [left])).length === 0;
	});
	const again = { ...job, into: { mode: 'replace' as const, database, confirmation: database } };
	expect((await restoreDatabase(again)).warnings).toEqual([expect.stringMatching(/^removed .* when it was killed$/)]);
	expect(await shop.leftovers()).toEqual([]);
}, 60_000);

it('leaves no mark on what is whole, nor on what somebody is to look at', async () => {
	const job = shop.request();
	const { database } = job.into;
	await restoreDatabase(job);
	expect(await commentOf(database)).toBeNull();
	await restoreDatabase({ ...job, into: { mode: 'replace', database, confirmation: database } });
	expect(await commentOf(database)).toBeNull();

	const wrong = await makeBackup(shop.source, { changeContents: (contents) => ({ ...contents, largeObjects: 7 }) });
	const { database: kept } = await restoreDatabase(
		shop.request({ ...wrong, into: { mode: 'replace', database, confirmation: database } }),
	);
	expect(kept).not.toBe(database);
	expect(await commentOf(kept)).toBeNull();
	await drop(kept);
}, 60_000);

/** As a restore would have left it now. */
async function leave(into: string, purpose: 'replaced' | 'restoring', mark: object | string | null): Promise<string> {
	const name = temporaryDatabase(into, purpose);
	made.push(name);
	await sql(shop.server.target(), `CREATE DATABASE ${quoteName(name)}`);
	if (mark === null) return name;
	const since = new Date().toISOString();
	const text = typeof mark === 'string' ? mark : JSON.stringify({ into, since, ...mark });
	await sql(
		shop.server.target(),
		`COMMENT ON DATABASE ${quoteName(name)} IS '${SENTENCE}${text.replaceAll("'", "''")}'`,
	);
	return name;
}

/** What Check says about all of the server. */
async function found(): Promise<string | undefined> {
	const { findings } = await checkDatabase(shop.source, DEFAULT_DUMP_OPTIONS, new AbortController().signal);
	return findings.find(({ check }) => check === 'leftovers')?.message;
}

async function commentOf(database: string): Promise<string | null> {
	const query = "SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = $1";
	return (await sql<{ comment: string | null }>(shop.server.target(), query, [database]))[0]!.comment;
}

async function drop(name: string): Promise<void> {
	await sql(shop.server.target(), `DROP DATABASE IF EXISTS ${quoteName(name)} WITH (FORCE)`);
}
