import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type INodePropertyOptions, NodeOperationError } from 'n8n-workflow';
import { EMBEDDED_MAX_BYTES } from '../../core/sources/postgres/drill/embedded/database';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { Repository } from '../../core/records/repository';
import { filesSource } from '../../core/sources/files/source';
import { createStorage } from '../../core/storage/create';
import { backUp } from '../../core/verbs/backup/backup';
import { VerifyBackup } from '../../nodes/VerifyBackup/VerifyBackup.node';
import { ACTOR, fakeContext, type FakeNode } from '../support/fake-node';
import { createFolder, removeFolder } from '../support/folders';
import { makeN8nFolder, written } from '../support/n8n-folder';
import { runsIn } from '../support/runs';
import { type NodeBackups, nodeBackups } from '../support/node-backups';
import { type PostgresServer, sharedPostgres, sql } from '../support/postgres';
import { damage, evidenceBelow } from '../support/stored-files';

const node = new VerifyBackup();
let server: PostgresServer;
let source: DatabaseTarget;
let backups: NodeBackups;

beforeAll(async () => {
	server = await sharedPostgres(18);
	source = await server.createDatabase();
	await sql(source, `CREATE TABLE t AS SELECT i AS id, 'SECRET-ROW-' || i AS v FROM generate_series(1, 500) i`);
}, 120_000);

beforeEach(async () => {
	backups = await nodeBackups(source);
});

afterEach(() => {
	jest.restoreAllMocks();
	backups.remove();
});

async function run(parameters: Record<string, unknown>, more: Partial<FakeNode> = {}) {
	const defaults = { choose: 'newest', groups: '', depth: 'stored', encryption: 'age', scratch: 'server', options: {} };
	const credentials = backups.credentials();
	const fake = fakeContext({ parameters: { ...defaults, ...parameters }, credentials, ...more });
	const [items] = await node.execute.call(fake.context);
	return { items: items!, ...fake };
}

/** Changes a byte of the stored dump. */
function damageBackup(group: string, label: string): void {
	damage(join(backups.folder, group, label, 'dump.sql.zst.age'));
}

/** Everything that must never be seen in items, hints or errors. */
function expectNoSecret(seen: unknown): void {
	const text = JSON.stringify(seen);
	for (const secret of [source.password!, backups.keys.identity, 'SECRET-ROW']) expect(text).not.toContain(secret);
}

