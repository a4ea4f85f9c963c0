/**
 * The whole way in a real n8n: the packed package, installed as n8n installs it, backs up a real database, and what lies
 * in the storage is opened with age, zstd and psql alone.
 */
import { randomBytes } from 'node:crypto';
import { identityToRecipient } from 'age-encryption';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { escapeLiteral } from 'pg';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { readTemplate } from '../../scripts/lib/n8n-template.mjs';
import { definitionOf, restoreByHand, rowsOf } from '../support/by-hand';
import {
	assertSuccess,
	type Choices,
	type CredentialReference,
	type Execution,
	importTemplate,
	itemsOf,
	N8N_START_MS,
	recordOf,
	served,
	startTestN8n,
	type OwnN8n,
} from '../support/n8n';
import {
	bucketCredential,
	databaseCredential,
	folderCredential,
	keyCredential,
	type KeyPair,
	newFolder,
	newKeyPair,
} from '../support/n8n-credentials';
import { type PostgresServer, sharedPostgres, sql, sqlEach } from '../support/postgres';
import { sharedS3 } from '../support/s3';
import { evidenceBelow, filesBelow, manifestsBelow } from '../support/stored-files';
import { until } from '../support/until';

const TOKEN = `Bearer ${randomBytes(16).toString('hex')}`;
const TRIGGER = 'Start';
const DUMP = 'Dump database';
const VERIFY = 'Verify Each Backup';
const TEST_MS = 180_000;
const s3 = sharedS3();

let n8n: OwnN8n;
let server: PostgresServer;
let source: DatabaseTarget;
let key: KeyPair;
let identityFile: string;
let workFolder: string;
let database: CredentialReference;
let encryption: CredentialReference;
let token: CredentialReference;

beforeAll(async () => {
	// Debian's pg_dump, the judge, must not be older than the server.
	server = await sharedPostgres(15);
	source = await server.createDatabase(undefined, { load: 'many-kinds' });
	workFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'e2e-'));
	key = await newKeyPair();
	identityFile = path.join(workFolder, 'identity.txt');
	fs.writeFileSync(identityFile, `${key.identity}\n`, { mode: 0o600 });
	n8n = await startTestN8n();
	database = await databaseCredential(n8n, source);
	encryption = await keyCredential(n8n, key.recipient, key.identity);
	token = await n8n.client.createCredential({
		name: 'Token',
		type: 'httpHeaderAuth',
		data: { name: 'Authorization', value: TOKEN },
	});
}, N8N_START_MS);

afterAll(async () => {
	await n8n?.stop();
	fs.rmSync(workFolder, { recursive: true, force: true });
}, 60_000);

it(
	'backs up into a folder what age, zstd and psql restore, row by row',
	async () => {
		const folder = newFolder(n8n);
		const id = await importBackup(await folderCredential(n8n, folder), onServer());
		const execution = assertSuccess(await n8n.client.press(id));
		const [item] = itemsOf(execution, 'Back Up Databases');
		expect(item?.json).toMatchObject({ ok: true, status: 'stored', database: source.database, encrypted: true });

		const backup = path.join(String(item?.json.group), String(item?.json.label));
		const file = path.join(folder, backup, 'dump.sql.zst.age');
		expect(fs.statSync(file).size).toBe(item?.json.storedBytes);
		await expectRestored(file);

		expect(itemsOf(execution, VERIFY)[0]?.json).toMatchObject({ ok: true, outcome: 'ok', depth: 'restored' });
		const [evidence, ...more] = evidenceBelow(folder);
		expect(more).toEqual([]);
		expect(evidence).toMatch(new RegExp(`^${backup}/verified-\\d{8}T\\d{6}Z-restored-ok.json$`));
		const report = itemsOf(execution, 'Make Report')[0]?.json;
		expect(report).toMatchObject({ ok: true, notVerified: [] });
		expect(report?.text).toMatch(/verified: restored in \d+\.\d s, \d+ tables? and [\d,]+ rows? as they were/);
	},
	TEST_MS,
);

it(
	'fails the run and names the backup when the restored database is not what it should be',
	async () => {
		const folder = newFolder(n8n);
		const assertion = { name: 'a question that a good backup would answer with yes', sql: 'SELECT false' };
		const id = await importBackup(
			await folderCredential(n8n, folder),
			onServer({ assertions: { assertion: [assertion] } }),
		);
		const execution = await n8n.client.press(id);
		expect(execution.status).toBe('error');
		expect(execution.error?.message).toMatch(/^Backup FAILED: postgres\/\S+\n.*the backup is bad/);
		expect(evidenceBelow(folder)).toEqual([expect.stringMatching(/-restored-failed.json$/)]);
	},
	TEST_MS,
);

