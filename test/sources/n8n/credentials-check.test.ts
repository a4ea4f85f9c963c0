/** Whether n8n's credentials open with the key that was archived. What opens was written by a real n8n (written-by-n8n.json). */
import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { DatabaseTarget } from '../../../core/sources/postgres/connection/target';
import { Repository } from '../../../core/records/repository';
import { filesDrill } from '../../../core/sources/files/restore/restorer';
import { filesSource } from '../../../core/sources/files/source';
import { n8nChecks } from '../../../core/sources/n8n/checks';
import { countOpened, type KeyRow } from '../../../core/sources/n8n/credentials';
import { keyFrom } from '../../../core/sources/n8n/key';
import { openInSqlite } from '../../../core/sources/n8n/in-sqlite';
import type { Scratch } from '../../../core/sources/postgres/drill/scratch-database';
import { postgresDrill } from '../../../core/sources/postgres/drill/drill';
import { DEFAULT_DUMP_OPTIONS, postgresSource } from '../../../core/sources/postgres/dump/dump';
import type { Source } from '../../../core/sources/source';
import { MemoryStorage } from '../../../core/storage/memory';
import { backUp } from '../../../core/verbs/backup/backup';
import { lookIntoPartner } from '../../../core/verbs/look/partner';
import { verifyBackup } from '../../../core/verbs/verify/verify';
import { nextSecond, stopClock } from '../../support/clock';
import { createFolder, removeFolder } from '../../support/folders';
import { type PostgresServer, sharedPostgres, sql } from '../../support/postgres';
import { makeN8nFolder, written } from '../../support/n8n-folder';

const { signal } = new AbortController();
const KEY = written.encryptionKey;
const WRONG = 'A'.repeat(KEY.length);
const keys: KeyRow[] = written.keys;
const data = written.credentials.map((row) => row.data);
/** What no result, no message and no evidence may say. */
const SECRETS = [KEY, WRONG, 'not a secret', ...written.credentials.map(({ name }) => name)];

let top: string;
let n8n: string;
let storage: MemoryStorage;
let repository: Repository;

stopClock();
beforeEach(async () => {
	top = createFolder('n8n');
	n8n = path.join(top, '.n8n');
	storage = new MemoryStorage();
	repository = await Repository.open(storage, { create: true, signal });
	writeConfig(KEY);
});
afterEach(() => removeFolder(top));

function write(name: string, text: string): void {
	fs.mkdirSync(path.dirname(path.join(top, name)), { recursive: true });
	fs.writeFileSync(path.join(top, name), text);
}

const writeConfig = (encryptionKey: string) => write('.n8n/config', JSON.stringify({ encryptionKey }));

async function back(group: string, source: Source, tags: string[] = []): Promise<string> {
	nextSecond();
	const { manifest } = await backUp({ ...{ storage, group, source, encryption: null, type: 'full', tags, signal } });
	return manifest.label;
}

const archive = async (paths = [n8n], tags?: string[]) => await back('files/n8n', filesSource({ paths }), tags);

/** Verifies by a restore, with the check. */
async function verify(group: string, label: string, scratch: Scratch = { kind: 'embedded' }) {
	const checks = n8nChecks({
		group: 'files/n8n',
		withArchive: async (of, work) =>
			await lookIntoPartner({ repository, group: 'files/n8n', of, keys: null, signal }, work),
	});
	const drills = [postgresDrill({ scratch, checks: [checks.database] }), filesDrill({ checks: [checks.files] })];
	const result = await verifyBackup({ ...{ repository, group, label, depth: 'restored', keys: null, drills, signal } });
	const said = JSON.stringify(result) + (await evidence());
	for (const secret of SECRETS) expect(said).not.toContain(secret);
	return { ...result, done: checks.done };
}

/** All evidence that is stored. */
async function evidence(): Promise<string> {
	const texts: string[] = [];
	for await (const { key } of storage.list('')) {
		if (!path.basename(key).startsWith('verified-')) continue;
		for await (const chunk of await storage.read(key)) texts.push(String(chunk));
	}
	return texts.join('\n');
}

describe('a key', () => {
	it('opens what a real n8n has written in both ways, and another one opens none of it', async () => {
		expect(data.map((each) => each.includes(':'))).toEqual(expect.arrayContaining([true, false]));
		const all = { credentials: data.length, keys: keys.filter(({ type }) => type !== 'instance.id').length };
		expect(await countOpened(KEY, keys, data)).toEqual({
			...{ ...all, openCredentials: all.credentials, openKeys: all.keys },
		});
		expect(await countOpened(WRONG, keys, data)).toEqual({ ...all, openCredentials: 0, openKeys: 0 });
		expect(await countOpened(null, keys, data)).toEqual({ ...all, openCredentials: 0, openKeys: 0 });
	});

	it('opens the classic ones without a table of keys, as earlier versions of n8n have none, and those of a lost data key not', async () => {
		const classic = data.filter((each) => !each.includes(':'));
		expect(await countOpened(KEY, [], data)).toEqual({
			...{ credentials: data.length, openCredentials: classic.length, keys: 0, openKeys: 0 },
		});
	});

	it.each([
		['nothing', ''],
		['a cut one', data[0]!.slice(0, 24)],
		['a changed one', data[0]!.slice(0, -8) + 'AAAAAAA='],
		['the id of no key', `nobody:${data[0]}`],
		['an id that cannot be', `no body:${data[0]}`],
		['what is no base64', '\u0000***'],
	])('does not open %s', async (_, text) => {
		expect(await countOpened(KEY, keys, [text])).toMatchObject({ credentials: 1, openCredentials: 0 });
	});
});

