/** The page, metrics and health in a real n8n: behind a password, true, and true again after something went wrong. */
import fs from 'node:fs';
import path from 'node:path';
import { readRuns } from '../../core/records/journal/journal';
import { Repository } from '../../core/records/repository';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { createStorage } from '../../core/storage/create';
import { startBrowser } from '../support/browser';
import { buildBackup } from '../support/build-backup';
import { readTemplate } from '../../scripts/lib/n8n-template.mjs';
import {
	assertSuccess,
	type Choices,
	importTemplate,
	itemsOf,
	N8N_START_MS,
	sharedN8n,
	type TestN8n,
} from '../support/n8n';
import { databaseCredential, folderCredential, keyCredential, newFolder, newKeyPair } from '../support/n8n-credentials';
import { sharedPostgres, sql } from '../support/postgres';
import { until } from '../support/until';
import { damage, manifestsBelow } from '../support/stored-files';

const TEST_MS = 120_000;
const LOGIN = { user: 'admin', password: 'a-long-pass-phrase' };
const HOUR = 3_600_000;
const ADDRESSES = ['backups', 'backups/metrics', 'backups/health'];
const BUTTONS = ['Press a Button', 'Back Up Database', 'Verify Newest Backup', 'Note the End'];

let n8n: TestN8n;
let folder: string;
let repository: Repository;
let source: DatabaseTarget;

beforeAll(async () => {
	source = await (await sharedPostgres(18)).createDatabase();
	await sql(source, 'CREATE TABLE orders AS SELECT n FROM generate_series(1, 100) n');
	n8n = await sharedN8n();
	folder = newFolder(n8n);
	repository = await Repository.open(createStorage({ type: 'folder', path: folder }), { create: true });
	for (let hours = 6; hours > 0; hours--) {
		const at = new Date(Date.now() - hours * HOUR);
		await buildBackup(repository, { group: 'postgres/shop', bytes: 1000, verified: 'restored', at });
	}
	const chosen = await choices(['Open the Page', 'Scrape Metrics', 'Ask for Health', ...BUTTONS]);
	await n8n.client.publishWorkflow(await importTemplate(n8n, 'backup-dashboard', chosen));
	// n8n answers the request to publish before it listens.
	await until('n8n listens', async () => {
		const answers = await Promise.all(ADDRESSES.map(async (address) => await ask(address, null)));
		return answers.every(({ status }) => status !== 404);
	});
}, N8N_START_MS);

afterAll(async () => await n8n?.stop(), 60_000);

async function choices(activate: string[]): Promise<Choices> {
	const key = await newKeyPair();
	return {
		credentials: {
			backupStorageApi: await folderCredential(n8n, folder),
			postgres: await databaseCredential(n8n, source),
			backupEncryptionApi: await keyCredential(n8n, key.recipient, key.identity),
			httpBasicAuth: await n8n.client.createCredential({ name: 'Page', type: 'httpBasicAuth', data: LOGIN }),
		},
		settings: { expected: 'postgres/* = 26', buttons: activate.includes('Press a Button') },
		activate,
	};
}