it(
	'says that a backup could not be restored embedded, and does not call it bad',
	async () => {
		const folder = newFolder(n8n);
		const execution = await runTemplate({ storage: await folderCredential(n8n, folder) });
		const report = itemsOf(execution, 'Make Report')[0]?.json;
		expect(report).toMatchObject({ ok: true, failed: [], notVerified: [expect.any(String)] });
		expect(report?.text).toMatch(/NOT VERIFIED: .*(?:file_fdw|postgres_fdw)/);
		expect(evidenceBelow(folder)).toEqual([]);
	},
	TEST_MS,
);

it(
	'says what is not proved where n8n has no identity',
	async () => {
		const folder = newFolder(n8n);
		const publicHalf = await keyCredential(n8n, key.recipient);
		const id = await importBackup(await folderCredential(n8n, folder), {
			credentials: { backupEncryptionApi: publicHalf },
		});
		const execution = assertSuccess(await n8n.client.press(id));
		expect(itemsOf(execution, 'Back Up Databases')[0]?.json).toMatchObject({ proved: false });
		expect(itemsOf(execution, 'Make Report')[0]?.json.text).toContain('not opened, for n8n has no identity');
		expect(evidenceBelow(folder)).toEqual([expect.stringMatching(/-stored-ok.json$/)]);
	},
	TEST_MS,
);

it(
	'backs up into S3 what age, zstd and psql restore, row by row',
	async () => {
		const bucket = await s3().makeBucket();
		const storage = await bucketCredential(n8n, s3().options(bucket));
		const [item] = itemsOf(await runTemplate({ storage }), 'Back Up Databases');

		const key = `n8n/${String(item?.json.group)}/${String(item?.json.label)}/dump.sql.zst.age`;
		const file = path.join(workFolder, 'from-s3.sql.zst.age');
		await pipeline(await s3().client().getObject(bucket, key), fs.createWriteStream(file));
		await expectRestored(file);
	},
	TEST_MS,
);

it(
	'runs on request for who knows the token, and answers with the facts or the errors',
	async () => {
		const folder = newFolder(n8n);
		const id = await importBackup(await folderCredential(n8n, folder), { activate: ['Start by Request'] });
		await n8n.client.publishWorkflow(id);
		const request = async (token: string) =>
			await served(() =>
				fetch(`${n8n.server.url}/webhook/database-backup`, { method: 'POST', headers: { authorization: token } }),
			);

		expect((await request('Bearer guess')).status).toBe(403);
		expect(filesBelow(folder)).toEqual([]);

		const answer = await request(TOKEN);
		expect([answer.status, await answer.json()]).toEqual([200, expect.objectContaining({ ok: true })]);
		expect(manifestsBelow(folder)).toHaveLength(1);

		fs.rmSync(folder, { recursive: true });
		const failure = await request(TOKEN);
		expect([failure.status, await failure.json()]).toEqual([500, expect.objectContaining({ ok: false })]);
		await until(
			'n8n has marked the run as failed',
			async () => (await n8n.client.executions(id))[0]?.status === 'error',
		);
	},
	TEST_MS,
);

it(
	'keeps secrets out of what n8n records of a run',
	async () => {
		const execution = await runTemplate({ storage: await folderCredential(n8n, newFolder(n8n)) });
		expect(itemsOf(execution, 'Back Up Databases')[0]?.json).toMatchObject({ proved: true });
		const record = await recordOf(n8n, execution);
		expect(record).not.toContain(key.identity);
		expect(record).not.toContain(source.password);
	},
	TEST_MS,
);

it(
	'sends a refused password to the error output, with a hint, and leaves no backup',
	async () => {
		const folder = newFolder(n8n);
		const wrong = await databaseCredential(n8n, { ...source, password: 'not-the-password' });
		const execution = await run({
			storage: await folderCredential(n8n, folder),
			database: wrong,
			onError: 'continueErrorOutput',
		});
		expect(execution.status).toBe('success');
		expect(itemsOf(execution, DUMP, 0)).toEqual([]);
		const [item] = itemsOf(execution, DUMP, 1);
		expect(item?.json).toMatchObject({
			error: expect.any(String),
			details: { code: 'wrong-credentials', hint: expect.any(String) },
		});
		expect(manifestsBelow(folder)).toEqual([]);
	},
	TEST_MS,
);