describe('Verify Backup', () => {
	it('proves by a restore that a backup is what was there, and leaves evidence but no scratch database', async () => {
		const label = await backups.add('postgres/shop');
		const assertion = [{ name: 'there are rows', sql: 'SELECT count(*) = 500 FROM t' }];
		const { items, hints, messages } = await run({ depth: 'restored', assertions: { assertion } });
		expect(items).toEqual([
			{
				pairedItem: { item: 0 },
				json: expect.objectContaining({
					ok: true,
					outcome: 'ok',
					group: 'postgres/shop',
					label,
					depth: 'restored',
					comparison: expect.objectContaining({ ok: true, tables: 1, rows: 500, differences: [] }),
					assertions: [{ name: 'there are rows', ok: true, message: null }],
					restoreSeconds: expect.any(Number),
					seconds: expect.any(Number),
					evidence: expect.stringMatching(/^verified-.*-restored-ok\.json$/),
				}),
			},
		]);
		const summary = 'postgres/shop: restored and compared: 1 table, 500 rows';
		expect(Object.entries(items[0]!.json)[0]).toEqual(['summary', summary]);
		expectNoSecret([items, hints, messages]);
		expect(evidenceBelow(backups.folder)).toHaveLength(1);
		expect(await sql(source, "SELECT datname FROM pg_database WHERE datname LIKE 'n8n\\_backup\\_%'")).toEqual([]);
	});

	it('proves the same without any server', async () => {
		await backups.add('postgres/shop');
		const { backupStorageApi, backupEncryptionApi } = backups.credentials();
		const credentials = { backupStorageApi, backupEncryptionApi };
		const { items } = await run({ depth: 'restored', scratch: 'embedded' }, { credentials });
		expect(items[0]!.json).toMatchObject({ ok: true, comparison: { ok: true, tables: 1, rows: 500 } });
	});

	it('says how large a dump may be that needs no server', () => {
		const field = node.description.properties.find(({ name }) => name === 'scratch')!;
		const embedded = (field.options as INodePropertyOptions[]).find(({ value }) => value === 'embedded')!;
		expect(embedded.description).toContain(`up to ${EMBEDDED_MAX_BYTES / 1e6} MB`);
	});

	it('needs no key to prove that the bytes are stored', async () => {
		await backups.add('postgres/shop');
		const { backupStorageApi } = backups.credentials();
		const { items } = await run({ depth: 'stored' }, { credentials: { backupStorageApi } });
		expect(items[0]!.json).toMatchObject({ ok: true, depth: 'stored', comparison: null });
	});

	it('says where to go when n8n holds no identity, and what can be proved here', async () => {
		await backups.add('postgres/shop');
		const credentials = backups.credentials();
		credentials.backupEncryptionApi.identity = '';
		await expect(run({ depth: 'readable' }, { credentials })).rejects.toMatchObject({
			message: expect.stringContaining('no identity'),
			description: expect.stringMatching(/"Stored" here.*n8n-backup verify .*--identity FILE/),
		});
		expect(evidenceBelow(backups.folder)).toEqual([]);
	});

	it('verifies the newest backup of each group', async () => {
		await backups.add('postgres/crm');
		const crm = await backups.add('postgres/crm');
		const shop = await backups.add('postgres/shop');
		const all = [crm, shop].sort();
		const labels = async (parameters: object) => {
			const { items } = await run({ ...parameters });
			return items.map(({ json }) => json.label as string).sort();
		};
		// Two backups of one second have labels in any order.
		expect((await labels({})).length).toBe(2);
		expect(await labels({ groups: 'postgres/shop' })).toEqual([shop]);
		expect(await labels({ choose: 'group', group: 'postgres/shop' })).toEqual([shop]);
		expect(await labels({ choose: 'unverified', depth: 'readable' })).toHaveLength(3);
		expect(await labels({ choose: 'unverified', depth: 'readable' })).toEqual([]);
		expect(await labels({ choose: 'share', parts: 1 })).toEqual(expect.arrayContaining(all));
	});

	it('takes group and label from every item of the node before', async () => {
		const parametersOf = [
			{ group: 'postgres/crm', label: await backups.add('postgres/crm') },
			{ group: 'postgres/shop', label: await backups.add('postgres/shop') },
		];
		const { items } = await run({ choose: 'label' }, { parametersOf });
		expect(items.map(({ json: { group, label }, pairedItem }) => ({ group, label, pairedItem }))).toEqual(
			parametersOf.map((each, item) => ({ ...each, pairedItem: { item } })),
		);
		const fields = node.description.properties.filter(({ name }) => ['choose', 'group', 'label'].includes(name));
		expect(fields.map(({ default: value }) => value)).toEqual([
			'label',
			{ mode: 'name', value: '={{ $json.group }}' },
			{ mode: 'name', value: '={{ $json.label }}' },
		]);
	});

	it('verifies once what several items ask for alike, and says what to choose where an item names no backup', async () => {
		const label = await backups.add('postgres/shop');
		const { items } = await run({ choose: 'newest' }, { items: 3 });
		expect(items).toEqual([{ pairedItem: { item: 0 }, json: expect.objectContaining({ label }) }]);
		expect(evidenceBelow(backups.folder)).toHaveLength(1);
		await expect(run({ choose: 'label', group: '', label: '' })).rejects.toMatchObject({
			message: '"Group" is empty',
			description: 'Fill in "Group". Or set "Which Backups" to "Newest of Each Group".',
		});
	});

	it('routes a bad backup to the error output and the good ones on', async () => {
		const bad = await backups.add('postgres/crm');
		await backups.add('postgres/shop');
		damageBackup('postgres/crm', bad);
		const { items } = await run({}, { continueOnFail: true });
		// n8n routes by these keys: see toErrorItem.
		expect(items[0]).toEqual({
			pairedItem: { item: 0 },
			json: {
				error: expect.any(String),
				details: expect.objectContaining({
					...{ ok: false, outcome: 'bad', group: 'postgres/crm', label: bad, code: 'damaged' },
					evidence: expect.stringMatching(/-failed\.json$/),
				}),
			},
		});
		expect(items[1]!.json).toMatchObject({ ok: true, group: 'postgres/shop' });
	});

	it('verifies all, then fails, saying which are bad', async () => {
		damageBackup('postgres/crm', await backups.add('postgres/crm'));
		await backups.add('postgres/shop');
		const failure: unknown = await run({}).catch((error: unknown) => error);
		expect(failure).toBeInstanceOf(NodeOperationError);
		expect(failure).toMatchObject({ message: expect.stringMatching(/^1 of 2 backups is bad: postgres\/crm\//) });
		expect(evidenceBelow(backups.folder).map((file) => file.split('-').at(-1))).toEqual(['failed.json', 'ok.json']);
	});

	it('calls a backup bad that does not come back as it was, or answers an assertion with no', async () => {
		await backups.add('postgres/lie', { lie: true });
		await expect(run({ depth: 'restored' })).rejects.toThrow(/postgres\/lie/);
		await backups.add('postgres/shop');
		const assertion = [{ name: 'there are many rows', sql: 'SELECT count(*) > 1000 FROM t' }];
		const { items } = await run(
			{ depth: 'restored', groups: 'postgres/shop', assertions: { assertion } },
			{ continueOnFail: true },
		);
		expect(items[0]!.json).toMatchObject({
			error: expect.stringContaining('there are many rows'),
			details: { outcome: 'bad', code: 'assertion-failed', assertions: [{ ok: false }] },
		});
	});

	it('does not call a backup bad because the scratch server is not there', async () => {
		await backups.add('postgres/shop');
		const credentials = backups.credentials();
		credentials.postgres.port = 1;
		const { items } = await run({ depth: 'restored' }, { credentials, continueOnFail: true });
		expect(items[0]!.json).toMatchObject({
			error: expect.any(String),
			details: { outcome: 'environment', code: 'unreachable', hint: expect.any(String), evidence: null },
		});
		await expect(run({ depth: 'restored' }, { credentials })).rejects.toThrow(NodeOperationError);
		expect(evidenceBelow(backups.folder)).toEqual([]);
	});

	it('goes on with the item when the environment failed and that is no reason to fail', async () => {
		await backups.add('postgres/shop');
		const credentials = backups.credentials();
		credentials.postgres.port = 1;
		const { items, hints } = await run({ depth: 'restored', options: { failOnEnvironment: false } }, { credentials });
		expect(items[0]!.json).toMatchObject({ ok: false, outcome: 'environment', message: expect.any(String) });
		expect(hints).toEqual([expect.objectContaining({ message: expect.stringContaining('not verified') })]);
	});

	it('says that there is no such backup instead of verifying nothing', async () => {
		await expect(run({})).rejects.toThrow(/no backups in/);
		const label = await backups.add('postgres/shop');
		await expect(run({ groups: 'postgres/shop, postgres/shoe' })).rejects.toThrow(/no backup of postgres\/shoe in/);
		await expect(run({ choose: 'group', group: 'postgres/shoe' })).rejects.toThrow(/no backup of postgres\/shoe in/);
		const { items } = await run(
			{ choose: 'label', group: 'postgres/shop', label: label.replace(/....$/, 'aaaa') },
			{ continueOnFail: true },
		);
		expect(items[0]!.json).toMatchObject({
			error: expect.any(String),
			details: { ok: false, code: 'not-found', group: 'postgres/shop' },
		});
	});

	it('does not call a backup bad that was removed, or cut down to leftovers, before its turn came', async () => {
		const gone = await backups.add('postgres/crm');
		const cut = await backups.add('postgres/shop');
		await backups.add('postgres/web');
		jest.spyOn(Repository.prototype, 'list').mockImplementationOnce(async function (this: Repository, group) {
			const entries = await this.list(group);
			rmSync(join(backups.folder, 'postgres/crm', gone), { recursive: true });
			rmSync(join(backups.folder, 'postgres/shop', cut, 'manifest.json'));
			return entries;
		});
		await expect(run({})).rejects.toMatchObject({
			message: expect.stringMatching(/^2 of 3 could not be verified: postgres\/crm\/.*no backup.*no manifest/),
		});
	});

	it('ends the run for a defect of the program, which is no word about any backup', async () => {
		await backups.add('postgres/crm');
		await backups.add('postgres/shop');
		jest.spyOn(Repository.prototype, 'writeEvidence').mockRejectedValueOnce(new TypeError('not a function'));
		const failure: unknown = await run({}).catch((error: unknown) => error);
		expect(failure).toMatchObject({ message: 'not a function' });
	});

	it.each([
		['an unknown choice', { choose: 'oldest' }, /invalid value for "Which Backups": oldest/],
		['an unknown depth', { depth: 'deep' }, /invalid value for "Depth": deep/],
		['an unknown scratch', { depth: 'restored', scratch: 'moon' }, /invalid value for "Scratch Database": moon/],
		['no label', { choose: 'label', group: 'g', label: '' }, /"Backup" is empty/],
		['no share', { choose: 'share', parts: 0 }, /invalid value for "Days per Round": 0/],
		[
			'an assertion without a question',
			{ depth: 'restored', assertions: { assertion: [{ name: 'a', sql: ' ' }] } },
			/"SQL of assertion 1" is empty/,
		],
	])('%s is a clear error with a hint', async (_, parameters, message) => {
		const failure: unknown = await run(parameters).catch((error: unknown) => error);
		expect(failure).toBeInstanceOf(NodeOperationError);
		expect(failure).toMatchObject({
			message: expect.stringMatching(message),
			description: expect.stringMatching(/\.$/),
		});
	});

	it('opens every credential of n8n with the key in its archive, and says how many', async () => {
		const top = createFolder('verify-n8n');
		try {
			await backUp({
				...{ storage: createStorage({ type: 'folder', path: backups.folder }), group: 'files/n8n' },
				source: filesSource({ paths: [makeN8nFolder(top)] }),
				...{ encryption: { recipients: [backups.keys.recipient] }, signal: new AbortController().signal },
			});
			const parameters = { depth: 'restored', scratch: 'embedded', options: { n8nGroup: 'files/n8n' } };
			const { items, hints } = await run(parameters);
			expect(items[0]!.json).toMatchObject({
				...{
					ok: true,
					summary: expect.stringMatching(/^files\/n8n: .* 2 files of .*; 3 of 3 credentials of n8n open$/),
				},
				assertions: [{ name: 'n8n’s credentials', ok: true, figures: { credentials: 3, openCredentials: 3 } }],
			});
			expect(JSON.stringify([items, hints])).not.toContain(written.encryptionKey);
			const keyFile = { n8nGroup: 'files/n8n', n8nKeyFile: '/srv/n8n/.env' };
			await expect(run({ ...parameters, options: keyFile })).rejects.toMatchObject({
				message: expect.stringMatching(/0 of 3 credentials of n8n open: .* has no \/srv\/n8n\/\.env$/),
				description: expect.stringContaining('Archive the folder .n8n of the very n8n'),
			});
		} finally {
			removeFolder(top);
		}
	});

	it('does not pass over n8n’s credentials in silence', async () => {
		await backups.add('postgres/shop');
		const options = { n8nGroup: 'files/n8n' };
		await expect(run({ depth: 'readable', options })).rejects.toThrow(/are opened at the depth "Restored"/);
		await expect(run({ depth: 'restored', options })).rejects.toMatchObject({
			message: 'none of these backups holds a database of n8n, so no credential was tried',
		});
	});

	it('leaves in the journal which workflow, execution and node it was', async () => {
		await backups.add('postgres/shop');
		await run({});
		const runs = await runsIn(createStorage({ type: 'folder', path: backups.folder }));
		expect(runs).toContainEqual({ verb: 'verify', state: 'ok', actor: ACTOR });
	});

	it('stops when the run is stopped, and leaves no evidence', async () => {
		await backups.add('postgres/shop');
		await expect(run({}, { signal: AbortSignal.abort() })).rejects.toThrow(/stopped/);
		expect(evidenceBelow(backups.folder)).toEqual([]);
	});
});