async function ask(address: string, login: string | null = `${LOGIN.user}:${LOGIN.password}`): Promise<Response> {
	const headers: Record<string, string> =
		login === null ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` };
	return await fetch(`${n8n.server.url}/webhook/${address}`, { headers });
}

it(
	'shows the page, metrics and health to who has the password, and to nobody else',
	async () => {
		for (const address of ADDRESSES) {
			expect((await ask(address, null)).status).toBe(401);
			expect((await ask(address, 'admin:guess')).status).toBe(401);
		}
		const page = await ask('backups');
		expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
		expect(page.headers.get('content-security-policy')).toContain('sandbox');
		expect(await page.text()).toContain('The one source can be restored.');
		const source = await (await ask('backups?group=postgres%2Fshop')).text();
		expect(source).toContain('aria-label="Backups of postgres/shop"');
		const [, link] = /href="(\?group=postgres%2Fshop&amp;label=[^"]+)"/.exec(source)!;
		const backup = await (await ask(`backups${link!.replace('&amp;', '&')}`)).text();
		expect(backup).toMatch(/<td>restored<\/td>\s*<td>ok<\/td>/);
		const metrics = await ask('backups/metrics');
		expect(metrics.headers.get('content-type')).toContain('text/plain');
		expect(await metrics.text()).toContain('n8n_backup_group_restorable{group="postgres/shop"} 1');
		const health = await ask('backups/health');
		expect([health.status, await health.json()]).toMatchObject([
			200,
			{ verdict: 'ok', groups: [{ restorable: true }] },
		]);
	},
	TEST_MS,
);

it(
	'tells the truth right after something went wrong',
	async () => {
		const label = fs.readdirSync(path.join(folder, 'postgres/shop')).sort().at(-1)!;
		damage(path.join(folder, 'postgres/shop', label, 'manifest.json'));
		const health = await ask('backups/health');
		expect([health.status, await health.json()]).toMatchObject([
			503,
			{ verdict: 'critical', groups: [{ reasons: [{ code: 'unreadable', severity: 'critical' }] }] },
		]);
		expect(await (await ask('backups')).text()).toContain('cannot be used');
		const template = readTemplate('backup-dashboard', await choices([]));
		const byHand = assertSuccess(await n8n.client.press(await n8n.client.createWorkflow(template)));
		expect(itemsOf(byHand, 'Show Health')[0]!.json).toMatchObject({ verdict: 'critical' });
		fs.rmSync(folder, { recursive: true });
		expect((await ask('backups/health')).status).toBe(503);
		expect(await (await ask('backups')).text()).toContain('cannot be looked at');
	},
	TEST_MS,
);

it(
	'starts by its buttons what the API starts, each once, for who has the page and for nobody else',
	async () => {
		fs.mkdirSync(folder, { mode: 0o700 });
		const group = `postgres/${source.database}`;
		repository = await Repository.open(createStorage({ type: 'folder', path: folder }), { create: true });
		await buildBackup(repository, { group, bytes: 1000, verified: 'stored', at: new Date(Date.now() - HOUR) });
		const address = `backups?group=${encodeURIComponent(group)}`;
		const text = await (await ask(address)).text();
		const tokens = [...text.matchAll(/name="token" value="([^"]+)"/g)].map(([, token]) => token!);
		expect(tokens).toHaveLength(3);

		// Another site can send all of it in the name of who is logged in, and knows no token of that person.
		const press = async (form: Record<string, string>, login = `${LOGIN.user}:${LOGIN.password}`) => {
			const headers = { authorization: `Basic ${Buffer.from(login).toString('base64')}` };
			const body = new URLSearchParams({ button: 'backup', group, token: tokens[0]!, ...form });
			const url = `${n8n.server.url}/webhook/backups`;
			return await fetch(url, { method: 'POST', headers, body, redirect: 'manual' });
		};
		expect((await press({}, 'admin:guess')).status).toBe(401);
		const forms: Array<Record<string, string>> = [{ token: '' }, { token: tokens[1]! }, { group: 'postgres/other' }];
		for (const form of [...forms, { button: 'drill' }]) {
			const refused = await press(form);
			expect([form, refused.status, await refused.text()]).toEqual([
				form,
				403,
				expect.stringContaining('The button is not good any more'),
			]);
		}
		expect((await press({ button: 'restore' })).status).toBe(404);
		expect(fs.existsSync(path.join(folder, 'monitoring'))).toBe(false);

		const browser = await startBrowser();
		try {
			const context = await browser.newContext({ httpCredentials: { username: LOGIN.user, password: LOGIN.password } });
			const page = await context.newPage();
			const open = async () => void (await page.goto(`${n8n.server.url}/webhook/${address}`));
			await open();
			await page.getByRole('button', { name: 'Back up now' }).dblclick();
			await page.getByRole('status').waitFor();
			expect(page.url()).toContain('pressed=yes');
			const requests = () =>
				fs.readdirSync(path.join(folder, 'monitoring')).filter((name) => name.startsWith('request-'));
			await until('the backup has ended', () => requests().some((name) => name.endsWith('.end.json')));
			await open();
			await page.getByRole('button', { name: 'Restore it as a test' }).click();
			await until('the drill has ended', () => requests().filter((name) => name.endsWith('.end.json')).length === 2);
			expect(requests()).toHaveLength(4);
		} finally {
			await browser.close();
		}
		expect(manifestsBelow(folder)).toHaveLength(2);
		const now = await (await ask(address)).text();
		expect(now).toMatch(/Last restored<\/dt>\s*<dd>\d+ \w+ ago/);
		const runs = await readRuns(repository.storage, { from: new Date(Date.now() - HOUR), to: new Date() });
		expect(runs.map(({ verb, state, actor }) => [verb, state, actor?.requestedBy])).toEqual([
			['backup', 'ok', 'operator: a button of the page'],
			...Array.from({ length: 2 }, () => ['verify', 'ok', 'operator: a button of the page']),
		]);
	},
	TEST_MS,
);