describe('the file with the key', () => {
	/** What is found in a file of an archive. */
	async function found(files: Record<string, string>) {
		for (const [name, text] of Object.entries(files)) write(name, text);
		await archive([top]);
		return await lookIntoPartner(
			{ ...{ repository, group: 'files/n8n', keys: null, signal }, of: { group: 'postgres/n8n', label: '' } },
			async (backup) => {
				const each = Object.keys(files).map(async (name) => {
					return [name, await keyFrom(backup, { file: path.join(top, name), signal })] as const;
				});
				return Object.fromEntries(await Promise.all(each));
			},
		);
	}

	it('may be one of the environment, of Compose, a secret, or a config elsewhere', async () => {
		const files = {
			'.env': `# key\nOTHER=1\nexport N8N_ENCRYPTION_KEY="${KEY}"\n`,
			'compose.yml': `services:\n  n8n:\n    environment:\n      N8N_ENCRYPTION_KEY: ${KEY}\n`,
			'compose.yaml': `services: {n8n: {environment: [DB_TYPE=sqlite, N8N_ENCRYPTION_KEY=${KEY}]}}\n`,
			secret: `${KEY}\n`,
			'moved.json': `{ "encryptionKey": "${KEY}" }`,
		};
		expect(await found(files)).toEqual(Object.fromEntries(Object.keys(files).map((name) => [name, { key: KEY }])));
	});

	it('may hold none, and then it is said why', async () => {
		const names = {
			'elsewhere.env': 'N8N_ENCRYPTION_KEY=${FROM_ELSEWHERE}\n',
			'removed.env': 'N8N_ENCRYPTION_KEY=REMOVED-BY-BACKUP\n',
			'other.env': 'N8N_HOST=example.org\n',
			'broken.env': 'N8N_ENCRYPTION_KEY="no end\n',
		};
		expect(await found(names)).toEqual({
			'elsewhere.env': { missing: `${path.join(top, 'elsewhere.env')} takes the key from elsewhere: name that file` },
			'removed.env': { missing: `${path.join(top, 'removed.env')} was archived without its secrets` },
			'other.env': { missing: `${path.join(top, 'other.env')} holds no key of n8n` },
			'broken.env': { missing: `${path.join(top, 'broken.env')} holds no key of n8n` },
		});
	});
});

