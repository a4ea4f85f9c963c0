/** The first template that a person meets, in a real n8n: three credentials, one press, and a backup that was restored. */
import fs from 'node:fs';
import path from 'node:path';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import {
	assertSuccess,
	type Choices,
	type CredentialReference,
	importTemplate,
	itemsOf,
	N8N_START_MS,
	sharedN8n,
	type TestN8n,
} from '../support/n8n';
import { databaseCredential, folderCredential, keyCredential, newFolder, newKeyPair } from '../support/n8n-credentials';
import { OFTEN, runOnSchedule } from '../support/n8n-schedule';
import { type OwnServer, sql, startPostgres } from '../support/postgres';
import { filesBelow } from '../support/stored-files';

const SHOP = path.resolve(__dirname, '../../scripts/demo/shop.sql');
const TEST_MS = 180_000;

let n8n: TestN8n;
let server: OwnServer;
let shop: DatabaseTarget;
let encryption: CredentialReference;
let folder: string;

beforeAll(async () => {
	server = await startPostgres(15);
	shop = await server.createDatabase('shop');
	await sql(shop, fs.readFileSync(SHOP, 'utf8'));
	n8n = await sharedN8n();
	const key = await newKeyPair();
	encryption = await keyCredential(n8n, key.recipient, key.identity);
}, N8N_START_MS);

afterAll(async () => {
	await n8n?.stop();
	await server?.stop();
}, 60_000);

beforeEach(() => {
	folder = newFolder(n8n);
});

async function importQuickStart(choices: Partial<Choices> = {}): Promise<string> {
	const credentials = {
		postgres: await databaseCredential(n8n, server.target()),
		backupStorageApi: await folderCredential(n8n, folder),
		backupEncryptionApi: encryption,
	};
	return await importTemplate(n8n, 'quick-start', { credentials, ...choices });
}

it(
	'backs up every database, proves it by restoring it, and reports, when somebody presses "Execute workflow"',
	async () => {
		const run = assertSuccess(await n8n.client.press(await importQuickStart()));
		const items = itemsOf(run, 'Back Up Databases').map(({ json }) => json);
		expect(items.map((item) => item.database)).toContain('shop');
		expect(items.find((item) => item.database === 'shop')).toMatchObject({
			summary: expect.stringMatching(/^shop: .* backed up as .*, restored and compared: \d+ tables, [\d,]+ rows$/),
			verification: { ok: true, depth: 'restored' },
			retention: null,
		});
		const [report] = itemsOf(run, 'Make Report').map(({ json }) => json);
		expect(report).toMatchObject({ ok: true, outcome: 'ok', subject: expect.stringMatching(/^Backup ok: /) });
	},
	TEST_MS,
);

it(
	'keeps by its policy when it runs on schedule',
	async () => {
		const id = await importQuickStart({ fieldsOf: { 'Every Night': OFTEN } });
		const [run] = await runOnSchedule(n8n, id);
		const shops = itemsOf(assertSuccess(run!), 'Back Up Databases').filter(({ json }) => json.database === 'shop');
		expect(shops[0]!.json).toMatchObject({ retention: { policy: 'thirtyDays', status: 'applied', removed: [] } });
	},
	TEST_MS,
);

it.each([
	['the password is wrong', { password: 'wrong' }, 'password authentication failed'],
	['nobody listens there', { port: 1 }, 'connection refused'],
])(
	'is red, with the report as its reason, when %s',
	async (_, change, said) => {
		const credentials = {
			postgres: await databaseCredential(n8n, { ...server.target(), ...change }),
			backupStorageApi: await folderCredential(n8n, folder),
			backupEncryptionApi: encryption,
		};
		const id = await importTemplate(n8n, 'quick-start', { credentials });
		const run = await n8n.client.press(id);
		expect(run).toMatchObject({ status: 'error', error: { message: expect.stringMatching(/^Backup FAILED/) } });
		expect(run.error!.message).toContain(said);
		expect(filesBelow(folder).filter((file) => file.endsWith('manifest.json'))).toEqual([]);
	},
	TEST_MS,
);
