/** Alerts in a real n8n: each thing told once, its end too, and nothing again by an n8n that has forgotten everything. */
import fs from 'node:fs';
import path from 'node:path';
import { recordRun } from '../../core/records/journal/journal';
import { Repository } from '../../core/records/repository';
import { createStorage } from '../../core/storage/create';
import { buildBackup } from '../support/build-backup';
import { readTemplate } from '../../scripts/lib/n8n-template.mjs';
import { assertSuccess, importTemplate, itemsOf, N8N_START_MS, sharedN8n, type TestN8n } from '../support/n8n';
import { databaseCredential, folderCredential, newFolder } from '../support/n8n-credentials';
import { NOT_NOW, OFTEN, runOnSchedule } from '../support/n8n-schedule';
import { sharedPostgres, sql } from '../support/postgres';
import { until } from '../support/until';
import { type Report, type ReportReceiver, startReportReceiver } from '../support/report-receiver';

const TEST_MS = 180_000;
const HOUR = 3_600_000;
const DOCS = path.join(__dirname, '../../docs/monitoring.md');
const HOSTILE = `'); DROP TABLE backup_runs; -- {{ 1 + 1 }} <b>`;

let n8n: TestN8n;
let receiver: ReportReceiver;
let folder: string;

beforeAll(async () => {
	n8n = await sharedN8n();
	receiver = await startReportReceiver();
}, N8N_START_MS);

afterAll(async () => {
	await receiver?.stop();
	await n8n?.stop();
}, 60_000);

beforeEach(async () => {
	folder = newFolder(n8n);
	const repository = await Repository.open(createStorage({ type: 'folder', path: folder }), { create: true });
	for (let hours = 6; hours > 0; hours--) {
		const at = new Date(Date.now() - hours * HOUR);
		await buildBackup(repository, { group: 'postgres/shop', bytes: 1000, verified: 'restored', at });
	}
});

async function importMonitoring(
	fieldsOf: Record<string, Record<string, unknown>> = { 'Every 15 Minutes': NOT_NOW },
): Promise<string> {
	return await importTemplate(n8n, 'backup-monitoring', {
		credentials: { backupStorageApi: await folderCredential(n8n, folder) },
		settings: { expected: 'files/www = 26', reportUrl: receiver.url },
		activate: ['Post Report'],
		fieldsOf: { 'Every Morning': NOT_NOW, ...fieldsOf },
	});
}

it(
	'tells on schedule what is new, once, and its end, once, also through another workflow that knows nothing of it',
	async () => {
		const [first, second] = await runOnSchedule(n8n, await importMonitoring({ 'Every 15 Minutes': OFTEN }), 2);
		expect(itemsOf(assertSuccess(first!), 'Make Report')[0]!.json).toMatchObject({
			...{ tell: true, ok: false, outcome: 'failed', subject: 'Backups CRITICAL: 1 new, 1 open' },
			counts: { raised: 1, open: 1 },
		});
		expect(itemsOf(assertSuccess(second!), 'Make Report')[0]!.json).toMatchObject({ tell: false });
		expect(receiver.take().map(({ subject }) => subject)).toEqual(['Backups CRITICAL: 1 new, 1 open']);

		const repository = await Repository.open(createStorage({ type: 'folder', path: folder }));
		await buildBackup(repository, { group: 'files/www', bytes: 1000, verified: 'restored', at: new Date() });
		const other = await importMonitoring();
		const recovered = assertSuccess(await n8n.client.press(other));
		expect(itemsOf(recovered, 'Make Report')[0]!.json).toMatchObject({
			tell: true,
			ok: true,
			counts: { recovered: 1 },
		});
		expect(itemsOf(assertSuccess(await n8n.client.press(other)), 'Make Report')[0]!.json).toMatchObject({
			tell: false,
		});
		expect(receiver.take().map(({ subject }) => subject)).toEqual(['Backups OK: 1 recovered']);
	},
	TEST_MS,
);

