/** Files and databases of customers in a real n8n: from rows of a data table to backups that only their customer opens. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { Repository } from '../../core/records/repository';
import { filesRestorer } from '../../core/sources/files/restore/restorer';
import { createStorage } from '../../core/storage/create';
import { restoreBackup } from '../../core/verbs/restore/restore';
import { databaseUrl, run } from '../support/command-line';
import {
	assertSuccess,
	type Choices,
	type CredentialReference,
	type Execution,
	importTemplate,
	itemsOf,
	N8N_START_MS,
	sharedN8n,
	type TestN8n,
} from '../support/n8n';
import { databaseCredential, folderCredential, type KeyPair, newFolder, newKeyPair } from '../support/n8n-credentials';
import { NOT_NOW, OFTEN, runOnSchedule } from '../support/n8n-schedule';
import { type OwnServer, sql, startPostgres } from '../support/postgres';
import { manifestsBelow } from '../support/stored-files';
import { expectAlike, RandomTree, treeOf } from '../support/trees';

const TEST_MS = 180_000;

let n8n: TestN8n;
let server: OwnServer;
let acme: DatabaseTarget;
let customers: string;
let scratch: string;
let keys: Record<'operator' | 'host' | 'acme' | 'beta', KeyPair>;
let folder: string;
/** Of the workflow that was imported last. */
let credentials: Record<string, CredentialReference>;
let table = 0;

beforeAll(async () => {
	server = await startPostgres(17);
	acme = await server.createDatabase('acme_shop');
	await sql(acme, 'CREATE TABLE item AS SELECT i AS id FROM generate_series(1, 321) i');
	n8n = await sharedN8n();
	scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'customers-'));
	const [operator, host, first, second] = await Promise.all([newKeyPair(), newKeyPair(), newKeyPair(), newKeyPair()]);
	keys = { operator, host, acme: first, beta: second };
	for (const [name, { identity }] of Object.entries(keys))
		fs.writeFileSync(path.join(scratch, `${name}.txt`), identity);
	customers = path.join(n8n.files, 'customers');
	for (const name of ['acme', 'beta', 'own']) {
		fs.mkdirSync(path.join(customers, name), { recursive: true });
		new RandomTree(path.join(customers, name), name.length).change(40);
	}
}, N8N_START_MS);

afterAll(async () => {
	await n8n?.stop();
	await server?.stop();
	if (scratch) fs.rmSync(scratch, { recursive: true, force: true });
}, 60_000);

beforeEach(() => {
	folder = newFolder(n8n);
});

interface Customer {
	name: string;
	path: string;
	database: string;
	recipients: string;
}

const rows = (): Customer[] => [
	{ name: 'acme', path: path.join(customers, 'acme'), database: 'acme_shop', recipients: keys.acme.recipient },
	{ name: 'beta', path: path.join(customers, 'beta'), database: '', recipients: keys.beta.recipient },
	{ name: 'own', path: path.join(customers, 'own'), database: '', recipients: '' },
];

/** @returns the name of a new data table */
async function makeTable(of: readonly Customer[]): Promise<string> {
	const name = `Customers ${++table}`;
	const columns = ['name', 'path', 'database', 'recipients'].map((column) => ({ name: column, type: 'string' }));
	const { id } = (await n8n.client.api('POST', '/data-tables', { name, columns })) as { id: string };
	if (of.length > 0) await n8n.client.api('POST', `/data-tables/${id}/rows`, { data: of });
	return name;
}

async function importBackup(customersTable: string, choices: Partial<Choices> = {}): Promise<string> {
	const data = {
		...{ method: 'recipients', recipients: keys.operator.recipient },
		...{ identity: keys.operator.identity, hostKey: keys.host.identity },
	};
	credentials = {
		postgres: await databaseCredential(n8n, server.target()),
		backupStorageApi: await folderCredential(n8n, folder),
		backupEncryptionApi: await n8n.client.createCredential({ name: 'Key', type: 'backupEncryptionApi', data }),
		backupStorageSecondApi: await folderCredential(n8n, newFolder(n8n), 'backupStorageSecondApi'),
	};
	return await importTemplate(n8n, 'customer-data-backup', {
		credentials,
		fieldsOf: { 'Every Night': NOT_NOW },
		...choices,
		settings: { customersTable, ...choices.settings },
	});
}

