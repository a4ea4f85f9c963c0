import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CopySummary } from '../../core/verbs/copy/copy';
import { acquireLock } from '../../core/records/locks/lock';
import { Repository } from '../../core/records/repository';
import { createStorage } from '../../core/storage/create';
import { run } from '../support/command-line';
import { commandLines } from '../support/processes';
import { sharedS3 } from '../support/s3';
import { evidenceBelow, manifestsBelow } from '../support/stored-files';
import { buildBackup } from '../support/build-backup';

const s3 = sharedS3();
const GROUP = 'postgres/shop';
let base: string;
let from: Repository;
let labels: string[];
beforeAll(async () => {
	base = mkdtempSync(join(tmpdir(), 'copy-'));
	from = await Repository.open(createStorage({ type: 'folder', path: base }), { create: true });
	labels = [await buildBackup(from), await buildBackup(from)];
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));
function newFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), 'copy-to-'));
	folders.push(folder);
	return folder;
}

const copy = async (args: string[], env?: NodeJS.ProcessEnv) =>
	await run(['copy', '--storage', `file://${base}`, ...args], env);
const summary = (stdout: string) => JSON.parse(stdout) as CopySummary;

describe('n8n-backup copy', () => {
	it('copies the newest of a group, proves it, and finds it there the next time', async () => {
		const to = newFolder();
		const { code, stdout } = await copy([GROUP, '--to-storage', `file://${to}`]);
		expect({ code, stdout }).toEqual({
			code: 0,
			stdout: expect.stringMatching(`^${GROUP}/${labels[1]} → file://${to}: .* in .* s; copied, and read back`),
		});
		expect(stdout).toContain('\nnot authenticated: no signers are given');
		expect(manifestsBelow(to)).toEqual([`${GROUP}/${labels[1]}/manifest.json`]);
		expect(evidenceBelow(to)).toHaveLength(1);
		expect((await copy([GROUP, '--to-storage', `file://${to}`])).stdout).toContain('was there already');
	});

	it('copies one label, or all that is missing, to several storages', async () => {
		const [first, second] = [newFolder(), newFolder()];
		expect(await copy([`${GROUP}/${labels[0]}`, '--to-storage', `file://${first}`])).toMatchObject({ code: 0 });
		const both = ['--to-storage', `file://${first}`, '--to-storage', `file://${second}`];
		const { code, stdout } = await copy(['--missing', ...both, '--json']);
		expect({ code, ...summary(stdout) }).toMatchObject({ code: 0, outcome: 'ok' });
		expect(summary(stdout).results.map(({ label, status }) => [label, status])).toEqual([
			[labels[1], 'copied'],
			[labels[1], 'copied'],
			[labels[0], 'copied'],
		]);
		expect((await copy(['--missing', ...both])).stdout).toBe('nothing to copy: all is there\n');
		expect((await copy([GROUP, '--missing', '--newest', ...both, '--json'])).code).toBe(0);
	});

	it('takes the destination’s own keys for S3, and shows none', async () => {
		const bucket = await s3().makeBucket();
		const url = `s3://${bucket}?endpoint=${s3().endpoint}&region=us-east-1`;
		const { accessKey, secretKey } = s3().keys;
		const wrong = { AWS_ACCESS_KEY_ID: 'nobody', AWS_SECRET_ACCESS_KEY: 'wrong-secret-key' };
		const right = { N8N_BACKUP_TO_AWS_ACCESS_KEY_ID: accessKey, N8N_BACKUP_TO_AWS_SECRET_ACCESS_KEY: secretKey };
		const running = copy([GROUP, '--to-storage', url], { ...wrong, ...right });
		const seen = commandLines().join('\n');
		expect(await running).toMatchObject({ code: 0 });
		expect(seen).not.toContain(secretKey);
		const denied = await copy([GROUP, '--to-storage', url, '--json'], wrong);
		expect(denied).toMatchObject({ code: 1 });
		expect(summary(denied.stdout)).toMatchObject({ outcome: 'failed', results: [{ code: 'wrong-credentials' }] });
		expect(denied.stdout + denied.stderr).not.toContain('wrong-secret-key');
		const fallback = { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey };
		expect((await copy([GROUP, '--to-storage', url], fallback)).stdout).toContain('was there already');
	});

	it('ends with 1 and says so when only some copies were made', async () => {
		const to = newFolder();
		const { code, stdout, stderr } = await copy([
			GROUP,
			'--to-storage',
			`file://${to}`,
			'--to-storage',
			'file:///nope/x',
		]);
		expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('some copies were made') });
		expect(stdout).toContain('FAILED');
		expect(manifestsBelow(to)).toHaveLength(1);
	});

	it('ends with 5 when the group is locked there', async () => {
		const to = newFolder();
		const storage = createStorage({ type: 'folder', path: to });
		await Repository.open(storage, { create: true });
		const lock = await acquireLock(storage, GROUP);
		expect(await copy([GROUP, '--to-storage', `file://${to}`])).toMatchObject({ code: 5 });
		await lock.release();
	});

	it('ends with 3 for what is left of a run', async () => {
		const label = await buildBackup(from, { group: 'postgres/half' });
		await from.storage.remove(`postgres/half/${label}/manifest.json`);
		expect(await copy([`postgres/half/${label}`, '--to-storage', `file://${newFolder()}`])).toMatchObject({ code: 3 });
	});

	it.each<[string, string[]]>([
		['nothing to copy', []],
		['a label and --missing', [`${GROUP}/20261120T020000Z-full-k3f9`, '--missing']],
		['--newest alone', [GROUP, '--newest']],
		['a wait that is none', [GROUP, '--wait', 'long']],
		['a rate that is none', [GROUP, '--rate-limit', '0']],
	])('ends with 2 on %s', async (_, args) => {
		expect(await copy([...args, '--to-storage', `file://${newFolder()}`])).toMatchObject({ code: 2 });
	});

	it('ends with 2 without a destination, and onto itself', async () => {
		expect(await copy([GROUP])).toMatchObject({ code: 2 });
		expect(await copy([GROUP, '--to-storage', `file://${base}`])).toMatchObject({ code: 2 });
	});

	it('ends with 1 for a group without backups', async () => {
		const { code, stderr } = await copy(['postgres/none', '--to-storage', `file://${newFolder()}`]);
		expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('postgres/none') });
	});
});