it(
	'mirrors runs into a table, each once and renewed until it has ended, for the queries of the docs',
	async () => {
		const database = await (await sharedPostgres(18)).createDatabase();
		await sql(database, fs.readFileSync(path.join(__dirname, '../../monitoring/runs.sql'), 'utf8'));
		const credentials = {
			backupStorageApi: await folderCredential(n8n, folder),
			postgres: await databaseCredential(n8n, database),
		};
		const activate = ['List Runs', 'Mirror Runs'];
		const id = await importTemplate(n8n, 'backup-monitoring', { credentials, activate });
		const mirrored = async () => {
			assertSuccess(await n8n.client.press(id));
			return await sql(database, 'SELECT verb, backup_group, state, code, facts FROM backup_runs');
		};
		expect(await mirrored()).toEqual([]);
		const storage = createStorage({ type: 'folder', path: folder });
		const group = `files/it's "odd", $1`;
		const request = { verb: 'backup', group, actor: { via: 'n8n', requestedBy: HOSTILE } } as const;
		const work = async () => expect(await mirrored()).toMatchObject([{ state: 'running', backup_group: group }]);
		await recordRun(storage, request, work, () => ({ outcome: 'ok', facts: { seconds: 1.5 } }));
		const rows = [{ verb: 'backup', backup_group: group, state: 'ok', code: null, facts: expect.anything() }];
		expect(await mirrored()).toEqual(rows);
		expect(await mirrored()).toEqual(rows);
		const queries = [...fs.readFileSync(DOCS, 'utf8').matchAll(/```sql\n(.*?)```/gs)].map(([, query]) => query!);
		const asked = queries.map((query) =>
			query.replace('$__timeFilter(started_at)', "started_at > now() - interval '1 day'"),
		);
		expect(await sql(database, asked[0]!)).toMatchObject([{ metric: group, value: '1.5' }]);
		expect(await sql(database, asked[1]!)).toEqual([]);
		expect(await sql(database, 'SELECT requested_by FROM backup_runs')).toEqual([{ requested_by: HOSTILE }]);

		// That the storage is away is told by the other branch.
		fs.renameSync(folder, `${folder}-away`);
		expect(await mirrored()).toEqual(rows);
	},
	TEST_MS,
);

it(
	'tells of a storage that is away',
	async () => {
		const id = await importMonitoring();
		fs.renameSync(folder, `${folder}-away`);
		const report = itemsOf(assertSuccess(await n8n.client.press(id)), 'Make Report')[0]!.json;
		expect(report).toMatchObject({ tell: true, outcome: 'failed' });
		expect(report.text).toContain('cannot be looked at');
		expect(fs.existsSync(path.join(folder, 'monitoring'))).toBe(false);
	},
	TEST_MS,
);

it(
	'tells, by the error workflow, which workflow has failed on schedule, at which node, why, and where to look',
	async () => {
		receiver.take();
		const choices = { credentials: {}, settings: { reportUrl: receiver.url }, activate: ['Post Report'] };
		const errors = await importTemplate(n8n, 'backup-errors', choices);
		// By hand it sends the message of n8n's example.
		assertSuccess(await n8n.client.press(errors));
		expect(receiver.take()).toMatchObject([{ ok: false, subject: 'Workflow FAILED: Example Workflow' }]);

		const chat = { ...choices, settings: { ...choices.settings, reportFormat: 'discord' } };
		assertSuccess(await n8n.client.press(await importTemplate(n8n, 'backup-errors', chat)));
		expect(receiver.take()).toMatchObject([{ embeds: [{ title: 'Workflow FAILED\\: Example Workflow' }] }]);

		await n8n.client.publishWorkflow(errors);
		const failing = readTemplate('backup-monitoring', {
			credentials: { backupStorageApi: await folderCredential(n8n, folder) },
			settings: { expected: 'files/www = soon' },
			fieldsOf: { 'Every Morning': NOT_NOW, 'Every 15 Minutes': OFTEN },
		});
		const settings = { executionOrder: 'v1', errorWorkflow: errors };
		const id = await n8n.client.createWorkflow({ ...failing, name: 'Watch <b>all</b>', settings });
		const [run] = await runOnSchedule(n8n, id);
		expect(run).toMatchObject({ status: 'error' });
		const told: Report[] = [];
		await until('the message has come', () => told.push(...receiver.take()) > 0);
		expect(told[0]).toMatchObject({
			...{ subject: 'Workflow FAILED: Watch <b>all</b>', failedNode: 'Check Health', tell: true, outcome: 'failed' },
			url: expect.stringContaining(`/workflow/${id}/executions/${run!.id}`),
			message: expect.stringContaining('Expected, files/www'),
			html: expect.stringContaining('Watch &lt;b&gt;all&lt;/b&gt;'),
		});
		await n8n.client.unpublishWorkflow(errors);
	},
	TEST_MS,
);
