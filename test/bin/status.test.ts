/** n8n-backup status and runs, as processes of their own. */
import fs from 'node:fs';
import path from 'node:path';
import { recordRun } from '../../core/records/journal/journal';
import { Repository } from '../../core/records/repository';
import { createStorage } from '../../core/storage/create';
import { buildBackup } from '../support/build-backup';
import { run } from '../support/command-line';
import { createFolder, removeFolder } from '../support/folders';
import { damage } from '../support/stored-files';

const HOUR = 3_600_000;

let top: string;
let url: string;
beforeEach(async () => {
	top = createFolder('status');
	fs.mkdirSync(path.join(top, 'backups'));
	url = `file://${top}/backups`;
	const repository = await Repository.open(createStorage({ type: 'folder', path: path.join(top, 'backups') }), {
		create: true,
	});
	for (let hours = 5; hours > 0; hours--) {
		await buildBackup(repository, { bytes: 100, verified: 'stored', at: new Date(Date.now() - hours * HOUR) });
	}
});
afterEach(() => removeFolder(top));

const status = async (...more: string[]) => await run(['status', '--storage', url, ...more]);

it('answers in one line first, with the exit codes of a plugin', async () => {
	const ok = await status();
	expect(ok).toMatchObject({ code: 0, stderr: '' });
	expect(ok.stdout).toMatch(
		/^OK - The one source can be restored\.\npostgres\/shop: newest backup 60 minutes old, proved/,
	);
	const warning = await status('--expect', 'postgres/*=1');
	expect(warning).toMatchObject({ code: 1 });
	expect(warning.stdout).toContain('warning: the newest backup is 60 minutes old; one is expected every 60 minutes.');
	const critical = await status('--expect', 'files/www=24');
	expect(critical).toMatchObject({ code: 2 });
	expect(critical.stdout).toMatch(/^CRITICAL - 1 of 2 sources can be restored\. files\/www cannot/);
	const unknown = await run(['status', '--storage', `file://${top}/none`]);
	expect(unknown).toMatchObject({ code: 3, stdout: expect.stringMatching(/^UNKNOWN - /) });
	expect(await status('--expect', 'x=y')).toMatchObject({ code: 3, stdout: expect.stringContaining('--expect') });
});

it('prints the page, whole, for a file or a mail', async () => {
	const { code, stdout } = await status('--html');
	expect(code).toBe(0);
	expect(stdout).toMatch(
		/^<!doctype html>[\s\S]*The one source can be restored\.[\s\S]*<article id="source-0">[\s\S]*<\/html>\s*$/,
	);
});

it('one of two storages that is away is critical, and the other one is told', async () => {
	const { code, stdout } = await status('--storage', `file://${top}/away`);
	expect(code).toBe(2);
	expect(stdout).toContain('The one source can be restored.');
	expect(stdout).toContain('cannot be looked at');
});

it('a read-only storage, and one whose journal is damaged, are told all the same', async () => {
	fs.mkdirSync(path.join(top, 'backups/runs/2026-11-27'), { recursive: true });
	fs.writeFileSync(path.join(top, 'backups/runs/2026-11-27/000001.json'), 'no journal at all');
	damage(path.join(top, 'backups/runs/2026-11-27/000001.json'));
	expect(await status('--json')).toMatchObject({ code: 0, stdout: expect.stringContaining('"restorable": 1') });
	const before = fs.readdirSync(path.join(top, 'backups'), { recursive: true });
	await status();
	expect(fs.readdirSync(path.join(top, 'backups'), { recursive: true })).toEqual(before);
});

it('writes metrics for node_exporter, whole or not at all', async () => {
	const file = path.join(top, 'backup.prom');
	expect(await status('--textfile', file)).toMatchObject({ code: 0 });
	expect(fs.readFileSync(file, 'utf8')).toContain('n8n_backup_verdict 0');
	expect((await status('--metrics')).stdout).toContain('# TYPE n8n_backup_group_verdict gauge');
	expect(await status('--textfile', `${top}/none/x.prom`)).toMatchObject({ code: 3 });
});

it('lists runs from the journal', async () => {
	const label = fs.readdirSync(path.join(top, 'backups/postgres/shop')).at(-1)!;
	await run(['verify', '--storage', url, `postgres/shop/${label}`, '--depth', 'stored']);
	const { code, stdout } = await run(['runs', '--storage', url]);
	expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringMatching(/ok +verify +postgres\/shop/) });
	const json = await run(['runs', '--storage', url, '--group', 'none', '--json']);
	expect(JSON.parse(json.stdout)).toEqual([]);
});

it('a run that is over, or is none, cannot be cancelled', async () => {
	const none = await run(['cancel', 'aaaaaaaaaaaa', '--storage', url]);
	expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('there is no run aaaaaaaaaaaa') });
	const repository = await Repository.open(createStorage({ type: 'folder', path: path.join(top, 'backups') }));
	const OK = () => ({ outcome: 'ok', facts: {} }) as const;
	await recordRun(
		repository.storage,
		{ verb: 'copy', group: null },
		async (record) => {
			const asked = await run(['cancel', record.id, '--storage', url, '--json']);
			expect(asked).toMatchObject({ code: 0, stdout: expect.stringContaining('"state": "running"') });
			expect(fs.readdirSync(path.join(top, 'backups/monitoring'))).toEqual([`cancel-${record.id}.json`]);
		},
		OK,
	);
	const { id } = JSON.parse((await run(['runs', '--storage', url, '--json'])).stdout).at(-1);
	const over = await run(['cancel', id, '--storage', url]);
	expect(over).toMatchObject({ code: 2, stderr: expect.stringContaining('is not under way: ok') });
});
