/** What every command says when something refuses: of which object, and what to do. */
import {
	cpSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { main } from '../../bin/n8n-backup';
import { generateIdentity } from '../../core/codecs/age/keys';
import { generateSigningKey } from '../../core/codecs/sshsig/keys';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { databaseUrl, run } from '../support/command-line';
import { sharedPostgres, sql } from '../support/postgres';
import { sharedS3 } from '../support/s3';

interface Refusal {
	args: string[];
	env?: NodeJS.ProcessEnv;
	/** What the first line must name. */
	names: string;
	/** What its hint must say. */
	hint: RegExp;
}

const s3 = sharedS3();
const root = mkdtempSync(path.join(tmpdir(), 'refusals-'));
const at = (name: string) => path.join(root, name);
const PASSWORD_OF_NOBODY = 'wrong-password-of-nobody';
const NEVER = '20260101T000000Z-full-aaaa';
let target: DatabaseTarget;
let env: NodeJS.ProcessEnv;
/** Labels of the two backups. */
let shop: string;
let site: string;

/** A storage of its own with both backups, in which something was changed. */
function damaged(name: string, change: (backup: string) => void, group = 'postgres/shop'): string {
	cpSync(at('backups'), at(name), { recursive: true });
	change(path.join(at(name), group, group === 'postgres/shop' ? shop : site));
	return `file://${at(name)}`;
}

function object(backup: string, begins: string): string {
	return path.join(backup, readdirSync(backup).find((name) => name.startsWith(begins) && !name.endsWith('.sig'))!);
}

function flip(file: string): void {
	const bytes = readFileSync(file);
	bytes[bytes.length >> 1]! ^= 1;
	writeFileSync(file, bytes);
}

beforeAll(async () => {
	target = await (await sharedPostgres(15)).createDatabase();
	await sql(target, 'CREATE TABLE t AS SELECT i AS id, md5(i::text) AS v FROM generate_series(1, 2000) i');
	env = { PGPASSWORD: target.password };
	for (const folder of ['backups', 'files', 'empty']) mkdirSync(at(folder));
	writeFileSync(at('files/a.txt'), 'a'.repeat(1000));
	for (const name of ['key', 'other']) {
		const { identity, recipient } = await generateIdentity();
		writeFileSync(at(`${name}.txt`), `${identity}\n`, { mode: 0o600 });
		writeFileSync(at(`${name}.pub`), `${recipient}\n`);
	}
	const store = ['--storage', `file://${at('backups')}`, '--recipients-file', at('key.pub'), '--json'];
	const made = async (args: string[]) => {
		const { code, stdout, stderr } = await run([...args, ...store], env);
		if (code !== 0) throw new Error(stderr);
		return (JSON.parse(stdout) as { label: string }).label;
	};
	shop = await made(['dump', '--database', databaseUrl(target), '--group', 'postgres/shop']);
	site = await made(['archive', '--path', at('files'), '--group', 'files/site']);
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Every way in which a storage, a server, a file, a key or a name can refuse that a command meets. */
function refusals(): Refusal[] {
	const here = ['--storage', `file://${at('backups')}`];
	const open = ['--identity', at('key.txt')];
	const dump = (database: string, storage = here) => [
		...['dump', ...storage, '--database', database, '--group', 'postgres/shop'],
		...['--recipients-file', at('key.pub')],
	];
	const url = (database: string) => databaseUrl({ ...target, database });
	const restore = (from = here, name = 'postgres/shop') => ['restore', ...from, name, '--to', url('nobody_makes_this')];
	const bucket = (name: string, endpoint = s3().endpoint) => `s3://${name}/x?endpoint=${endpoint}&region=us-east-1`;
	const keys = { AWS_ACCESS_KEY_ID: s3().keys.accessKey, AWS_SECRET_ACCESS_KEY: s3().keys.secretKey };
	const names = (names: string, hint: RegExp, args: string[], more: NodeJS.ProcessEnv = {}) => {
		return { args, names, hint, env: { ...env, ...more } };
	};
	const from = (storage: string) => ['--storage', storage];
	const [lost, cut, flipped, exchanged] = [
		damaged('lost', (backup) => rmSync(object(backup, 'dump'))),
		damaged('cut', (backup) => truncateSync(object(backup, 'dump'), 20_000)),
		damaged('flipped', (backup) => flip(object(backup, 'dump'))),
		damaged('exchanged', (backup) => cpSync(object(backup, 'contents'), object(backup, 'dump'))),
	];
	const noManifest = damaged('no-json', (backup) => writeFileSync(path.join(backup, 'manifest.json'), '{"format":'));
	const badIndex = damaged('index', (backup) => flip(object(backup, 'index')), 'files/site');
	const badRepository = damaged('repository', () => writeFileSync(at('repository/repository.json'), 'x'));
	writeFileSync(at('half.key'), '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n', { mode: 0o600 });
	writeFileSync(at('signers'), 'backup ssh-rsa AAAA\n');
	writeFileSync(at('others'), `${generateSigningKey().publicKey}\n`);
	const nowhere = at('nowhere');
	return [
		// storages
		names(nowhere, /Create the folder|mount/, ['list', ...from(`file://${nowhere}`)]),
		names(nowhere, /Create the folder|mount/, dump(url(target.database), from(`file://${nowhere}`))),
		names(nowhere, /Create the folder|mount/, ['status', ...from(`file://${nowhere}`)]),
		names(nowhere, /Create the folder|mount/, ['copy', ...here, 'postgres/shop', '--to-storage', `file://${nowhere}`]),
		names(at('empty'), /location and prefix/, ['list', ...from(`file://${at('empty')}`)]),
		names(at('key.txt'), /folder/, ['list', ...from(`file://${at('key.txt')}`)]),
		names('repository.json', /./, dump(url(target.database), from(badRepository))),
		names('no-such-bucket', /bucket’s name/, ['list', ...from(bucket('no-such-bucket'))], keys),
		names('some-bucket', /secret access key/, ['list', ...from(bucket('some-bucket'))], {
			...keys,
			AWS_SECRET_ACCESS_KEY: PASSWORD_OF_NOBODY,
		}),
		names('some-bucket', /access key ID/, ['list', ...from(bucket('some-bucket'))], {
			...keys,
			AWS_ACCESS_KEY_ID: 'NOBODY',
		}),
		names('some-bucket', /host and port/, ['list', ...from(bucket('some-bucket', 'http://127.0.0.1:1'))], keys),
		names(
			'127.0.0.1:1',
			/runs|host|network/i,
			['list', ...from(`sftp://me@127.0.0.1:1/b?hostKey=SHA256:${'A'.repeat(43)}`)],
			{
				N8N_BACKUP_SFTP_PASSWORD: PASSWORD_OF_NOBODY,
			},
		),
		names(
			'no-such-bucket',
			/bucket’s name/,
			[
				...['bucket', ...here, '--group', 'bucket/x', '--recipients-file', at('key.pub')],
				...['--from', bucket('no-such-bucket')],
			],
			keys,
		),
		// servers
		names('nobody_has_this', /database name/, dump(url('nobody_has_this'))),
		names(target.database, /user and password/, dump(url(target.database)), { PGPASSWORD: PASSWORD_OF_NOBODY }),
		names('127.0.0.1:1', /host and port/, dump('postgres://me@127.0.0.1:1/shop')),
		names('no.such.invalid', /host and port/, dump('postgres://me@no.such.invalid/shop')),
		names(target.database, /filter/, [...dump(url(target.database)), '--schema', 'nobody_has_this']),
		names(target.database, /another name|replace/, [...restore(), ...open].with(-3, url(target.database))),
		names(target.database, /confirm/, [...restore(), ...open, '--into', 'replace'].with(-5, url(target.database))),
		names('127.0.0.1:1', /host and port/, [
			...['verify', ...here, 'postgres/shop', '--depth', 'restored', ...open],
			...['--scratch', 'postgres://me@127.0.0.1:1/postgres'],
		]),
		names('nobody_has_this', /database name/, [
			...['base', ...here, '--group', 'cluster/x', '--recipients-file', at('key.pub')],
			...['--database', url('nobody_has_this')],
		]),
		// files
		names(at('files/none'), /mounted/, [
			...['archive', ...here, '--group', 'files/none', '--path', at('files/none'), '--recipients-file', at('key.pub')],
		]),
		names(at('files'), /empty folder/, ['restore', ...here, 'files/site', ...open, '--to', at('files')]),
		names('/proc/n8n', /may write/, ['restore', ...here, 'files/site', ...open, '--to', '/proc/n8n']),
		names('*.none', /pattern/, [
			...['restore', ...here, 'files/site', ...open, '--to', at('x')],
			'--include',
			'*.none',
		]),
		names('no/such', /without a path/, ['ls', ...here, 'files/site', 'no/such', ...open]),
		names(at('files/none'), /mounted|path/, ['config', 'discover', '--search', at('files/none')]),
		// keys
		...[restore(), ['verify', ...here, 'postgres/shop', '--depth', 'readable'], ['ls', ...here, 'files/site']].flatMap(
			(verb) => {
				const group = verb.includes('files/site') ? 'files/site' : 'postgres/shop';
				return [
					names(group, /identity that belongs/, [...verb, '--identity', at('other.txt')]),
					names(group, /identity|key/, verb),
					names(group, /identity that belongs/, verb, { N8N_BACKUP_PASSPHRASE: PASSWORD_OF_NOBODY }),
				];
			},
		),
		names(at('nowhere.txt'), /path/, [...restore(), '--identity', at('nowhere.txt')]),
		names(at('key.pub'), /AGE-SECRET-KEY/, [...restore(), '--identity', at('key.pub')]),
		names(at('key.txt'), /age1/, [...dump(url(target.database)).slice(0, -1), at('key.txt')]),
		names('--recipient', /age1/, [...dump(url(target.database)).slice(0, -2), '--recipient', 'age1abc']),
		names(at('half.key'), /BEGIN OPENSSH/, [...dump(url(target.database)), '--signing-key', at('half.key')]),
		names(at('signers'), /ed25519/, ['verify', ...here, 'postgres/shop', '--signers', at('signers')]),
		// names
		...[
			...[restore(here, 'postgres/none'), ['ls', ...here, 'postgres/none'], ['verify', ...here, 'postgres/none']],
			['copy', ...here, 'postgres/none', '--to-storage', `file://${at('empty')}`],
			['expire', ...here, '--group', 'postgres/none', '--policy', 'critical'],
		].map((verb) => names('postgres/none', /name|group/, verb)),
		...[
			...[restore(here, `postgres/shop/${NEVER}`), ['ls', ...here, `postgres/shop/${NEVER}`]],
			['copy', ...here, `postgres/shop/${NEVER}`, '--to-storage', `file://${at('empty')}`],
			...[
				['pin', ...here, `postgres/shop/${NEVER}`],
				['unpin', ...here, `postgres/shop/${NEVER}`],
			],
			['approve', ...here, `postgres/shop/${NEVER}`],
			['diff', ...here, 'files/site', NEVER, NEVER.replace('aaaa', 'bbbb')],
		].map((verb) => names(NEVER, /./, verb)),
		names('files/site', /another backup|command/i, restore(here, 'files/site')),
		names('20260101T000000Z', /runs/, ['cancel', ...here, '20260101T000000Z']),
		names('nonsense', /presets are/, ['expire', ...here, '--all-groups', '--policy', 'nonsense']),
		// what lies there
		names(shop, /[Uu]se another backup/, [...restore(from(lost)), ...open]),
		names(shop, /[Uu]se another backup/, [...restore(from(cut)), ...open]),
		names('dump.sql.zst.age', /[Uu]se another backup/, [...restore(from(flipped)), ...open]),
		names(shop, /[Uu]se another backup/, [...restore(from(exchanged)), ...open]),
		names(shop, /[Uu]se another backup/, [...restore(from(noManifest), `postgres/shop/${shop}`), ...open]),
		names(shop, /by hand/, [...restore(from(noManifest)), ...open]),
		names(shop, /by its name/, [...restore(), ...open, '--signers', at('others')]),
		names(shop, /[Uu]se another backup/, ['verify', ...from(lost), `postgres/shop/${shop}`]),
		names(shop, /[Uu]se another backup/, [
			'verify',
			...from(flipped),
			`postgres/shop/${shop}`,
			'--depth',
			'readable',
			...open,
		]),
		names(shop, /[Uu]se another backup/, [
			'copy',
			...from(noManifest),
			`postgres/shop/${shop}`,
			'--to-storage',
			`file://${at('empty')}`,
		]),
		names('index', /[Uu]se another backup/, ['ls', ...from(badIndex), 'files/site', ...open]),
	];
}

/** What the command line says, in this process: to start one for each would take a minute. */
async function said({ args, env: given }: Refusal): Promise<{ code: number; text: string }> {
	const before = { ...process.env };
	let text = '';
	const streams = [process.stdout, process.stderr] as const;
	const written = streams.map((stream) =>
		jest.spyOn(stream, 'write').mockImplementation((chunk) => {
			text += String(chunk);
			return true;
		}),
	);
	try {
		Object.assign(process.env, { HOME: '/nonexistent' }, given);
		return { code: await main(args), text };
	} finally {
		for (const each of written) each.mockRestore();
		for (const stream of streams) stream.removeAllListeners('error');
		for (const name of Object.keys(process.env)) delete process.env[name];
		Object.assign(process.env, before);
	}
}

it('every refusal names its object in its first line, says what to do in the next, and tells no secret', async () => {
	const wrong: string[] = [];
	for (const refusal of refusals()) {
		const { code, text } = await said(refusal);
		const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('warning: '));
		const first = lines.findIndex((line) => line.includes(refusal.names));
		const isTold = first >= 0 && /^ {2}\S/.test(lines[first + 1] ?? '') && refusal.hint.test(lines[first + 1]!);
		const secrets = [target.password!, PASSWORD_OF_NOBODY, 'AGE-SECRET-KEY-1', 'a defect of this program'];
		const isSafe = secrets.every((secret) => !text.includes(secret));
		if (code === 0 || !isTold || !isSafe) wrong.push(`${refusal.args.join(' ')}\n→ ${code}: ${text}`);
	}
	expect(wrong).toEqual([]);
});

it('what was deleted from a bucket with versions is said to be there still, wherever it is missed', async () => {
	const bucket = await s3().makeLockBucket();
	const storage = ['--storage', `s3://${bucket}/x?endpoint=${s3().endpoint}&region=us-east-1`];
	const keys = { AWS_ACCESS_KEY_ID: s3().keys.accessKey, AWS_SECRET_ACCESS_KEY: s3().keys.secretKey };
	const say = async (...args: string[]) => await said({ args, env: keys, names: '', hint: /./ });
	await say('copy', '--storage', `file://${at('backups')}`, '--missing', '--to-storage', storage[1]!);
	const remove = async (begins: string) => {
		const client = s3().client();
		for await (const { name } of client.listObjectsV2(bucket, `x/${begins}`, true))
			await client.removeObject(bucket, name);
	};
	const wrong: string[] = [];
	const missed = async (...args: string[]) => {
		const { code, text } = await say(...args, ...storage);
		if (code === 0 || !text.includes('docs/append-only.md says how to have it back'))
			wrong.push(`${args.join(' ')}: ${text}`);
	};
	const to = ['--to', databaseUrl({ ...target, database: 'nobody_makes_this' }), '--identity', at('key.txt')];

	await remove(`postgres/shop/${shop}/dump`);
	await missed('verify', `postgres/shop/${shop}`);
	await missed('restore', `postgres/shop/${shop}`, ...to);
	await remove(`postgres/shop/${shop}`);
	await missed('verify', `postgres/shop/${shop}`);
	await missed('restore', 'postgres/shop', ...to);
	await missed('expire', '--group', 'postgres/shop', '--policy', 'critical');
	await missed('pin', `postgres/shop/${shop}`);
	expect((await say('verify', 'postgres/none', ...storage)).text).not.toContain('have it back');
	await remove('');
	await missed('list');
	expect(wrong).toEqual([]);
});
