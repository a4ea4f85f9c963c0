import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeOperationError } from 'n8n-workflow';
import { Repository } from '../../core/records/repository';
import { createStorage } from '../../core/storage/create';
import type { Storage } from '../../core/storage/storage';
import { BackupStorageApi } from '../../credentials/BackupStorageApi.credentials';
import { BackupStorageSecondApi } from '../../credentials/BackupStorageSecondApi.credentials';
import { BackupStorageThirdApi } from '../../credentials/BackupStorageThirdApi.credentials';
import { CopyBackup } from '../../nodes/CopyBackup/CopyBackup.node';
import { ACTOR, fakeContext, type FakeNode } from '../support/fake-node';
import { runsIn } from '../support/runs';
import { buildBackup } from '../support/build-backup';
import { contentOf } from '../support/stored-backups';
import { evidenceBelow, manifestsBelow } from '../support/stored-files';

const node = new CopyBackup();
const SHOP = 'postgres/shop';
const CRM = 'postgres/crm';

let folder: string;
let folders: Record<'first' | 'second' | 'third', string>;
let source: Repository;
let storage: Storage;

beforeEach(async () => {
	folder = mkdtempSync(join(tmpdir(), 'copy-backup-'));
	folders = { first: join(folder, '1'), second: join(folder, '2'), third: join(folder, '3') };
	for (const each of Object.values(folders)) mkdirSync(each);
	storage = createStorage({ type: 'folder', path: folders.first });
	source = await Repository.open(storage, { create: true });
});

afterEach(async () => {
	await storage.close();
	rmSync(folder, { recursive: true, force: true });
});

async function run(parameters: Record<string, unknown>, more: Partial<FakeNode> = {}) {
	const defaults = { operation: 'copy', choose: 'label', groups: '', to: 'second', options: {} };
	const credentials = {
		backupStorageApi: { type: 'folder', path: folders.first },
		backupStorageSecondApi: { type: 'folder', path: folders.second },
		backupStorageThirdApi: { type: 'folder', path: folders.third },
	};
	const fake = fakeContext({ parameters: { ...defaults, ...parameters }, credentials, ...more });
	const [items] = await node.execute.call(fake.context);
	return { items: items!, json: items!.map((item) => item.json), ...fake };
}

/** What lies there, but for evidence, which each place has of its own. */
async function bytesIn(path: string): Promise<Map<string, Buffer>> {
	const content = await contentOf(createStorage({ type: 'folder', path }));
	return new Map([...content].filter(([key]) => !key.includes('/verified-')));
}

