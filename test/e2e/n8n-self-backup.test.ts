/**
 * n8n itself: backed up by its own workflow, lost, and restored into an empty one with the commands of docs/restore-n8n.md. The statements
 * follow one another as they do there.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { installedPackage } from '../../scripts/lib/n8n-package.mjs';
import { type RunningN8n, startN8n } from '../../scripts/lib/n8n.mjs';
import { rowsOf } from '../support/by-hand';
import { type Called, SECRET, startCalled } from '../support/called';
import { clientEnvironment, Document, sh } from '../support/document';
import {
	assertSuccess,
	type CredentialReference,
	importTemplate,
	itemsOf,
	N8N_START_MS,
	recordOf,
	startTestN8n,
	type OwnN8n,
} from '../support/n8n';
import { databaseCredential, folderCredential, type KeyPair, newFolder, newKeyPair } from '../support/n8n-credentials';
import { runOnSchedule, soon } from '../support/n8n-schedule';
import { sharedPostgres } from '../support/postgres';
import { expectAlike, treeOf } from '../support/trees';
import { until } from '../support/until';

const TEST_MS = 240_000;
const document = new Document('docs/restore-n8n.md');

let n8n: OwnN8n;
let again: RunningN8n | undefined;
let key: KeyPair;
let scratch: string;
let storage: string;
let restored: DatabaseTarget;
let called: Called;
let credentials: Record<string, CredentialReference>;
let encryptionKey: string;

beforeAll(async () => {
	scratch = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'n8n-self-')));
	called = await startCalled();
	n8n = await startTestN8n({ readsItself: true });
	storage = newFolder(n8n);
	key = await newKeyPair();
	fs.writeFileSync(path.join(scratch, 'key.txt'), `${key.identity}\n`, { mode: 0o600 });
	const data = { method: 'recipients', recipients: key.recipient, identity: key.identity };
	credentials = {
		postgres: await databaseCredential(n8n, n8n.database),
		backupStorageApi: await folderCredential(n8n, storage),
		backupEncryptionApi: await n8n.client.createCredential({ name: 'Key', type: 'backupEncryptionApi', data }),
		backupStorageSecondApi: await folderCredential(n8n, newFolder(n8n), 'backupStorageSecondApi'),
		n8nApi: await apiCredential(),
	};
	encryptionKey = JSON.parse(fs.readFileSync(path.join(n8n.folder, '.n8n/config'), 'utf8')).encryptionKey;
}, N8N_START_MS);

afterAll(async () => {
	await again?.stop();
	await n8n?.stop();
	await called?.stop();
	if (scratch) fs.rmSync(scratch, { recursive: true, force: true });
}, 60_000);

/** What n8n's own node needs to list workflows. */
async function apiCredential(): Promise<CredentialReference> {
	const { rawApiKey: apiKey } = (await n8n.client.rest('POST', '/api-keys', {
		...{ label: 'workflows', expiresAt: null, scopes: ['workflow:list', 'workflow:read'] },
	})) as { rawApiKey: string };
	const data = { apiKey, baseUrl: `${n8n.server.url}/api/v1`, allowedHttpRequestDomains: 'all' };
	return await n8n.client.createCredential({ name: 'n8n', type: 'n8nApi', data });
}

/** Other names for the places of the page. */
function places(more: Record<string, string> = {}): Record<string, string> {
	return { 'file:///backups': `file://${storage}`, ...more };
}

/** Runs commands of the page, with our program where npx finds it. */
async function run(script: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
	return await sh(script, { cwd: scratch, env: { PATH: process.env.PATH, HOME: scratch, ...env } });
}