function reportOf(execution: Execution): Record<string, unknown> {
	return itemsOf(execution, 'Make Report')[0]!.json;
}

/** Runs our command line on the storage. @param key whose identity it gets */
async function cli(verb: string, key: keyof typeof keys, ...args: string[]) {
	const storage = ['--storage', `file://${folder}`];
	return await run([verb, ...storage, ...args, '--identity', path.join(scratch, `${key}.txt`)], {
		PGPASSWORD: server.target().password,
	});
}

/** Runs one of our nodes by itself, with the credentials of the workflow that was imported last. */
async function runNode(type: string, parameters: Record<string, unknown>): Promise<Execution> {
	const node = (name: string, own: object) => ({
		...{ id: name, name, typeVersion: 1, position: [0, 0] as [number, number], parameters: {} },
		...(own as { type: string }),
	});
	const id = await n8n.client.createWorkflow({
		name: 'One node',
		nodes: [
			node('Start', { type: 'n8n-nodes-base.manualTrigger' }),
			node('Node', { type: `n8n-nodes-backup.${type}`, parameters, credentials, onError: 'continueErrorOutput' }),
		],
		connections: { Start: { main: [[{ node: 'Node', type: 'main', index: 0 }]] } },
	});
	return assertSuccess(await n8n.client.press(id));
}

/** Reads a backup to its end with one key. */
async function opened(group: string, label: string, identity: string): Promise<void> {
	const repository = await Repository.open(createStorage({ type: 'folder', path: folder }));
	const { signal } = new AbortController();
	const restorer = filesRestorer({ to: fs.mkdtempSync(path.join(scratch, 'refused-')) });
	await restoreBackup({ repository, group, label, keys: { identities: [identity] }, restorer, signal });
}

it(
	'backs up files and databases as one set on schedule, and each opens with its own key and no other',
	async () => {
		const settings = { reportSuccesses: true };
		const id = await importBackup(await makeTable(rows()), {
			...{ settings, fieldsOf: { 'Every Night': OFTEN }, activate: ['Copy to Second Storage'] },
		});
		const [first, second] = await runOnSchedule(n8n, id, 2);
		const files = itemsOf(assertSuccess(first!), 'Back Up Files').map(({ json }) => json);
		const [database] = itemsOf(first!, 'Back Up Databases').map(({ json }) => json);
		expect(files).toMatchObject([
			{ group: 'files/acme', type: 'full', verification: { ok: true, depth: 'stored' } },
			{ group: 'files/beta', type: 'full', verification: { ok: true, depth: 'stored' } },
			{ group: 'files/own', type: 'full', verification: { ok: true, depth: 'restored' } },
		]);
		expect(database).toMatchObject({ group: 'postgres/acme_shop', retention: { policy: 'thirtyDays' } });
		const [tag] = files[0]!.tags as string[];
		expect(tag).toMatch(/^set-\d{8}-\d{6}$/);
		expect([...files, database].map((item) => item!.tags)).toEqual([[tag], [tag], [tag], [tag]]);
		expect(itemsOf(first!, 'Copy to Second Storage').map(({ json }) => json.status)).toEqual(
			Array.from({ length: 4 }, () => 'copied'),
		);
		expect(reportOf(first!)).toMatchObject({ ok: true, outcome: 'ok', counts: { stored: 4, copied: 4 } });

		const again = itemsOf(assertSuccess(second!), 'Back Up Files').map(({ json }) => json);
		expect(again.map(({ type, storedEntries }) => [type, storedEntries])).toEqual([
			...Array.from({ length: 3 }, () => ['incremental', 0]),
		]);

		const owners = { 'files/acme': 'acme', 'files/beta': 'beta', 'files/own': 'operator' } as const;
		for (const [at, [group, owner]] of Object.entries(owners).entries()) {
			const to = path.join(scratch, `restored-${owner}`);
			const { code, stderr } = await cli('restore', owner, group, '--to', to, '--owners', 'numbers');
			expect({ group, code, stderr }).toMatchObject({ code: 0 });
			const original = path.join(customers, group.slice('files/'.length));
			expectAlike(treeOf(path.join(to, original)), treeOf(original));
			for (const [name, { identity }] of Object.entries(keys).filter(([name]) => name !== owner)) {
				const failure = await opened(group, String(again[at]!.label), identity).catch((error: unknown) => error);
				expect({ group, name, failure }).toMatchObject({ failure: { code: 'wrong-identity' } });
			}
		}
		const byNode = path.join(n8n.files, 'restored');
		await runNode('restoreBackup', {
			...{ operation: 'restoreFiles', group: { __rl: true, mode: 'name', value: 'files/own' }, backup: 'newest' },
			...{ folder: byNode, intoFolder: 'empty', encryption: 'age', options: { owners: 'numbers' } },
		});
		const own = path.join(customers, 'own');
		expectAlike(treeOf(path.join(byNode, own)), treeOf(own));

		const to = databaseUrl({ ...server.target(), database: 'acme_again' });
		expect((await cli('restore', 'operator', 'postgres/acme_shop', '--to', to)).code).not.toBe(0);
		expect((await cli('restore', 'acme', 'postgres/acme_shop', '--to', to)).code).toBe(0);
		expect(await sql({ ...server.target(), database: 'acme_again' }, 'SELECT count(*)::int AS rows FROM item')).toEqual(
			[{ rows: 321 }],
		);
	},
	TEST_MS,
);

