/**
 * The complete backup workflow in a real n8n, started by its schedule: two storages, priority databases, retention by
 * policy, and what it reports when one of them is not there. What it stores is opened in database-backup.test.ts.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { Repository } from '../../core/records/repository';
import { createStorage } from '../../core/storage/create';
import { addBackup } from '../support/dated-backups';
import {
	assertSuccess,
	type Choices,
	type CredentialReference,
	importTemplate,
	itemsOf,
	N8N_START_MS,
	served,
	sharedN8n,
	type TestN8n,
} from '../support/n8n';
import { bucketCredential, databaseCredential, folderCredential, keyCredential } from '../support/n8n-credentials';
import { newFolder, newKeyPair } from '../support/n8n-credentials';
import { NOT_NOW, runOnSchedule, soon } from '../support/n8n-schedule';
import { sharedPostgres, sql } from '../support/postgres';
import { type Report, type ReportReceiver, startReportReceiver } from '../support/report-receiver';
import { sharedS3 } from '../support/s3';
import { evidenceBelow, manifestsBelow } from '../support/stored-files';
import { until } from '../support/until';

const COPY = 'Copy to Second Storage';
const SHOP = path.resolve(__dirname, '../../scripts/demo/shop.sql');
const TOKEN = `Bearer ${randomBytes(16).toString('hex')}`;
const DAY_MS = 24 * 3_600_000;
const TEST_MS = 300_000;
const s3 = sharedS3();

let n8n: TestN8n;
let receiver: ReportReceiver;
let shop: DatabaseTarget;
let crm: DatabaseTarget;
let common: Record<string, CredentialReference>;

beforeAll(async () => {
	const server = await sharedPostgres(15);
	[shop, crm] = [await server.createDatabase(), await server.createDatabase()];
	await sql(shop, fs.readFileSync(SHOP, 'utf8'));
	await sql(crm, 'CREATE TABLE customers AS SELECT i AS id FROM generate_series(1, 1000) AS i');
	receiver = await startReportReceiver();
	n8n = await sharedN8n();
	const { recipient, identity } = await newKeyPair();
	const token = { name: 'Token', type: 'httpHeaderAuth', data: { name: 'Authorization', value: TOKEN } };
	common = {
		postgres: await databaseCredential(n8n, shop),
		backupEncryptionApi: await keyCredential(n8n, recipient, identity),
		httpHeaderAuth: await n8n.client.createCredential(token),
	};
}, N8N_START_MS);

afterAll(async () => {
	await n8n?.stop();
	await receiver?.stop();
}, 60_000);

it(
	'backs up on schedule into S3, copies to a folder, and keeps by policy, with its reasons in the report',
	async () => {
		const options = s3().options(await s3().makeBucket());
		const repository = await Repository.open(createStorage({ type: 's3', prefix: 'n8n', ...options }), {
			create: true,
		});
		const [shopGroup, crmGroup] = [`postgres/${shop.database}`, `postgres/${crm.database}`];
		// A critical policy keeps one backup of an hour, and in any case three in all; thirty days, all of these days.
		const hour = Math.floor(Date.now() / DAY_MS - 10) * DAY_MS;
		const ofOneHour = await seed(
			repository,
			shopGroup,
			[0, 10, 20, 30].map((minutes) => hour + minutes * 60_000),
		);
		const ofDays = await seed(
			repository,
			crmGroup,
			[50, 40, 20, 2, 1].map((days) => Date.now() - days * DAY_MS),
		);

		const second = newFolder(n8n);
		const id = await importBackup(await bucketCredential(n8n, options), second, {
			settings: {
				databases: `${shop.database}, ${crm.database}`,
				priorityDatabases: shop.database,
				reportSuccesses: true,
			},
			fieldsOf: { 'Every Night': soon() },
		});
		const [run] = await runOnSchedule(n8n, id);
		const [report] = receiver.take();
		assertSuccess(run!);
		expect(report).toMatchObject({ ok: true, outcome: 'ok', failed: [], notCopied: [], notVerified: [] });

		expect(run!.nodes['Make Report']).toHaveLength(2);
		for (const [group, gone] of [
			[shopGroup, ofOneHour.slice(0, 2)],
			[crmGroup, ofDays.slice(0, 2)],
		] as const) {
			const there = await repository.list(group);
			expect(there.filter(({ label }) => gone.includes(label))).toEqual([]);
			// The one of this run is in both places, and was proved in both.
			const newest = there.at(-1)!;
			expect(newest.verifications).toMatchObject([{ depth: 'restored', ok: true }]);
			expect(manifestsBelow(second)).toContain(`${group}/${newest.label}/manifest.json`);
			expect(evidenceBelow(path.join(second, group, newest.label))).toContainEqual(
				expect.stringMatching(/-stored-ok.json$/),
			);
			for (const label of gone) expect(report!.text).toMatch(new RegExp(`expired ${label}: \\w+`));
			expect(report!.text).toMatch(new RegExp(`retention ${group}, (critical|thirtyDays): kept \\d+ .*removed 2 `));
		}
		expect((await repository.list(shopGroup)).map(({ label }) => label)).toEqual(
			expect.arrayContaining(ofOneHour.slice(2)),
		);
		expect((await repository.list(crmGroup)).map(({ label }) => label)).toEqual(
			expect.arrayContaining(ofDays.slice(2)),
		);
		expect(report!.retention).toMatchObject([
			{
				group: shopGroup,
				policy: 'critical',
				reasons: expect.arrayContaining([expect.objectContaining({ action: 'keep' })]),
			},
			{ group: crmGroup, policy: 'thirtyDays', kept: 4, expired: 2 },
		]);
	},
	TEST_MS,
);

it(
	'is degraded when the second location is gone: reported and answered, but no failure of the run',
	async () => {
		const [first, second] = [newFolder(n8n), newFolder(n8n)];
		const id = await importBackup(await folderCredential(n8n, first), second, {
			fieldsOf: { 'Start by Request': { path: 'degraded' } },
			activate: [COPY, 'Start by Request'],
		});
		fs.rmdirSync(second);
		await n8n.client.publishWorkflow(id);
		const answer = await served(() =>
			fetch(`${n8n.server.url}/webhook/degraded`, { method: 'POST', headers: { authorization: TOKEN } }),
		);
		expect([answer.status, await answer.json()]).toEqual([
			200,
			expect.objectContaining({ ok: true, outcome: 'degraded', notCopied: [`postgres/${shop.database}`] }),
		]);
		await n8n.client.unpublishWorkflow(id);
		await until('the run has ended', async () => (await n8n.client.executions(id))[0]?.status === 'success');
		const [report, ...more] = receiver.take();
		expect(more).toEqual([]);
		expect(report!.subject).toBe(`Backup DEGRADED: not copied: postgres/${shop.database}; stored: 1`);
		expect(report!.text).toMatch(/NOT COPIED to file:.*does not exist/);
		expect(manifestsBelow(first)).toHaveLength(1);
	},
	TEST_MS,
);

it(
	'runs and is published with one storage only, its copy deactivated',
	async () => {
		const storage = await folderCredential(n8n, newFolder(n8n));
		const id = await importBackup(storage, null, {
			settings: { databases: shop.database, priorityDatabases: shop.database },
			fieldsOf: { 'Every Hour': soon() },
			activate: ['Every Hour'],
		});
		const [run] = await runOnSchedule(n8n, id);
		assertSuccess(run!);
		expect(itemsOf(run!, 'Make Report')[0]?.json).toMatchObject({ ok: true, outcome: 'ok', notCopied: [] });
		expect(itemsOf(run!, 'Make Report')[0]?.json.text).toContain('in one location only');
		// All went well, and nobody wants to hear of that.
		expect(receiver.take()).toEqual([]);
	},
	TEST_MS,
);

it(
	'reports a priority database that fails at once, before the others are backed up, and plans retention for these',
	async () => {
		const folder = newFolder(n8n);
		const id = await importBackup(await folderCredential(n8n, folder), null, {
			settings: { databases: `gone, ${crm.database}`, priorityDatabases: 'gone' },
			fieldsOf: { 'Back Up Databases': { options: { rateLimit: 0.001 } } },
		});
		const executionId = await n8n.client.start(id, 'Every Night');
		const reports: Report[] = [];
		await until('the alert has come', () => reports.push(...receiver.take()) > 0);
		expect(reports).toMatchObject([{ ok: false, ended: false, subject: '[PRIORITY] Backup FAILED: gone', stored: [] }]);
		expect(manifestsBelow(folder)).toEqual([]);

		const run = await n8n.client.ended(executionId);
		expect(run.error?.message).toMatch(/^\[PRIORITY\] Backup FAILED: gone; stored: 1\n/);
		expect(receiver.take()).toMatchObject([
			{
				...{ ok: false, ended: true, outcome: 'failed', subject: '[PRIORITY] Backup FAILED: gone; stored: 1' },
				// Started by hand, so it removes nothing.
				retention: [{ group: `postgres/${crm.database}`, status: 'planned', kept: 1 }],
			},
		]);
		expect(manifestsBelow(folder)).toHaveLength(1);
	},
	TEST_MS,
);

it(
	'begins with the nightly run when somebody presses "Execute workflow": a backup now, and nothing is removed',
	async () => {
		const folder = newFolder(n8n);
		const repository = await Repository.open(createStorage({ type: 'folder', path: folder }), { create: true });
		const group = `postgres/${shop.database}`;
		const before = await seed(
			repository,
			group,
			[60, 50, 40, 20].map((days) => Date.now() - days * DAY_MS),
		);
		const id = await importBackup(await folderCredential(n8n, folder), null, {
			settings: { databases: shop.database, reportSuccesses: true },
		});
		const run = assertSuccess(await n8n.client.press(id));
		expect(run.nodes['Every Night']).toBeDefined();
		const there = (await repository.list(group)).map(({ label }) => label);
		expect(there.slice(0, -1)).toEqual(before);
		const [report] = receiver.take();
		expect(report).toMatchObject({ ok: true, outcome: 'ok', retention: [{ group, status: 'planned', expired: 2 }] });
		expect(report!.text).toMatch(/would keep 3 .*, would remove 2 .*; a plan removes nothing/);
	},
	TEST_MS,
);

/** The template as users import it, with schedules that do not fire, its reports sent to us. @param second null: only one storage */
async function importBackup(
	first: CredentialReference,
	second: string | null,
	{ settings, fieldsOf, activate }: Partial<Choices> = {},
): Promise<string> {
	const copies = second && { backupStorageSecondApi: await folderCredential(n8n, second, 'backupStorageSecondApi') };
	return await importTemplate(n8n, 'database-backup', {
		credentials: { ...common, backupStorageApi: first, ...copies },
		// Other tests use the same server.
		settings: { databases: shop.database, ...settings, reportUrl: receiver.url },
		fieldsOf: { 'Every Hour': NOT_NOW, 'Every Night': NOT_NOW, ...fieldsOf },
		activate: ['Post Report', ...(activate ?? (second ? [COPY] : []))],
	});
}

/** Small, verified backups of a group from before. @returns labels */
async function seed(repository: Repository, group: string, times: number[]): Promise<string[]> {
	const labels: string[] = [];
	for (const time of times) labels.push(await addBackup(repository, { group, at: new Date(time).toISOString() }));
	return labels;
}
