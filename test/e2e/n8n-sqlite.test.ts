/** An n8n with SQLite: archived while it runs, lost, and restored as docs/restore-n8n.md says. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { N8nClient } from '../../scripts/lib/n8n-client.mjs';
import { type RunningN8n, startN8n } from '../../scripts/lib/n8n.mjs';
import { installSqlite } from '../../scripts/lib/n8n-sqlite.mjs';
import { generateIdentity, type KeyPair } from '../../core/codecs/age/keys';
import { type Called, startCalled } from '../support/called';
import { run as runProgram } from '../support/command-line';
import { N8N_START_MS } from '../support/n8n';
import { until } from '../support/until';

let top: string;
let n8n: RunningN8n;
let called: Called;
let key: KeyPair;
beforeAll(async () => {
	await installSqlite();
	top = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'n8n-sqlite-')));
	fs.mkdirSync(path.join(top, 'storage'));
	called = await startCalled();
	key = await generateIdentity();
	fs.writeFileSync(path.join(top, 'key.txt'), `${key.identity}\n`, { mode: 0o600 });
	n8n = await startN8n({ folder: path.join(top, 'first'), database: 'sqlite' });
}, N8N_START_MS);
afterAll(async () => {
	await n8n?.stop();
	await called?.stop();
	if (top) fs.rmSync(top, { recursive: true, force: true });
}, 60_000);

const storage = () => ['--storage', `file://${top}/storage`, '--identity', path.join(top, 'key.txt')];

async function archive(group: string): Promise<void> {
	const what = ['--group', group, '--path', path.join(top, 'first/.n8n'), '--recipient', key.recipient];
	expect(await runProgram(['archive', ...storage(), ...what])).toMatchObject({ code: 0 });
}

const verify = async (group: string) =>
	await runProgram(['verify', group, ...storage(), '--depth', 'restored', '--n8n-credentials', group]);

it('comes back with its workflows, its key and its schedules, and a wrong key is a bad backup', async () => {
	const client = new N8nClient(n8n.url);
	await client.setUpOwner();
	await called.publishCaller(client);
	await archive('files/n8n');
	await n8n.kill();
	called.take();
	expect(await verify('files/n8n')).toMatchObject({
		...{ code: 0, stdout: expect.stringContaining('1 of 1 credentials of n8n open') },
	});

	// Another key beside the same database.
	fs.writeFileSync(path.join(top, 'first/.n8n/config'), '{"encryptionKey": "the key of another n8n"}');
	await archive('files/wrong');
	expect(await verify('files/wrong')).toMatchObject({
		...{ code: 4, stdout: expect.stringContaining('0 of 1 credentials of n8n open') },
	});

	const restored = path.join(top, 'restored');
	expect(await runProgram(['restore', 'files/n8n', ...storage(), '--to', restored])).toMatchObject({ code: 0 });
	fs.mkdirSync(path.join(top, 'second'));
	fs.renameSync(path.join(restored, top, 'first/.n8n'), path.join(top, 'second/.n8n'));
	fs.chmodSync(path.join(top, 'second/.n8n/config'), 0o600);
	n8n = await startN8n({
		...{ folder: path.join(top, 'second'), database: 'sqlite', port: Number(new URL(n8n.url).port) },
		// The key is what the archive had, and nothing else.
		env: { N8N_ENCRYPTION_KEY: '' },
	});
	await until('the published schedule calls with its credential', () => Promise.resolve(called.take() > 0));
	const { data } = (await client.api('GET', '/workflows')) as { data: Array<{ name: string; active: boolean }> };
	expect(data).toMatchObject([{ name: 'Calls with a credential', active: true }]);
}, 240_000);
