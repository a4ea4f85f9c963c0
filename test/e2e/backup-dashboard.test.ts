/** The page, metrics and health in a real n8n: behind a password, true, and true again after something went wrong. */
import fs from 'node:fs';
import path from 'node:path';
import { Repository } from '../../core/records/repository';
import { createStorage } from '../../core/storage/create';
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
import { folderCredential, newFolder } from '../support/n8n-credentials';
import { until } from '../support/until';
import { damage } from '../support/stored-files';

const TEST_MS = 120_000;
const LOGIN = { user: 'admin', password: 'a-long-pass-phrase' };
const HOUR = 3_600_000;

let n8n: TestN8n;
let folder: string;
let repository: Repository;

beforeAll(async () => {
	n8n = await sharedN8n();
	folder = newFolder(n8n);
	repository = await Repository.open(createStorage({ type: 'folder', path: folder }), { create: true });
	for (let hours = 6; hours > 0; hours--) {
		const at = new Date(Date.now() - hours * HOUR);
		await buildBackup(repository, { group: 'postgres/shop', bytes: 1000, verified: 'restored', at });
	}
	const chosen = await choices(['Open the Page', 'Scrape Metrics', 'Ask for Health']);
	await n8n.client.publishWorkflow(await importTemplate(n8n, 'backup-dashboard', chosen));
	// n8n answers the request to publish before it listens.
	await until('n8n listens', async () => (await ask('backups', null)).status !== 404);
}, N8N_START_MS);

afterAll(async () => await n8n?.stop(), 60_000);

async function choices(activate: string[]): Promise<Choices> {
	return {
		credentials: {
			backupStorageApi: await folderCredential(n8n, folder),
			httpBasicAuth: await n8n.client.createCredential({ name: 'Page', type: 'httpBasicAuth', data: LOGIN }),
		},
		settings: { expected: 'postgres/* = 26' },
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
		for (const address of ['backups', 'backups/metrics', 'backups/health']) {
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
