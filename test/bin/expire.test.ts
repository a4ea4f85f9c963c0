import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { acquireLock } from '../../core/records/locks/lock';
import { Repository } from '../../core/records/repository';
import { objectKey } from '../../core/records/layout';
import { FolderStorage } from '../../core/storage/folder/folder';
import { run } from '../support/command-line';
import { addBackup, addOrphan, keysOf, NEVER } from '../support/dated-backups';
import { sharedS3 } from '../support/s3';

const DAY_MS = 24 * 3_600_000;
const SHOP = 'postgres/shop';
const CRM = 'postgres/crm';
const LOST = { what: 'files', from: 10, to: 4 };

let folder: string;
let repository: Repository;
let shop: string[];
let crm: string[];
beforeEach(async () => {
	folder = mkdtempSync(join(tmpdir(), 'expire-'));
	repository = await Repository.open(new FolderStorage({ path: folder }), { create: true });
	shop = await add(SHOP, 5);
	crm = await add(CRM, 4);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** One a day, the newest an hour ago. */
async function add(group: string, days: number, more: object = {}): Promise<string[]> {
	const labels: string[] = [];
	for (let day = days - 1; day >= 0; day--) {
		const at = new Date(Date.now() - day * DAY_MS - 3_600_000).toISOString();
		labels.push(await addBackup(repository, { at, group, ...more }));
	}
	return labels;
}

const storage = () => ['--storage', `file://${folder}`];
const expire = async (...args: string[]) => await run(['expire', ...storage(), ...args]);
const labels = async (group: string) => (await repository.list(group)).map(({ label }) => label);

const ISO_TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string;

describe('n8n-backup expire', () => {
	it('shows the plan of every group with reasons, and changes nothing', async () => {
		const before = await keysOf(repository);
		const { code, stdout } = await expire('--all-groups', '--policy', 'last=2,minimum=1');
		expect(code).toBe(0);
		expect(stdout).toMatch(new RegExp(`^${CRM}\n`));
		expect(stdout).toMatch(new RegExp(`^  expire  ${shop[0]}  \\S.*$`, 'm'));
		expect(stdout).toMatch(new RegExp(`^  keep    ${shop[4]}  \\S.*$`, 'm'));
		expect(stdout).toMatch(/^ {2}2 backups to keep \([\d.]+ kB\), 3 to expire, which frees [\d.]+ kB$/m);
		expect(stdout).toContain('nothing was changed');
		expect(await keysOf(repository)).toEqual(before);
		expect(readdirSync(folder)).not.toContain('runs');
	});

	it('removes what expires with --apply, in the named group only', async () => {
		const { code, stdout } = await expire('--group', SHOP, '--policy', 'last=2,minimum=1', '--apply');
		expect({ code, stdout }).toEqual({
			code: 0,
			stdout: expect.stringMatching(/2 backups kept .*, 3 removed, .* freed/),
		});
		expect(await labels(SHOP)).toEqual(shop.slice(3));
		expect(await labels(CRM)).toEqual(crm);
	});

	it('prints one result per group for programs', async () => {
		const args = ['--group', CRM, '--group', SHOP, '--policy', 'last=2,minimum=1', '--json'];
		const plan = JSON.parse((await expire(...args)).stdout) as object[];
		expect(plan).toMatchObject([
			{ ok: true, applied: false, group: CRM },
			{ ok: true, applied: false, group: SHOP, removed: [], plan: { group: SHOP } },
		]);
		expect(plan[1]).toMatchObject({ plan: { backups: [{ startedAt: ISO_TIME }, {}, {}, {}, {}] } });
		const done = JSON.parse((await expire(...args, '--apply')).stdout) as object[];
		expect(done).toMatchObject([
			{ ok: true, applied: true, group: CRM, warnings: [] },
			{ ok: true, applied: true, group: SHOP, skipped: [], resumed: [], plan: { backups: { length: 5 } } },
		]);
		expect(await labels(SHOP)).toEqual(shop.slice(3));
		const left = JSON.parse((await run(['list', ...storage(), '--group', SHOP, '--json'])).stdout) as object[];
		expect(left[0]).toMatchObject({ startedAt: ISO_TIME, verifications: [{ at: ISO_TIME }] });
	});

	it('says what blocks it, what allowing that risks, and does it when allowed', async () => {
		const unproved = await add('postgres/zoo', 5, { verified: null });
		const args = ['--group', 'postgres/zoo', '--policy', 'last=2,minimum=2', '--apply'];
		const blocked = await expire(...args);
		expect(blocked.code).toBe(0);
		expect(blocked.stdout).toMatch(/^ {2}blocked: .+\n {4}.+ Allow it with --allow unverified\.$/m);
		expect(blocked.stdout).toMatch(/^ {2}held back: 3 backups, [\d.]+ kB$/m);
		expect(await labels('postgres/zoo')).toEqual(unproved);
		expect(await expire(...args, '--allow', 'unverified')).toMatchObject({ code: 0 });
		expect(await labels('postgres/zoo')).toEqual(unproved.slice(3));
	});

	it('ends with 5 when a group is locked, and does the others', async () => {
		const lock = await acquireLock(repository.storage, CRM, { signal: NEVER });
		const { code, stdout, stderr } = await expire('--all-groups', '--policy', 'last=2,minimum=1', '--apply');
		await lock.release();
		expect({ code, stderr }).toEqual({ code: 5, stderr: expect.stringContaining(`${CRM}: `) });
		expect(stdout).toContain(SHOP);
		expect(await labels(CRM)).toEqual(crm);
		expect(await labels(SHOP)).toEqual(shop.slice(3));
	});

	it('plans the others when a group has no backups, and ends with 1', async () => {
		const named = ['--group', 'postgres/none', '--group', SHOP];
		const { code, stdout, stderr } = await expire(...named, '--policy', 'last=2,minimum=1');
		expect({ code, stderr }).toEqual({
			code: 1,
			stderr: expect.stringContaining('there are no backups of postgres/none'),
		});
		expect(stdout).toContain('2 backups to keep');
	});

	it('ends with 1 when a group fails, and does the others', async () => {
		const args = ['--group', 'postgres/none', '--group', SHOP, '--policy', 'last=2,minimum=1', '--apply', '--json'];
		const { code, stdout } = await expire(...args);
		expect(code).toBe(1);
		expect(JSON.parse(stdout)).toMatchObject([
			{ ok: false, group: 'postgres/none', code: 'not-found', hint: expect.any(String) },
			{ ok: true, group: SHOP },
		]);
		expect(await labels(SHOP)).toEqual(shop.slice(3));
	});

	it.each<[string, string[]]>([
		['no group', ['--policy', 'last=2']],
		['a group and all groups', ['--group', SHOP, '--all-groups', '--policy', 'last=2']],
		['a name that no group can have', ['--group', 'runs', '--policy', 'last=2']],
		['an empty policy', ['--group', SHOP, '--policy', '']],
		['a policy that keeps nothing', ['--group', SHOP, '--policy', 'minimum=3']],
		['a risk that is none', ['--group', SHOP, '--policy', 'last=2', '--allow', 'everything']],
		['a time to wait that is none', ['--group', SHOP, '--policy', 'last=2', '--wait', 'long']],
		['a mode of protection that is none', ['--group', SHOP, '--policy', 'last=2', '--extend-protection', 'strong']],
	])('ends with 2 on %s, and removes nothing', async (_, args) => {
		expect(await expire(...args, '--apply')).toMatchObject({ code: 2 });
		expect(await labels(SHOP)).toEqual(shop);
	});
});

describe('n8n-backup pin and unpin', () => {
	it('keep a backup whatever the policy says, until it is unpinned', async () => {
		const name = `${SHOP}/${shop[0]}`;
		const pinned = await run(['pin', ...storage(), name, '--reason', 'before the move']);
		expect(pinned).toMatchObject({ code: 0, stdout: `${name} is pinned\n` });
		const policy = ['--group', SHOP, '--policy', 'last=2,minimum=1', '--apply'];
		expect((await expire(...policy)).stdout).toMatch(new RegExp(`keep +${shop[0]}  .*pinned`));
		expect(await labels(SHOP)).toEqual([shop[0], ...shop.slice(3)]);
		const again = await run(['unpin', ...storage(), name, '--json']);
		expect(JSON.parse(again.stdout)).toEqual({
			group: SHOP,
			label: shop[0],
			pinned: false,
			changed: true,
			warnings: [],
		});
		await expire(...policy);
		expect(await labels(SHOP)).toEqual(shop.slice(3));
	});

	it('end with 1 for a backup that is not there, and with 2 for a group', async () => {
		expect(await run(['pin', ...storage(), `${SHOP}/20200101T000000Z-full-aaaa`])).toMatchObject({ code: 1 });
		expect(await run(['unpin', ...storage(), SHOP])).toMatchObject({ code: 2 });
	});
});

describe('n8n-backup approve', () => {
	it('says that what was lost is right, so that retention goes on,', async () => {
		const at = new Date(Date.now() - 60_000);
		const label = await addBackup(repository, { at: at.toISOString(), group: SHOP, shrunk: LOST });
		const name = `${SHOP}/${label}`;
		const policy = ['--group', SHOP, '--policy', 'last=2,minimum=1'];
		expect((await expire(...policy)).stdout).toMatch(/has 4 files, and \S+ had 10; nobody has approved that/);
		const approved = await run(['approve', ...storage(), name, '--reason', 'the old shop is gone']);
		expect(approved).toMatchObject({ code: 0, stderr: '' });
		expect(approved.stdout).toMatch(new RegExp(`^${name} is approved\n60 % of the files are gone since .*\n$`));
		expect((await expire(...policy)).stdout).not.toContain('approved');
		const again = await run(['approve', ...storage(), name, '--json']);
		expect(JSON.parse(again.stdout)).toEqual({ group: SHOP, label, changed: false, approved: [], warnings: [] });
	});

	it('ends with 1 for a backup that is not there, and with 2 for a group', async () => {
		const missing = await run(['approve', ...storage(), `${SHOP}/20200101T000000Z-full-aaaa`]);
		expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no backup') });
		expect(await run(['approve', ...storage(), SHOP])).toMatchObject({ code: 2 });
	});
});

describe('n8n-backup prune', () => {
	it('shows what killed runs left, and removes it with --apply', async () => {
		const orphan = await addOrphan(repository, SHOP, new Date(Date.now() - 3 * DAY_MS));
		writeFileSync(join(folder, 'notes.txt'), 'mine');
		const young = await run(['prune', ...storage()]);
		expect(young).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing to remove') });
		const shown = await run(['prune', ...storage(), '--grace-hours', '0']);
		expect(shown.stdout).toContain(`would remove ${SHOP}/${orphan}: 1 object without a manifest, 11 B`);
		expect(shown.stdout).toContain('Give --apply');
		expect(await keysOf(repository)).toContain(objectKey(SHOP, orphan, 'dump.sql.zst'));
		const done = await run(['prune', ...storage(), '--grace-hours', '0', '--apply', '--json']);
		expect(JSON.parse(done.stdout)).toMatchObject({
			applied: true,
			orphans: [{ label: orphan }],
			freedBytes: 11,
			unknown: ['notes.txt'],
		});
		expect(await keysOf(repository)).not.toContain(objectKey(SHOP, orphan, 'dump.sql.zst'));
		expect(await labels(SHOP)).toEqual(shop);
	});

	it('ends with 2 on a grace time that is none', async () => {
		expect(await run(['prune', ...storage(), '--grace-hours', 'none'])).toMatchObject({ code: 2 });
	});
});

describe('in S3', () => {
	const server = sharedS3();

	it('secrets never show in what the commands print', async () => {
		const bucket = await server().makeBucket();
		const { accessKey, secretKey } = server().keys;
		const env = { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey };
		const where = ['--storage', `s3://${bucket}?endpoint=${server().endpoint}`];
		const outputs = [
			await run(['expire', ...where, '--all-groups', '--policy', 'critical', '--json'], env),
			await run(['expire', ...where, '--group', SHOP, '--policy', 'critical', '--apply'], {
				...env,
				AWS_SECRET_ACCESS_KEY: `${secretKey}x`,
			}),
			await run(['prune', ...where, '--apply'], env),
			await run(['pin', ...where, `${SHOP}/20200101T000000Z-full-aaaa`], env),
		];
		for (const { code, stdout, stderr } of outputs) {
			expect(code).toBe(1);
			expect(stdout + stderr).not.toContain(secretKey);
			expect(stdout + stderr).not.toContain(accessKey);
		}
	});
});
