import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseDatabaseUrl, readEncryption } from '../../bin/options';
import { generateIdentity } from '../../core/codecs/age/keys';
import { acquireLock } from '../../core/records/locks/lock';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { openStorage } from '../../core/storage/create';
import { definitionOf, restoreByHand, rowsOf } from '../support/by-hand';
import { databaseUrl, run } from '../support/command-line';
import { sharedPostgres, sql } from '../support/postgres';
import { sharedS3 } from '../support/s3';

const s3 = sharedS3();
let folder: string;
let target: DatabaseTarget;
let keyFile: string;
let recipient: string;

beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), 'command-line-'));
	target = await (await sharedPostgres(15)).createDatabase();
	await sql(target, 'CREATE TABLE t AS SELECT i AS id, md5(i::text) AS v FROM generate_series(1, 2000) i');
	const pair = await generateIdentity();
	recipient = pair.recipient;
	keyFile = join(folder, 'key.txt');
	writeFileSync(keyFile, `# public key: ${recipient}\n${pair.identity}\n`, { mode: 0o600 });
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const storage = () => `file://${folder}`;
const env = () => ({ PGPASSWORD: target.password });
const dumpArguments = (group: string) => [
	'dump',
	'--storage',
	storage(),
	'--database',
	databaseUrl(target),
	'--group',
	group,
];

describe('n8n-backup', () => {
	it('dumps, lists, and what it stored is restored by hand', async () => {
		const dumped = await run(
			[...dumpArguments('postgres/shop'), '--recipient', recipient, '--identity', keyFile, '--json'],
			env(),
		);
		expect(dumped).toMatchObject({ code: 0, stderr: '' });
		const manifest = JSON.parse(dumped.stdout) as { label: string; location: string };
		expect(manifest).toMatchObject({ group: 'postgres/shop', type: 'full', encryption: { proved: true } });

		const listed = await run(['list', '--storage', storage(), '--json']);
		expect(JSON.parse(listed.stdout)).toEqual([
			expect.objectContaining({
				group: 'postgres/shop',
				label: manifest.label,
				type: 'full',
				startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
			}),
		]);
		expect((await run(['list', '--storage', storage()])).stdout).toContain(`postgres/shop/${manifest.label}`);

		const restored = await (await sharedPostgres(15)).createDatabase();
		await restoreByHand(join(folder, 'postgres/shop', manifest.label, 'dump.sql.zst.age'), keyFile, restored);
		expect(await definitionOf(restored)).toBe(await definitionOf(target));
		expect(await rowsOf(restored)).toEqual(await rowsOf(target));
	});

	it('stores in S3, with keys from the environment', async () => {
		const bucket = await s3().makeBucket();
		const url = `s3://${bucket}/some/prefix?endpoint=${s3().endpoint}&region=us-east-1`;
		const keys = { AWS_ACCESS_KEY_ID: s3().keys.accessKey, AWS_SECRET_ACCESS_KEY: s3().keys.secretKey };
		const args = [
			'dump',
			'--storage',
			url,
			'--database',
			databaseUrl(target),
			'--group',
			'g',
			'--recipient',
			recipient,
		];
		expect(await run(args, { ...env(), ...keys })).toMatchObject({ code: 0 });
		const { stdout } = await run(['list', '--storage', url, '--json'], keys);
		expect(JSON.parse(stdout)).toHaveLength(1);
	});

	it('encrypts with a passphrase from the environment', async () => {
		const passphrase = 'correct horse battery staple';
		const dumped = await run([...dumpArguments('passphrase'), '--json'], {
			...env(),
			N8N_BACKUP_PASSPHRASE: passphrase,
		});
		expect(JSON.parse(dumped.stdout)).toMatchObject({ encryption: { method: 'passphrase', proved: true } });
		expect(dumped.stdout + dumped.stderr).not.toContain(passphrase);
	});

	it('checks, and says what to mend', async () => {
		const good = await run(['check', '--storage', storage(), '--database', databaseUrl(target)], env());
		expect(good).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ok {6}storage: /) });
		const bad = await run(['check', '--storage', 'file:///nonexistent/backups', '--json']);
		expect(bad.code).toBe(1);
		expect(JSON.parse(bad.stdout)).toMatchObject({
			ok: false,
			findings: [{ check: 'storage', ok: false, hint: expect.any(String) }, { check: 'signatures' }, {}],
		});
	});

	it.each<[string, () => string[], number, RegExp]>([
		['no command', () => [], 2, /Usage: n8n-backup/],
		['an unknown command', () => ['explode'], 2, /unknown command/],
		['a missing option', () => ['dump', '--storage', storage()], 2, /required option/],
		['an unknown format', () => [...dumpArguments('g'), '--format', 'tar'], 2, /Allowed choices are plain, custom/],
		['nobody who may open the backup', () => dumpArguments('g'), 2, /--recipient/],
		['two ways to encrypt', () => [...dumpArguments('g'), '--recipient', recipient, '--no-encryption'], 2, /two ways/],
		['a level of 20', () => [...dumpArguments('g'), '--recipient', recipient, '--zstd-level', '20'], 2, /1 to 19/],
		['a group with dots', () => [...dumpArguments('../g'), '--recipient', recipient], 2, /"\.\.\/g"/],
		['a storage of no kind', () => ['list', '--storage', 'ftp://x'], 2, /storage URL cannot be read/],
		['a storage without backups', () => ['list', '--storage', `file://${__dirname}`], 1, /there are no backups in/],
		[
			'a missing identity file',
			() => [...dumpArguments('g'), '--recipient', recipient, '--identity', '/nope'],
			2,
			/\/nope/,
		],
	])('ends with its exit code on %s', async (_, args, code, message) => {
		const finished = await run(args(), env());
		expect({ code: finished.code, said: finished.stdout + finished.stderr }).toEqual({
			code,
			said: expect.stringMatching(message),
		});
		expect(finished.stderr).not.toMatch(/\n\s+at /);
	});

	it('does not take a password on the command line', async () => {
		const url = databaseUrl(target).replace('@', ':hunter22@');
		const finished = await run(['check', '--storage', storage(), '--database', url]);
		expect(finished).toMatchObject({ code: 2, stderr: expect.stringContaining('PGPASSWORD') });
		expect(finished.stderr).not.toContain('hunter22');
	});

	it('tells what happens, when asked to, on stderr', async () => {
		const quiet = await run(['list', '--storage', storage()], env());
		expect(quiet.stderr).toBe('');
		const { stderr } = await run([...dumpArguments('told'), '--recipient', recipient, '--verbose'], env());
		expect(stderr).toMatch(/^\d\d:\d\d:\d\d storing$/m);
	});

	it('says that another run holds the group with exit code 5', async () => {
		const lock = await acquireLock(openStorage(storage(), {}), 'held');
		try {
			expect(await run([...dumpArguments('held'), '--recipient', recipient], env())).toMatchObject({ code: 5 });
		} finally {
			await lock.release();
		}
	});
});