it(
	'fails the run when a password is refused and nobody handles it',
	async () => {
		const wrong = await databaseCredential(n8n, { ...source, password: 'not-the-password' });
		const execution = await run({ storage: await folderCredential(n8n, newFolder(n8n)), database: wrong });
		expect(execution.status).toBe('error');
		expect(execution.error?.description).toEqual(expect.any(String));
	},
	TEST_MS,
);

it(
	'answers the Test button of its credentials',
	async () => {
		const content = { name: 'Folder', type: 'backupStorageApi', data: { type: 'folder', path: newFolder(n8n) } };
		const folder = await n8n.client.createCredential(content);
		expect(await n8n.client.testCredential(folder, content)).toMatchObject({ status: 'OK' });
		const missing = { ...content, data: { type: 'folder', path: path.join(n8n.files, 'not-there') } };
		expect(await n8n.client.testCredential(folder, missing)).toMatchObject({
			status: 'Error',
			message: expect.stringContaining('not-there'),
		});

		const empty = { name: 'New', type: 'backupEncryptionApi', data: { method: 'recipients', recipients: '' } };
		const { message } = await n8n.client.testCredential(await n8n.client.createCredential(empty), empty);
		expect(message).toContain('new-key.json');
	},
	TEST_MS,
);

it(
	'makes a key pair in the editor, one half per row, of which n8n keeps nothing',
	async () => {
		const { client } = n8n;
		const workflow = await client.createWorkflow(readTemplate('new-key', { credentials: {} }));
		const { executionId, shown } = await client.watch(workflow, 'When Somebody Wants a Key');
		const [recipient, identity, host] = shown['Make a Key Pair']!.map(({ json }) => String(json.value));
		expect(recipient).toBe(await identityToRecipient(identity!));
		await expect(client.api('GET', `/executions/${executionId}`)).rejects.toThrow(/\b404\b/);
		expect(await tablesWith(n8n.database, identity!)).toEqual([]);
		expect(host).toMatch(/^AGE-SECRET-KEY-1/);
		expect(await tablesWith(n8n.database, host!)).toEqual([]);
		expect(n8n.server.log()).not.toContain(identity);

		// The same node in a workflow as n8n makes it: refused, and shown in red.
		const careless = await client.createWorkflow({
			...readTemplate('new-key', { credentials: {} }),
			settings: { executionOrder: 'v1' },
		});
		const refused = await client.execute(careless, 'When Somebody Wants a Key');
		expect(refused).toMatchObject({ status: 'error', error: { message: expect.stringContaining('no key was made') } });
	},
	TEST_MS,
);

/** Tables that hold a text anywhere. */
async function tablesWith(database: DatabaseTarget, wanted: string): Promise<string[]> {
	const tables = await sql<{ name: string }>(
		database,
		"SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = 'public'",
	);
	expect(tables.length).toBeGreaterThan(20);
	const queries = tables.map(({ name }): [string, string] => [
		name,
		`SELECT EXISTS (SELECT FROM ${name} AS t WHERE position(${escapeLiteral(wanted)} in t::text) > 0) AS found`,
	]);
	const answers = await sqlEach<{ found: boolean }>(database, new Map(queries));
	return [...answers].filter(([, { found }]) => found).map(([name]) => name);
}

