/** A PostgreSQL server in a real n8n: its log is collected on schedule, and a table that was dropped comes back by the node. */
import fs from 'node:fs';
import path from 'node:path';
import { reachableFolder, startRestored } from '../support/clusters';
import { assertSuccess, importTemplate, itemsOf, N8N_START_MS, sharedN8n, type TestN8n } from '../support/n8n';
import { databaseCredential, folderCredential, keyCredential, newFolder, newKeyPair } from '../support/n8n-credentials';
import { NOT_NOW, OFTEN, runOnSchedule } from '../support/n8n-schedule';
import { type OwnServer, sql, startPostgres } from '../support/postgres';

const TEST_MS = 240_000;
let n8n: TestN8n;
let server: OwnServer;
let top: string;

beforeAll(async () => {
	top = reachableFolder();
	server = await startPostgres(18, { settings: { synchronous_commit: 'on' } });
	n8n = await sharedN8n();
}, N8N_START_MS);
afterAll(async () => {
	await n8n?.stop();
	await server?.stop();
	fs.rmSync(top, { recursive: true, force: true });
}, 60_000);

it(
	'is backed up on schedule; a table dropped by accident comes back by the node; log that cannot be collected is an alarm',
	async () => {
		await sql(server.target(), "CREATE ROLE backup LOGIN REPLICATION PASSWORD 'secret-of-the-role'");
		await sql(server.target(), 'CREATE TABLE orders AS SELECT n FROM generate_series(1, 1000) n');
		const { identity, recipient } = await newKeyPair();
		const credentials = {
			postgres: await databaseCredential(n8n, { ...server.target(), user: 'backup', password: 'secret-of-the-role' }),
			backupStorageApi: await folderCredential(n8n, newFolder(n8n)),
			backupEncryptionApi: await keyCredential(n8n, recipient, identity),
		};
		const never = { 'Every Night': NOT_NOW, 'Every Hour': NOT_NOW };
		const fieldsOf = { ...never, 'Every 5 Minutes': OFTEN };
		const id = await importTemplate(n8n, 'point-in-time', { credentials, fieldsOf });

		// By hand, as at the first time: log, then a base backup; nothing is removed.
		const first = assertSuccess(await n8n.client.press(id));
		expect(itemsOf(first, 'Collect the Log')[0]!.json).toMatchObject({ group: 'wal/main', newBeginning: true });
		expect(itemsOf(first, 'Back Up the Cluster')[0]!.json).toMatchObject({
			...{ group: 'cluster/main', type: 'full', status: 'stored', encrypted: true, warnings: [], retention: null },
			verification: { ok: true, depth: 'readable' },
		});
		expect(itemsOf(first, 'Make Report')[0]!.json).toMatchObject({ ok: true, tell: false });

		await sql(server.target(), 'INSERT INTO orders VALUES (1001)');
		const [{ now }] = (await sql<{ now: Date }>(server.target(), 'SELECT clock_timestamp() AS now')) as [{ now: Date }];
		await sql(server.target(), 'SELECT pg_sleep(0.05)');
		await sql(server.target(), 'DROP TABLE orders');
		const [collected] = (await runOnSchedule(n8n, id)).map((run) => assertSuccess(run));
		expect(itemsOf(collected!, 'Collect the Log')[0]!.json).toMatchObject({
			...{ ok: true, status: 'collected', newBeginning: false, verification: { ok: true, depth: 'readable' } },
		});
		expect(itemsOf(collected!, 'Check Health')[0]!.json).toMatchObject({ counts: { groups: 2, restorable: 2 } });

		const folder = path.join(newFolder(n8n), 'data');
		const restored = assertSuccess(await n8n.client.press(await restoreWorkflow(credentials, folder, now)));
		expect(itemsOf(restored, 'Restore')[0]!.json).toMatchObject({ ok: true, restoredTo: folder, postgresVersion: 18 });
		const data = path.join(top, 'data');
		fs.renameSync(folder, data);
		const back = await startRestored(18, data, server.password);
		try {
			expect(await sql(back.target(), 'SELECT count(*)::int FROM orders')).toEqual([{ count: 1001 }]);
		} finally {
			await back.stop();
		}

		await sql(server.target(), 'ALTER ROLE backup NOREPLICATION');
		const failed = await n8n.client.press(id);
		expect(failed.status).toBe('error');
		expect(failed.error!.message).toContain('permission denied');
		const { text } = itemsOf(failed, 'Make Report')[0]!.json;
		expect(text).toMatch(/wal\/main: the last run, .* ago, failed \(access-denied\)/);
		expect(JSON.stringify(failed)).not.toContain('secret-of-the-role');
	},
	TEST_MS,
);

/** A workflow of a user who wants a moment back. */
async function restoreWorkflow(credentials: Record<string, object>, folder: string, moment: Date): Promise<string> {
	const parameters = {
		...{ operation: 'restoreCluster', encryption: 'age', folder, upTo: 'time', moment: moment.toISOString() },
		group: { __rl: true, mode: 'name', value: 'cluster/main' },
	};
	const start = { type: 'n8n-nodes-base.manualTrigger', typeVersion: 1, parameters: {} };
	const restore = { type: 'n8n-nodes-backup.restoreBackup', typeVersion: 1, parameters, credentials };
	const nodes = [
		{ id: 'start', name: 'Start', position: [0, 0] as [number, number], ...start },
		{ id: 'restore', name: 'Restore', position: [200, 0] as [number, number], ...restore },
	];
	const connections = { Start: { main: [[{ node: 'Restore', type: 'main' as const, index: 0 }]] } };
	return await n8n.client.createWorkflow({
		...{ name: 'Restore a cluster', nodes, connections, settings: { executionOrder: 'v1' } },
	} as Parameters<typeof n8n.client.createWorkflow>[0]);
}