describe('a database URL', () => {
	it.each<[string, object]>([
		['postgres://u@h:6543/d?sslmode=verify-full', { host: 'h', port: 6543, user: 'u', database: 'd', tls: 'verify' }],
		['postgresql://u@h/d?sslmode=require', { port: 5432, tls: 'encrypt' }],
		['postgres://u@h/d', { tls: 'prefer' }],
		['postgres://a%40b@h/my%2Fdb', { user: 'a@b', database: 'my/db' }],
		['postgres://u@h/..', { database: '..' }],
		['postgres://u@h/%2E?sslmode=disable', { database: '.' }],
		['postgres://u@[::1]:6543/d', { host: '::1', port: 6543, database: 'd' }],
		['postgres://u@h/d?sslmode=verify-full&channel_binding=require', { tls: 'verify' }],
		['postgres://u@h/d?channel_binding=prefer', { tls: 'prefer' }],
	])('%s is understood', async (url, expected) => {
		expect(await parseDatabaseUrl(url, {})).toMatchObject(expected);
	});

	it.each([
		'mysql://h/d',
		'not a url',
		'postgres://h/d?sslmode=maybe',
		'postgres://h/d?options=-c',
		'postgres://h/d?sslmode=require&channel_binding=require',
		'postgres://h/d?sslrootcert=/nope',
	])('%s is refused', async (url) =>
		expect(parseDatabaseUrl(url, {})).rejects.toMatchObject({ code: 'invalid-input' }),
	);

	it('takes its password from a password file', async () => {
		const file = join(folder, 'pgpass');
		writeFileSync(file, 'h:5432:d:u:from-the-file\n', { mode: 0o600 });
		process.env.PGPASSFILE = file;
		try {
			expect((await parseDatabaseUrl('postgres://u@h/d', {})).password).toBe('from-the-file');
		} finally {
			delete process.env.PGPASSFILE;
		}
	});
});

describe('the encryption options', () => {
	it('take recipients from a file as well', async () => {
		const file = join(folder, 'recipients.txt');
		writeFileSync(file, `# two\n${recipient}\n${(await generateIdentity()).recipient}\n`);
		expect(await readEncryption({ recipientsFile: file }, {})).toMatchObject({
			encryption: { recipients: [recipient, expect.any(String)] },
		});
	});
});

test('only of the command wal-get every failure has the exit code of a server that must not go on', async () => {
	const wrong = ['--storage', 'nowhere', '--json'];
	expect((await run(['wal-get', ...wrong])).code).toBeGreaterThan(125);
	expect((await run(['--verbose', 'wal-get', ...wrong])).code).toBeGreaterThan(125);
	expect((await run(['ls', ...wrong, '--group', 'wal-get'])).code).toBe(2);
});