it(
	'is backed up on schedule as one set, every credential is opened with the archived key, and older backups expire',
	async () => {
		await called.publishCaller(n8n.client);
		const forGit = newFolder(n8n);
		const id = await importTemplate(n8n, 'n8n-self-backup', {
			...{ credentials, settings: { database: n8n.database.database, reportSuccesses: true } },
			fieldsOf: { 'Every Night': soon(), 'Write Workflows': { workflowFolder: forGit } },
			activate: ['Copy to Second Storage', 'Get Workflows', 'Write Workflows'],
		});
		const [first] = await runOnSchedule(n8n, id);
		const [folder] = itemsOf(assertSuccess(first!), 'Archive n8n’s Folder').map(({ json }) => json);
		const [database] = itemsOf(first!, 'Dump n8n’s Database').map(({ json }) => json);
		expect(folder).toMatchObject({ group: 'files/n8n', encrypted: true, complete: true });
		expect(database).toMatchObject({ group: `postgres/${n8n.database.database}`, tags: folder!.tags });
		const { count } = await credentialsOf(n8n);
		const opened = itemsOf(first!, 'Open the Credentials').map(({ json }) => json);
		expect(opened).toHaveLength(2);
		expect(opened.find(({ group }) => group === database!.group)).toMatchObject({
			...{ ok: true, assertions: [{ figures: { credentials: count, openCredentials: count } }] },
			summary: expect.stringContaining(`${count} of ${count} credentials of n8n open`),
		});
		expect(itemsOf(first!, 'Copy to Second Storage').map(({ json }) => json.status)).toEqual(['copied', 'copied']);
		expect(itemsOf(first!, 'Remove What Expired')).toHaveLength(2);
		const [report] = itemsOf(first!, 'Make Report').map(({ json }) => json);
		expect(report).toMatchObject({ ok: true, outcome: 'ok', counts: { stored: 2, copied: 2 } });
		expect(itemsOf(first!, 'Write Workflows').map(({ json }) => json)).toMatchObject([{ ok: true, workflows: 2 }]);
		await expectImportable(forGit, 'calls-with-a-credential-');
		const said = (await recordOf(n8n, first!)) + fs.readFileSync(manifestOf('files/n8n'), 'utf8');
		for (const secret of [encryptionKey, SECRET, key.identity]) expect(said).not.toContain(secret);
		expect(fs.readFileSync(manifestOf('files/n8n'), 'utf8')).toMatch(/"n8nVersion": "2\.\d+\.\d+"/);
	},
	TEST_MS,
);

it(
	'is lost, and another one that knows nothing has its workflows, opens its credentials, and runs its schedules',
	async () => {
		const program = path.join(await installedPackage(), 'node_modules/n8n-nodes-backup');
		fs.mkdirSync(path.join(scratch, 'node_modules/.bin'), { recursive: true });
		// As npm would link it.
		const command = path.join(scratch, 'node_modules/.bin/n8n-backup');
		fs.writeFileSync(command, `#!/bin/sh\nexec node ${program}/dist/bin/n8n-backup.js "$@"\n`, { mode: 0o755 });
		const before = await credentialsOf(n8n);
		await n8n.server.kill();
		called.take();

		const group = `postgres/${n8n.database.database}`;
		const verify = document.block('--n8n-credentials', places({ 'postgres/n8n': group }));
		// The folder of another n8n.
		fs.mkdirSync(path.join(scratch, 'other/.n8n'), { recursive: true });
		fs.writeFileSync(path.join(scratch, 'other/.n8n/config'), '{"encryptionKey": "the key of another n8n"}');
		const wrong = await run(
			`npx n8n-backup archive --storage file://${storage} --group files/other --path "$PWD/other" --recipient ${key.recipient}
			{ ${verify.replace('files/n8n', 'files/other').trim()}; } || echo "exit code $?"`,
		);
		expect(wrong).toMatch(new RegExp(`BAD: .*0 of ${before.count} credentials of n8n open`));
		expect(wrong).toContain('exit code 4');
		// What was proved last counts.
		expect(await run(verify)).toContain(`${before.count} of ${before.count} credentials of n8n open`);

		const home = path.join(scratch, 'home/node');
		fs.mkdirSync(home, { recursive: true });
		const old = `${n8n.folder.slice(1)}/.n8n`;
		await run(
			document.block(
				'--to restored',
				places({ 'home/node/.n8n /home/node/': `${old} ${home}/`, '/home/node/.n8n': `${home}/.n8n` }),
			),
		);
		for (const name of ['wal', 'shm']) fs.writeFileSync(path.join(home, `.n8n/database.sqlite-${name}`), 'stale');
		await run(document.block('database.sqlite-wal', { '/home/node': home }));
		expect(fs.readdirSync(path.join(home, '.n8n'))).not.toContain('database.sqlite-wal');

		const server = await sharedPostgres(18);
		restored = server.target(`${n8n.database.database}_again`);
		const url = `postgres://${restored.user}@${restored.host}:${restored.port}/${restored.database}?sslmode=disable`;
		const restore = { 'postgres/n8n': group, 'postgres://n8n@db.example.org/n8n': `'${url}'` };
		await run(document.block('export PGPASSWORD', places({ ...restore, 'the password of n8n': restored.password! })));
		const label = (await run(document.block('.label', places()))).trim();
		expect(manifestOf('files/n8n')).toContain(label);

		again = await startN8n({
			...{ folder: home, database: restored, port: Number(new URL(n8n.server.url).port) },
			// The key is what the archive had, and nothing else.
			env: { N8N_ENCRYPTION_KEY: '' },
		});
		await until('the published schedule calls with its credential', () => Promise.resolve(called.take() > 0));
		expect(await credentialsOf(n8n)).toEqual(before);
		expect(JSON.parse(fs.readFileSync(path.join(home, '.n8n/config'), 'utf8'))).toMatchObject({ encryptionKey });
		expect(JSON.stringify(await n8n.client.nodeTypes())).toContain('n8n-nodes-backup.archiveFiles');
		await again.stop();
	},
	TEST_MS,
);