describe('Copy Backup', () => {
	it('copies a backup byte for byte, reads it back, and says where it lies', async () => {
		const label = await buildBackup(source, { group: SHOP });
		const { items, hints } = await run({ group: SHOP, label });
		expect(items).toEqual([
			{
				pairedItem: { item: 0 },
				json: expect.objectContaining({
					...{ ok: true, status: 'copied', runStatus: 'ok', group: SHOP, label, code: null, warnings: [] },
					destination: expect.stringContaining(folders.second),
					bytes: expect.any(Number),
					seconds: expect.any(Number),
					evidence: expect.stringMatching(/^verified-.*-stored-ok\.json$/),
				}),
			},
		]);
		expect(Object.entries(items[0]!.json)[0]).toEqual([
			'summary',
			expect.stringMatching(/^postgres\/shop: \d.* copied to .*, and read back$/),
		]);
		expect(hints).toEqual([]);
		expect(await bytesIn(folders.second)).toEqual(await bytesIn(folders.first));
		expect(evidenceBelow(folders.second)).toHaveLength(1);
		expect(manifestsBelow(folders.third)).toEqual([]);
	});

	it('says that a backup is present where it was copied before', async () => {
		const label = await buildBackup(source, { group: SHOP });
		await run({ group: SHOP, label });
		expect((await run({ group: SHOP, label })).json).toEqual([
			expect.objectContaining({ ok: true, status: 'present', runStatus: 'ok', bytes: 0 }),
		]);
	});

	it('copies to two storages in one run, an item for each', async () => {
		const label = await buildBackup(source, { group: SHOP });
		const { json } = await run({ group: SHOP, label, to: 'both' });
		expect(json.map(({ status, destination }) => [status, destination])).toEqual([
			['copied', expect.stringContaining(folders.second)],
			['copied', expect.stringContaining(folders.third)],
		]);
		for (const place of [folders.second, folders.third]) {
			expect(await bytesIn(place)).toEqual(await bytesIn(folders.first));
		}
	});

	it('is degraded when one copy was made and the other failed: items and a hint, no error', async () => {
		const label = await buildBackup(source, { group: SHOP });
		rmSync(folders.third, { recursive: true });
		const { json, hints } = await run({ group: SHOP, label, to: 'both' });
		expect(json).toEqual([
			expect.objectContaining({ ok: true, status: 'copied', runStatus: 'degraded' }),
			expect.objectContaining({
				...{ ok: false, status: 'failed', runStatus: 'degraded', group: SHOP, label },
				code: 'bucket-not-found',
				message: expect.any(String),
				hint: expect.any(String),
			}),
		]);
		expect(hints.map(({ message }) => message)).toEqual([
			expect.stringMatching(/^degraded: 1 of 2 copies failed/),
			expect.stringContaining(folders.third),
		]);
	});

	it('sends a failed copy to the error output where the node continues on errors', async () => {
		const label = await buildBackup(source, { group: SHOP });
		rmSync(folders.third, { recursive: true });
		const { items } = await run({ group: SHOP, label, to: 'both' }, { continueOnFail: true });
		expect(items[0]!.json).toMatchObject({ ok: true, status: 'copied', runStatus: 'degraded' });
		// n8n routes by these keys: see toErrorItem.
		expect(items[1]).toEqual({
			pairedItem: { item: 0 },
			json: {
				error: expect.any(String),
				details: expect.objectContaining({ ok: false, status: 'failed', runStatus: 'degraded', group: SHOP, label }),
			},
		});
	});

	it('fails when no copy was made, naming each', async () => {
		const label = await buildBackup(source, { group: SHOP });
		rmSync(folders.second, { recursive: true });
		const alone: unknown = await run({ group: SHOP, label }).catch((error: unknown) => error);
		expect(alone).toBeInstanceOf(NodeOperationError);
		expect(alone).toMatchObject({
			message: expect.stringMatching(new RegExp(`^${SHOP}/${label} to .*${folders.second}`)),
			description: expect.any(String),
		});
		rmSync(folders.third, { recursive: true });
		await expect(run({ group: SHOP, label, to: 'both' })).rejects.toThrow(/^none of 2 copies was made: .*; /);
	});

	it('copies all that a storage lacks, and says when nothing was missing', async () => {
		for (const group of [SHOP, SHOP, CRM]) await buildBackup(source, { group });
		const { json } = await run({ choose: 'missing' });
		expect(json.map(({ group, status }) => `${group as string} ${status as string}`).sort()).toEqual([
			`${CRM} copied`,
			`${SHOP} copied`,
			`${SHOP} copied`,
		]);
		expect(await bytesIn(folders.second)).toEqual(await bytesIn(folders.first));
		const again = await run({ choose: 'missing', to: 'both' });
		expect(again.json.filter(({ status }) => status === 'copied')).toHaveLength(3);
		expect(again.json.filter(({ status }) => status === 'present')).toEqual([
			expect.objectContaining({
				...{ ok: true, runStatus: 'ok', group: null, label: null, bytes: 0, message: 'nothing was missing' },
				destination: expect.stringContaining(folders.second),
			}),
		]);
	});

	it('copies the newest backup of each group, or of the groups that are named', async () => {
		await buildBackup(source, { group: SHOP });
		const shop = await buildBackup(source, { group: SHOP });
		const crm = await buildBackup(source, { group: CRM });
		const named = await run({ choose: 'newest', groups: SHOP });
		expect(named.json.map(({ label }) => label)).toEqual([shop]);
		const all = await run({ choose: 'newest', to: 'both' });
		const to = (place: string) =>
			all.json.filter(({ destination }) => (destination as string).includes(place)).map(({ label }) => label);
		expect(to(folders.second)).toEqual([crm]);
		expect(to(folders.third).sort()).toEqual([crm, shop].sort());
	});

	it('says that there is no such backup or group instead of copying nothing', async () => {
		const label = await buildBackup(source, { group: SHOP });
		await expect(run({ choose: 'missing', groups: 'postgres/shoe' })).rejects.toThrow(/no backup of postgres\/shoe in/);
		await expect(run({ group: SHOP, label: label.replace(/....$/, 'aaaa') })).rejects.toThrow(/no backup/);
		expect(manifestsBelow(folders.second)).toEqual([]);
	});

	it('takes group and label from every item of the node before', async () => {
		const parametersOf = [
			{ group: CRM, label: await buildBackup(source, { group: CRM }) },
			{ group: SHOP, label: await buildBackup(source, { group: SHOP }) },
		];
		const { items } = await run({}, { parametersOf });
		expect(items.map(({ json: { group, label }, pairedItem }) => ({ group, label, pairedItem }))).toEqual(
			parametersOf.map((each, item) => ({ ...each, pairedItem: { item } })),
		);
		const fields = node.description.properties.filter(({ name }) => ['group', 'label'].includes(name));
		expect(fields.map(({ default: value }) => value)).toEqual([
			{ mode: 'name', value: '={{ $json.group }}' },
			{ mode: 'name', value: '={{ $json.label }}' },
		]);
	});

	it('does not write into a folder that n8n may not use', async () => {
		const label = await buildBackup(source, { group: SHOP });
		await expect(run({ group: SHOP, label }, { allowedFolder: folders.first })).rejects.toMatchObject({
			message: expect.stringContaining(`n8n may not use the folder ${folders.second}`),
		});
		expect(manifestsBelow(folders.second)).toEqual([]);
	});

	it('refuses a lock that the destination cannot keep', async () => {
		const label = await buildBackup(source, { group: SHOP });
		const retentionLock = { lock: { mode: 'governance', keepFor: 'days', days: 30 } };
		await expect(run({ group: SHOP, label, options: { retentionLock } })).rejects.toMatchObject({
			type: 'unsupported',
		});
		expect(manifestsBelow(folders.second)).toEqual([]);
	});

	it('leaves in the journals of both places which workflow, execution and node it was', async () => {
		const label = await buildBackup(source, { group: SHOP });
		await run({ group: SHOP, label });
		for (const path of [folders.first, folders.second]) {
			const runs = await runsIn(createStorage({ type: 'folder', path }));
			expect(runs).toContainEqual({ verb: 'copy', state: 'ok', actor: ACTOR });
		}
	});

	it.each([
		['an unknown choice', { choose: 'oldest' }, /invalid value for "Which Backups": oldest/],
		['an unknown destination', { choose: 'missing', to: 'fourth' }, /invalid value for "Copy To": fourth/],
		['no group', { group: '', label: 'x' }, /"Group" is empty/],
		['no label', { group: SHOP, label: '' }, /"Backup" is empty/],
		['a negative wait', { choose: 'missing', options: { lockWait: -1 } }, /invalid value for "Wait for Lock": -1/],
		['a negative rate', { choose: 'missing', options: { rateLimit: -1 } }, /invalid value for "Rate Limit": -1/],
	])('%s is a clear error with a hint', async (_, parameters, message) => {
		const failure: unknown = await run(parameters).catch((error: unknown) => error);
		expect(failure).toBeInstanceOf(NodeOperationError);
		expect(failure).toMatchObject({
			message: expect.stringMatching(message),
			description: expect.stringMatching(/\.$/),
		});
	});

	it('stops when the run is stopped, and leaves no copy', async () => {
		const label = await buildBackup(source, { group: SHOP });
		await expect(run({ group: SHOP, label }, { signal: AbortSignal.abort() })).rejects.toThrow(/stopped/);
		expect(manifestsBelow(folders.second)).toEqual([]);
	});
});

describe('the storages of copies', () => {
	it.each([new BackupStorageSecondApi(), new BackupStorageThirdApi()])(
		'have the fields of the first one: $displayName',
		(credential) => {
			expect(credential.extends).toEqual([new BackupStorageApi().name]);
			expect(credential.properties).toEqual([]);
		},
	);
});