describe('with a database that takes long', () => {
	let large: DatabaseTarget;
	let credential: CredentialReference;
	/** A tenth of a megabyte per second: the dump would take minutes. */
	const slow = { rateLimit: 0.1 };

	beforeAll(async () => {
		large = await server.createDatabase();
		await sql(large, 'CREATE TABLE t AS SELECT i, md5(i::text) AS text FROM generate_series(1, 400000) AS i');
		credential = await databaseCredential(n8n, large);
	}, TEST_MS);

	it(
		'stops when somebody presses Stop: no backup, no session left at the server, nothing in the storage',
		async () => {
			const folder = newFolder(n8n);
			const workflow = await createWorkflow({
				storage: await folderCredential(n8n, folder),
				database: credential,
				options: slow,
			});
			const executionId = await n8n.client.start(workflow, TRIGGER);
			await until('the dump reads rows', async () => (await sessions(large)).some((query) => query.startsWith('COPY')));
			await n8n.client.cancel(executionId);
			expect((await n8n.client.ended(executionId)).status).toBe('canceled');
			await until('its sessions are gone', async () => (await sessions(large)).length === 0);
			await until('the storage is clean', async () => filesBelow(folder).every(isNoBackup));
		},
		TEST_MS,
	);

	it(
		'killed with -9, leaves no backup, and the next run removes what it left',
		async () => {
			const folder = newFolder(n8n);
			const storage = await folderCredential(n8n, folder);
			const workflow = await createWorkflow({ storage, database: credential, options: slow });
			await n8n.client.start(workflow, TRIGGER);
			await until('the dump reads rows', async () => (await sessions(large)).some((query) => query.startsWith('COPY')));
			await n8n.server.kill();
			expect(manifestsBelow(folder)).toEqual([]);
			const left = filesBelow(folder).filter((file) => !isNoBackup(file));
			expect(left).not.toEqual([]);

			await n8n.restart();
			const [item] = itemsOf(await backUp({ storage, database: credential }), DUMP);
			expect(item?.json.warnings).toEqual([expect.stringContaining('lock')]);
			expect(filesBelow(folder).filter((file) => left.includes(file))).toEqual([]);
			expect(manifestsBelow(folder)).toHaveLength(1);
		},
		N8N_START_MS,
	);
});

interface Settings {
	storage: CredentialReference;
	database?: CredentialReference;
	encryption?: CredentialReference;
	options?: Record<string, unknown>;
	onError?: 'continueErrorOutput';
}

/** Nothing but the node. */
async function createWorkflow(settings: Settings): Promise<string> {
	return await n8n.client.createWorkflow({
		name: 'Back up',
		nodes: [
			{
				id: 'start',
				name: TRIGGER,
				type: 'n8n-nodes-base.manualTrigger',
				typeVersion: 1,
				position: [0, 0],
				parameters: {},
			},
			{
				id: 'dump',
				name: DUMP,
				type: 'n8n-nodes-backup.postgresDump',
				typeVersion: 1,
				position: [200, 0],
				parameters: { operation: 'dump', databases: 'credential', options: settings.options ?? {} },
				credentials: chosen(settings),
				...(settings.onError ? { onError: settings.onError } : {}),
			},
		],
		connections: { [TRIGGER]: { main: [[{ node: DUMP, type: 'main', index: 0 }]] } },
	});
}

/** @throws Error that says which node failed and why */
async function runTemplate({ storage }: Pick<Settings, 'storage'>): Promise<Execution> {
	return assertSuccess(await n8n.client.press(await importBackup(storage)));
}

async function importBackup(storage: CredentialReference, changes: Partial<Choices> = {}): Promise<string> {
	const credentials = { ...chosen({ storage }), httpHeaderAuth: token, ...changes.credentials };
	// The server is shared with other tests, whose databases would be backed up too.
	const settings = { databases: source.database, ...changes.settings };
	return await importTemplate(n8n, 'database-backup', { ...changes, credentials, settings });
}

/** The database has extensions that the embedded scratch database lacks. @param fields more of the same node */
function onServer(fields: Record<string, unknown> = {}): Partial<Choices> {
	return {
		fieldsOf: { [VERIFY]: { scratch: 'server', ...fields } },
		credentialsOf: { [VERIFY]: { postgres: database } },
	};
}

function chosen(settings: Settings): Record<string, CredentialReference> {
	return {
		postgres: settings.database ?? database,
		backupStorageApi: settings.storage,
		backupEncryptionApi: settings.encryption ?? encryption,
	};
}

async function run(settings: Settings): Promise<Execution> {
	return await n8n.client.execute(await createWorkflow(settings), TRIGGER);
}

/** @throws Error that says which node failed and why */
async function backUp(settings: Settings): Promise<Execution> {
	return assertSuccess(await run(settings));
}

async function expectRestored(file: string): Promise<void> {
	const restored = await server.createDatabase(undefined, { template: 'template0' });
	await restoreByHand(file, identityFile, restored);
	expect(await definitionOf(restored)).toBe(await definitionOf(source));
	expect(await rowsOf(restored)).toEqual(await rowsOf(source));
}

/** The storage itself, and the journal, which keeps every run. */
function isNoBackup(file: string): boolean {
	return file === 'repository.json' || file.startsWith('runs/');
}

/** What others do in a database at this moment. */
async function sessions(target: DatabaseTarget): Promise<string[]> {
	const rows = await sql<{ query: string }>(server.target(), 'SELECT query FROM pg_stat_activity WHERE datname = $1', [
		target.database,
	]);
	return rows.map(({ query }) => query);
}
