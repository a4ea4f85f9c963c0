/** A server's configuration in a real n8n: found, archived, restored, and what changed told in words. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from '../support/command-line';
import {
	assertSuccess,
	type Choices,
	type Execution,
	importTemplate,
	itemsOf,
	N8N_START_MS,
	sharedN8n,
	type TestN8n,
} from '../support/n8n';
import { folderCredential, type KeyPair, newFolder, newKeyPair } from '../support/n8n-credentials';
import { NOT_NOW, OFTEN, runOnSchedule } from '../support/n8n-schedule';
import { makeCertificates } from '../support/tls';

const TEST_MS = 180_000;
const SECRET = 'h0rse-battery-5taple';

let n8n: TestN8n;
let server: string;
let scratch: string;
let key: KeyPair;
let folder: string;

beforeAll(async () => {
	n8n = await sharedN8n();
	scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'config-backup-'));
	key = await newKeyPair();
	fs.writeFileSync(path.join(scratch, 'key.txt'), key.identity, { mode: 0o600 });
}, N8N_START_MS);

afterAll(async () => {
	await n8n?.stop();
	if (scratch) fs.rmSync(scratch, { recursive: true, force: true });
}, 60_000);

beforeEach(async () => {
	folder = newFolder(n8n);
	server = newFolder(n8n);
	write('shop/compose.yml', 'services: {web: {image: "nginx:1.27", env_file: [.env, gone.env]}}\n');
	write('shop/.env', `DB_PASSWORD=${SECRET}\nDEBUG=false\n`);
	write('nginx/nginx.conf', 'include sites-enabled/*;\n');
	write('nginx/sites-available/shop', 'server { listen 80; }\n');
	fs.mkdirSync(path.join(server, 'nginx/sites-enabled'));
	fs.symlinkSync('../sites-available/shop', path.join(server, 'nginx/sites-enabled/shop'));
	write('tls/shop.crt', (await makeCertificates(fs.mkdtempSync(path.join(scratch, 'tls-')))).certPem);
});

function write(name: string, text: string): void {
	fs.mkdirSync(path.dirname(path.join(server, name)), { recursive: true });
	fs.writeFileSync(path.join(server, name), text);
}

async function importBackup(choices: Partial<Choices> = {}): Promise<string> {
	const data = { method: 'recipients', recipients: key.recipient, identity: key.identity };
	const credentials = {
		backupStorageApi: await folderCredential(n8n, folder),
		backupEncryptionApi: await n8n.client.createCredential({ name: 'Key', type: 'backupEncryptionApi', data }),
		backupStorageSecondApi: await folderCredential(n8n, newFolder(n8n), 'backupStorageSecondApi'),
	};
	return await importTemplate(n8n, 'config-backup', {
		...{ credentials, fieldsOf: { 'Every Night': NOT_NOW } },
		...choices,
		settings: { folders: server, ...choices.settings },
	});
}

const archived = (execution: Execution) => itemsOf(execution, 'Archive Configuration')[0]!.json;
const reportOf = (execution: Execution) => itemsOf(execution, 'Make Report')[0]!.json;

it(
	'is found, archived, copied and kept on schedule, restored to the byte, and its changes and certificates are told',
	async () => {
		const id = await importBackup({
			...{ fieldsOf: { 'Every Night': OFTEN }, activate: ['Copy to Second Storage'] },
		});
		const runs = await runOnSchedule(n8n, id, 2);
		const [first, second] = runs.map((each) => assertSuccess(each));
		expect(archived(first!)).toMatchObject({
			...{ group: 'config/server', files: 5, secrets: 'kept', encrypted: true, complete: true, changes: null },
			verification: { ok: true, depth: 'restored' },
			retention: { policy: 'configuration' },
			expiringCertificates: [{ path: path.join(server, 'tls/shop.crt') }],
		});
		expect(archived(second!)).toMatchObject({ changes: [] });
		expect(itemsOf(first!, 'Copy to Second Storage')[0]!.json).toMatchObject({ status: 'copied' });
		const report = reportOf(first!);
		expect(report).toMatchObject({
			ok: true,
			outcome: 'ok',
			tell: true,
			counts: { stored: 1, copied: 1, otherItems: 0 },
		});
		expect(report.text).toContain('the certificate of localhost');
		expect(report.text).toContain('gone.env, which is not there');

		const to = path.join(scratch, 'restored');
		const storage = ['--storage', `file://${folder}`, '--identity', path.join(scratch, 'key.txt')];
		expect(await run(['restore', 'config/server', ...storage, '--to', to])).toMatchObject({ code: 0 });
		for (const name of ['shop/.env', 'shop/compose.yml', 'nginx/nginx.conf', 'tls/shop.crt']) {
			expect(fs.readFileSync(path.join(to, server, name))).toEqual(fs.readFileSync(path.join(server, name)));
		}
		expect(fs.readlinkSync(path.join(to, server, 'nginx/sites-enabled/shop'))).toBe('../sites-available/shop');
		expect(JSON.stringify(runs)).not.toContain(SECRET);
	},
	TEST_MS,
);

it(
	'by hand it removes nothing, names the keys that changed, and is red where nothing is found',
	async () => {
		const id = await importBackup();
		assertSuccess(await n8n.client.press(id));
		write('shop/.env', `DB_PASSWORD=${SECRET}2\nDEBUG=false\n`);
		const again = assertSuccess(await n8n.client.press(id));
		expect(archived(again)).toMatchObject({
			retention: null,
			changes: [{ path: path.join(server, 'shop/.env'), change: 'changed', keys: ['DB_PASSWORD'] }],
		});
		fs.rmSync(server, { recursive: true });
		const failed = await n8n.client.press(id);
		expect(failed.status).toBe('error');
		expect(reportOf(failed)).toMatchObject({ ok: false, outcome: 'failed' });
		expect(reportOf(failed).text).toContain('cannot look into');
		fs.mkdirSync(server);
		const empty = await n8n.client.press(id);
		expect(empty.error!.message).toContain('there is no configuration in');
	},
	TEST_MS,
);