describe('n8n on PostgreSQL', () => {
	let server: PostgresServer;
	let database: DatabaseTarget;
	beforeAll(async () => {
		server = await sharedPostgres(18);
		database = await server.createDatabase();
		await sql(
			database,
			`CREATE TABLE n8n_credentials_entity (id varchar(36) PRIMARY KEY, name varchar(128), data text);
			CREATE TABLE n8n_deployment_key (id varchar(36) PRIMARY KEY, type varchar(64), value text, algorithm varchar(20));`,
		);
		for (const { id, type, value, algorithm } of keys) {
			await sql(database, 'INSERT INTO n8n_deployment_key VALUES ($1, $2, $3, $4)', [id, type, value, algorithm]);
		}
		for (const { id, name, data: text } of written.credentials) {
			await sql(
				database,
				`INSERT INTO n8n_credentials_entity SELECT i || '-' || $1, $2, $3 FROM generate_series(1, ${TIMES}) i`,
				[id, name, text],
			);
		}
	}, 120_000);

	/** More than one page of them. */
	const TIMES = 20;
	const COUNT = TIMES * data.length;
	const dump = async (tags?: string[]) =>
		await back('postgres/n8n', postgresSource(database, DEFAULT_DUMP_OPTIONS), tags);

	it('all credentials open with the key of the same set, and the result and its evidence say how many', async () => {
		await archive([n8n], ['set-1']);
		const label = await dump(['set-1']);
		writeConfig(WRONG);
		await archive([n8n], ['set-2']);
		const result = await verify('postgres/n8n', label);
		expect(result).toMatchObject({
			...{ outcome: 'ok', done: 1 },
			message: expect.stringContaining(`; ${COUNT} of ${COUNT} credentials of n8n open`),
			assertions: [{ name: 'n8n’s credentials', ok: true, figures: { credentials: COUNT, openCredentials: COUNT } }],
		});
		expect(JSON.parse(await evidence())).toMatchObject({
			outcome: 'ok',
			facts: { credentials: COUNT, openCredentials: COUNT },
		});
	});

	it('is a bad backup with the key of another n8n, as the newest archive has it, and says so', async () => {
		writeConfig(WRONG);
		await archive();
		const label = await dump();
		const result = await verify('postgres/n8n', label, { kind: 'server', target: server.target() });
		expect(result).toMatchObject({
			...{ outcome: 'bad', code: 'assertion-failed' },
			message: expect.stringMatching(
				`1 of 1 assertions failed: n8n’s credentials: 0 of ${COUNT} credentials of n8n open with the key in files/n8n/\\S+, and 0 of 5 of n8n’s own keys$`,
			),
			hint: expect.stringMatching(/ask for every credential again/),
		});
		expect(JSON.parse(await evidence())).toMatchObject({
			outcome: 'failed',
			failure: { message: `1 of 1 assertions failed: 0 of ${COUNT} credentials of n8n open` },
		});
	});

	it('says nothing against a backup where the archive is not there, cannot be read, or is of something else', async () => {
		const label = await dump();
		expect(await verify('postgres/n8n', label)).toMatchObject({ outcome: 'environment', code: 'not-found' });
		write('config', JSON.stringify({ encryptionKey: WRONG }));
		const archived = await archive([top]);
		expect(await verify('postgres/n8n', label)).toMatchObject({
			...{ outcome: 'environment', code: 'invalid-input' },
			message: expect.stringContaining('2 different keys'),
		});
		await storage.remove(`files/n8n/${archived}/index.jsonl.zst`);
		expect(await verify('postgres/n8n', label)).toMatchObject({ outcome: 'environment' });
		await back('files/n8n', postgresSource(database, DEFAULT_DUMP_OPTIONS));
		expect(await verify('postgres/n8n', label)).toMatchObject({
			...{ outcome: 'environment', code: 'invalid-input' },
			message: expect.stringContaining('is not a backup of files'),
		});
		expect(await evidence()).toBe('');
	});
});

describe('n8n on SQLite', () => {
	beforeEach(() => {
		fs.rmSync(n8n, { recursive: true });
		makeN8nFolder(top);
	});

	it('key and database come out of one archive, differential and all', async () => {
		fs.copyFileSync(path.join(n8n, 'database.sqlite'), path.join(n8n, 'copy-before-update.sqlite'));
		const result = await verify('files/n8n', await archive());
		expect(result).toMatchObject({ outcome: 'ok', done: 1, restoreSeconds: expect.any(Number) });
		expect(result.message).toContain(`${data.length} of ${data.length} credentials of n8n open`);
	});

	it.each<[string, () => void, RegExp]>([
		['another key', () => writeConfig(WRONG), /with the key in files\/n8n\/\S+, and 0 of 5 of n8n’s own keys$/],
		['a config without one', () => write('.n8n/config', '{}'), /: \S+\.n8n\/config holds no key of n8n$/],
		['no config', () => fs.rmSync(path.join(n8n, 'config')), /has no file "config" of n8n, which holds it$/],
	])('is a bad backup with %s', async (_, change, why) => {
		change();
		const result = await verify('files/n8n', await archive());
		expect(result).toMatchObject({
			...{ outcome: 'bad', code: 'assertion-failed' },
			message: expect.stringContaining(`0 of ${data.length} credentials of n8n open`),
		});
		expect(result.message).toMatch(why);
	});

	it('is not asked of an archive of another group, or without a database', async () => {
		const label = await back('files/www', filesSource({ paths: [n8n] }));
		expect(await verify('files/www', label)).toMatchObject({ outcome: 'ok', assertions: [], done: 0 });
		fs.rmSync(path.join(n8n, 'database.sqlite'));
		expect(await verify('files/n8n', await archive())).toMatchObject({ outcome: 'ok', assertions: [], done: 0 });
	});

	it('takes no longer than it may, and no row that n8n would not write', async () => {
		const file = path.join(n8n, 'database.sqlite');
		await expect(openInSqlite({ file, key: KEY }, signal, 1)).rejects.toMatchObject({ code: 'timed-out' });
		await expect(openInSqlite({ file, key: KEY }, AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
		const database = new DatabaseSync(file);
		database.prepare('UPDATE credentials_entity SET data = ?').run('x'.repeat(1_000_001));
		database.close();
		await expect(openInSqlite({ file, key: KEY }, signal)).rejects.toMatchObject({ code: 'unsupported' });
		fs.writeFileSync(file, 'SQLite format 3\0 and nothing of it');
		await expect(openInSqlite({ file, key: KEY }, signal)).rejects.toMatchObject({
			...{ code: 'unsupported', message: expect.stringMatching(/^n8n’s SQLite database cannot be read/) },
		});
	});
});
