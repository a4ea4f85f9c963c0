/** Ctrl-C and `kill`: commands as processes of their own, stopped while they are at work. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { MANIFEST } from '../../core/records/layout';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { databaseUrl, type Finished, run, start } from '../support/command-line';
import { sharedPostgres, sql } from '../support/postgres';
import { filesBelow } from '../support/stored-files';
import { until } from '../support/until';

const SIGNALS = [
	['SIGINT', 130],
	['SIGTERM', 143],
] as const;

let top: string;
let folder: string;
let shop: DatabaseTarget;
let storage: string[];

beforeAll(async () => {
	top = fs.mkdtempSync(path.join(os.tmpdir(), 'cancelled-'));
	folder = path.join(top, 'backups');
	fs.mkdirSync(folder);
	storage = ['--storage', `file://${folder}`];
	shop = await (await sharedPostgres(15)).createDatabase();
	// Large enough to be stopped while it is stored, and slow to restore.
	await sql(
		shop,
		`CREATE TABLE orders AS SELECT md5(i::text) AS note FROM generate_series(1, 200000) i;
		CREATE FUNCTION slow(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.05); RETURN true; END';
		CREATE TABLE slow (id int CHECK (public.slow(id))); INSERT INTO slow SELECT generate_series(1, 40)`,
	);
	expect(await run(dump('postgres/whole'), env())).toMatchObject({ code: 0 });
}, 120_000);
afterAll(() => fs.rmSync(top, { recursive: true, force: true }));

describe.each(SIGNALS)('%s', (signal, code) => {
	it(`ends a backup with ${code} and one line; nothing of it is stored`, async () => {
		const stored = () => filesBelow(folder).filter((file) => file.startsWith('postgres/'));
		const before = stored();
		const ended = await stopped([...dump('postgres/shop'), '--rate-limit', '1'], signal, () => {
			return stored().some((file) => file.startsWith('postgres/shop/') && file.endsWith('.partial'));
		});
		expect(ended).toEqual({
			...{ code, signal: null, stdout: '' },
			stderr: `n8n-backup: dump of postgres/shop was cancelled by ${signal}; nothing was left behind\n`,
		});
		expect(stored()).toEqual(before);
		expect(filesBelow(folder).filter((file) => file.startsWith('locks/'))).toEqual([]);
		const runs = JSON.parse((await run(['runs', ...storage, '--json'])).stdout) as object[];
		expect(runs.at(-1)).toMatchObject({ verb: 'backup', group: 'postgres/shop', state: 'cancelled' });
	}, 60_000);

	it(`ends a restore with ${code}; its database is gone`, async () => {
		const database = `${signal} ${shop.database}`;
		const there = async () => await sql(shop, 'SELECT FROM pg_database WHERE starts_with(datname, $1)', [database]);
		const to = databaseUrl({ ...shop, database });
		const ended = await stopped(['restore', 'postgres/whole', ...storage, '--to', to, '--json'], signal, async () => {
			return (await there()).length > 0;
		});
		expect(JSON.parse(ended.stdout)).toMatchObject({
			...{ ok: false, code: 'cancelled' },
			error: `restore of postgres/whole was cancelled by ${signal}; nothing was left behind`,
		});
		expect(ended.code).toBe(code);
		expect(await there()).toEqual([]);
	}, 60_000);
});

it('what a copy has stored whole is said to stay', async () => {
	const there = path.join(top, 'copies');
	fs.mkdirSync(there);
	const args = ['copy', 'postgres/whole', ...storage, '--to-storage', `file://${there}`, '--rate-limit', '1'];
	const ended = await stopped(args, 'SIGINT', () => filesBelow(there).some((file) => file.endsWith('.partial')));
	expect(ended.stderr).toContain('copy of postgres/whole was cancelled by SIGINT; objects that are there whole stay');
	expect(ended.code).toBe(130);
	expect(filesBelow(there).filter((file) => file.endsWith(MANIFEST))).toEqual([]);
}, 60_000);

function dump(group: string): string[] {
	return ['dump', ...storage, '--database', databaseUrl(shop), '--group', group, '--no-encryption'];
}

function env(): NodeJS.ProcessEnv {
	return { PGPASSWORD: shop.password };
}

/** Runs a command until it is at work, sends it a signal, and waits for its end. */
async function stopped(
	args: string[],
	signal: NodeJS.Signals,
	isAtWork: () => boolean | Promise<boolean>,
): Promise<Finished> {
	const { child, finished } = start(args, env());
	await until(`${args[0]} is at work`, () => child.exitCode !== null || isAtWork());
	child.kill(signal);
	return await finished;
}