it(
	'is restored by hand to the same',
	async () => {
		const guarded = new Document('docs/restore-by-hand.md').block('guarded() {');
		const folder = document.block('tar -x -p -G', { '/backups': storage });
		fs.rmSync(path.join(scratch, 'restored'), { recursive: true });
		await run(folder);
		const old = path.join(n8n.folder, '.n8n/nodes');
		// The same contents are stored once, so tar makes links of them.
		const links = { links: false };
		expectAlike(treeOf(path.join(scratch, 'restored', old), links), treeOf(old, links));
		expect(fs.readFileSync(path.join(scratch, 'restored', n8n.folder, '.n8n/config'), 'utf8')).toContain(encryptionKey);
		const byHand = `${n8n.database.database}_by_hand`;
		const database = document.block('createdb', {
			...{ '/backups/postgres/n8n': `${storage}/postgres/${n8n.database.database}` },
			...{ 'createdb n8n': `createdb ${byHand}`, '--single-transaction n8n': `--single-transaction ${byHand}` },
		});
		const server = await sharedPostgres(18);
		await run(`${guarded}\n${database}`, clientEnvironment(server.target()));
		const tables = async (name: string) => Object.keys(await rowsOf(server.target(name)));
		expect(await tables(byHand)).toEqual(await tables(restored.database));
		expect(document.unused()).toEqual([]);
		expect(document.brokenLinks()).toEqual([]);
	},
	TEST_MS,
);

/** A file of the folder makes the same workflow again. */
async function expectImportable(folder: string, start: string): Promise<void> {
	const name = fs.readdirSync(folder).find((each) => each.startsWith(start))!;
	const file = JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8')) as Parameters<
		typeof n8n.client.createWorkflow
	>[0] & { id: string };
	const { id: old, ...workflow } = file;
	const id = await n8n.client.createWorkflow({ ...workflow, name: 'From its file' });
	const data = (await n8n.client.api('GET', `/workflows/${id}`)) as typeof workflow;
	expect(id).not.toBe(old);
	expect(data).toMatchObject({ connections: workflow.connections });
	expect(data.nodes).toEqual(expect.arrayContaining(workflow.nodes));
	await n8n.client.api('DELETE', `/workflows/${id}`);
}

/** What n8n says of its credentials and workflows. */
async function credentialsOf({ client }: OwnN8n): Promise<{ count: number; workflows: string[] }> {
	const { data } = (await client.api('GET', '/credentials?limit=100')) as { data: unknown[] };
	const { data: workflows } = (await client.api('GET', '/workflows?limit=100')) as { data: Array<{ name: string }> };
	return { count: data.length, workflows: workflows.map(({ name }) => name).sort() };
}

/** Of the newest backup. */
function manifestOf(group: string): string {
	const folder = path.join(storage, group);
	const newest = fs.readdirSync(folder).sort().at(-1)!;
	return path.join(folder, newest, 'manifest.json');
}