it(
	'finds customers by a pattern, and gives those that n8n does not allow to the error output',
	async () => {
		await importBackup('Nobody made it');
		const outside = path.join(customers, 'outside');
		fs.symlinkSync('/etc', outside);
		try {
			const parameters = {
				preset: 'none',
				choose: 'each',
				paths: path.join(customers, '*'),
				groupPrefix: 'files/here',
			};
			const previews = await runNode('archiveFiles', { operation: 'preview', ...parameters });
			expect(itemsOf(previews, 'Node').map(({ json }) => json.status)).toEqual(['previewed', 'previewed', 'previewed']);
			const run = await runNode('archiveFiles', { operation: 'archive', ...parameters });
			expect(itemsOf(run, 'Node').map(({ json }) => json.group)).toEqual(
				['acme', 'beta', 'own'].map((name) => `files/here/${name}`),
			);
			expect(itemsOf(run, 'Node', 1).map(({ json }) => json)).toEqual([
				expect.objectContaining({ error: `n8n may not use the folder ${outside}` }),
			]);
		} finally {
			fs.rmSync(outside);
		}
	},
	TEST_MS,
);

it(
	'goes on after a customer who fails, names him, and is red; by hand it removes nothing',
	async () => {
		const lost = { name: 'lost', path: path.join(customers, 'lost'), database: 'lost_shop', recipients: '' };
		const run = await n8n.client.press(await importBackup(await makeTable([lost, ...rows()])));
		expect(run.status).toBe('error');
		expect(itemsOf(run, 'Back Up Files').map(({ json }) => [json.group, json.retention])).toEqual([
			...['files/acme', 'files/beta', 'files/own'].map((group) => [group, null]),
		]);
		expect(itemsOf(run, 'Back Up Databases').map(({ json }) => json.group)).toEqual(['postgres/acme_shop']);
		const report = reportOf(run);
		expect(report).toMatchObject({ ok: false, outcome: 'failed', counts: { stored: 4, failed: 2 } });
		expect(report.text).toMatch(/files\/lost[^]*is not there/);
		expect(report.text).toContain('lost_shop');
	},
	TEST_MS,
);

it.each([
	['there is no such table', async () => await Promise.resolve('Nobody made it'), 'Nobody made it'],
	['the table is empty', async () => await makeTable([]), null],
])(
	'is red, and not quiet, when %s',
	async (_, tableName, said) => {
		const run = await n8n.client.press(await importBackup(await tableName()));
		expect(run.status).toBe('error');
		expect(run.error!.message).toMatch(/^Backup FAILED: no result/);
		const [read] = itemsOf(run, 'Read Customers').map(({ json }) => json);
		expect(read!.error ?? null).toEqual(said === null ? null : expect.stringContaining(said));
		expect(manifestsBelow(folder)).toEqual([]);
	},
	TEST_MS,
);
