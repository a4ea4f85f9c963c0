import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIdentity } from '../../core/codecs/age/keys';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { type VerifyResult } from '../../core/verbs/verify/types';
import { databaseUrl, run } from '../support/command-line';
import { sharedPostgres, sql } from '../support/postgres';

let folder: string;
let target: DatabaseTarget;
let keyFile: string;
let env: NodeJS.ProcessEnv;
let label: string;
beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), 'verify-'));
	target = await (await sharedPostgres(17)).createDatabase();
	await sql(target, 'CREATE TABLE t AS SELECT i AS id FROM generate_series(1, 100) i');
	env = { PGPASSWORD: target.password };
	const { identity, recipient } = await generateIdentity();
	keyFile = join(folder, 'key.txt');
	writeFileSync(keyFile, `${identity}\n`, { mode: 0o600 });
	const where = ['--storage', storage(), '--database', databaseUrl(target), '--group', 'pg/shop'];
	const dumped = await run(['dump', ...where, '--recipient', recipient, '--json'], env);
	({ label } = JSON.parse(dumped.stdout) as { label: string });
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const storage = () => `file://${folder}`;
const object = (name: string) => join(folder, 'pg/shop', label, name);

async function verify(...args: string[]): Promise<{ code: number | null; results: VerifyResult[]; said: string }> {
	const { code, stdout, stderr } = await run(['verify', '--storage', storage(), ...args, '--json'], env);
	const data: unknown = stdout === '' ? [] : JSON.parse(stdout);
	return { code, results: Array.isArray(data) ? (data as VerifyResult[]) : [], said: stdout + stderr };
}

describe('n8n-backup verify', () => {
	it('proves the newest of a group in every depth, and leaves evidence', async () => {
		const scratch = ['--scratch', databaseUrl({ ...target, database: 'postgres' })];
		for (const args of [
			['pg/shop'],
			['pg/shop', '--depth', 'readable', '--identity', keyFile],
			[
				`pg/shop/${label}`,
				'--depth',
				'restored',
				'--identity',
				keyFile,
				...scratch,
				'--assert',
				'SELECT count(*) = 100 FROM t',
			],
		]) {
			const { code, results } = await verify(...args);
			expect({ code, results }).toEqual({ code: 0, results: [expect.objectContaining({ outcome: 'ok', label })] });
			expect(readdirSync(join(folder, 'pg/shop', label))).toContain(results[0]!.evidence);
		}
	});

	it('says for people what it found', async () => {
		const { code, stdout } = await run(['verify', '--storage', storage(), '--newest'], env);
		expect(code).toBe(0);
		expect(stdout).toMatch(/^pg\/shop\/\S+: ok: all 2 objects.*\nnot authenticated: no signers are given/);
	});

	it('finds nothing left to verify, or only today’s share', async () => {
		expect(await verify('--all-unverified', '--depth', 'stored')).toMatchObject({ code: 0, results: [] });
		expect(await verify('--share', '1/1')).toMatchObject({ code: 0, results: [{ outcome: 'ok' }] });
	});

	it('ends with 4 when an assertion fails', async () => {
		const questions = join(folder, 'questions.sql');
		writeFileSync(questions, '-- about t\nSELECT count(*) = 100 FROM t\nSELECT max(id) > 100 FROM t\n');
		const scratch = ['--scratch', databaseUrl({ ...target, database: 'postgres' })];
		const deep = ['pg/shop', '--depth', 'restored', '--identity', keyFile, ...scratch, '--assert-file', questions];
		expect(await verify(...deep)).toMatchObject({
			code: 4,
			results: [{ outcome: 'bad', code: 'assertion-failed', assertions: [{ ok: true }, { ok: false }] }],
		});
	});

	it('ends with 1 when nothing can be said', async () => {
		expect(await verify('pg/shop', '--depth', 'readable')).toMatchObject({
			code: 1,
			results: [{ outcome: 'environment', code: 'wrong-identity' }],
		});
	});

	it.each<[string, string[]]>([
		['nothing to verify', []],
		['a share that is none', ['--share', '2/7']],
		['two choices', ['--newest', '--all-unverified']],
		['an unknown depth', ['pg/shop', '--depth', 'felt']],
		['assertions without a restore', ['pg/shop', '--assert', 'SELECT true']],
		['a missing file of assertions', ['pg/shop', '--depth', 'restored', '--assert-file', '/nope']],
		['something that cannot be allowed', ['pg/shop', '--depth', 'restored', '--allow', 'everything']],
		['n8n’s credentials without a restore', ['pg/shop', '--n8n-credentials', 'files/n8n']],
		['a file with n8n’s key of no group', ['pg/shop', '--depth', 'restored', '--n8n-key-file', '/srv/.env']],
		['a missing identity file', ['pg/shop', '--identity', '/nope']],
	])('ends with 2 on %s', async (_, args) => {
		expect(await run(['verify', '--storage', storage(), ...args], env)).toMatchObject({ code: 2 });
	});

	it('ends with 1 for a group without backups, and with 3 for a backup that lost its manifest', async () => {
		expect(await verify('pg/none')).toMatchObject({ code: 1, said: expect.stringContaining('pg/none') });
		const manifest = readFileSync(object('manifest.json'));
		rmSync(object('manifest.json'));
		expect(await verify(`pg/shop/${label}`)).toMatchObject({
			code: 3,
			said: expect.stringContaining('has lost its manifest'),
		});
		writeFileSync(object('manifest.json'), manifest);
	});

	it('ends with 4 when the backup is damaged', async () => {
		const bytes = readFileSync(object('dump.sql.zst.age'));
		bytes[bytes.length - 1]! ^= 1;
		writeFileSync(object('dump.sql.zst.age'), bytes);
		expect(await verify('pg/shop')).toMatchObject({ code: 4, results: [{ outcome: 'bad', code: 'damaged' }] });
	});
});
