/** A bucket in a real n8n: archived on schedule, copied, emptied by somebody, and filled again by the node. */
import {
	assertSuccess,
	type Execution,
	importTemplate,
	itemsOf,
	N8N_START_MS,
	sharedN8n,
	type TestN8n,
} from '../support/n8n';
import { TestBucket } from '../support/buckets';
import { bucketCredential, folderCredential, keyCredential, newFolder, newKeyPair } from '../support/n8n-credentials';
import { NOT_NOW, OFTEN, runOnSchedule } from '../support/n8n-schedule';
import { sharedS3 } from '../support/s3';

const TEST_MS = 240_000;
const server = sharedS3();
let n8n: TestN8n;
let bucket: TestBucket;

beforeAll(async () => {
	n8n = await sharedN8n();
	bucket = new TestBucket(server(), await server().makeBucket());
}, N8N_START_MS);
afterAll(async () => await n8n?.stop(), 60_000);

const at = (x: number): [number, number] => [x, 0];
const archived = (execution: Execution) => itemsOf(execution, 'Archive the Bucket')[0]!.json;
const reportOf = (execution: Execution) => itemsOf(execution, 'Make Report')[0]!.json;

it(
	'is archived on schedule, copied and kept; emptied, it is an alarm and no backup; and it comes back by the node',
	async () => {
		for (let number = 0; number < 40; number++) await bucket.put(`photos/${number}.jpg`, { tags: { album: 'x' } });
		await bucket.put('../odd', { meta: { 'Content-Type': 'text/plain', 'X-Amz-Meta-By': 'jane' } });
		const whole = await bucket.see();
		const { identity, recipient } = await newKeyPair();
		const storage = await folderCredential(n8n, newFolder(n8n));
		const key = await keyCredential(n8n, recipient, identity);
		const source = await bucketCredential(
			n8n,
			{ ...server().options(bucket.name), prefix: '' },
			'backupStorageSecondApi',
		);
		const second = await folderCredential(n8n, newFolder(n8n), 'backupStorageSecondApi');
		const credentials = { backupStorageApi: storage, backupEncryptionApi: key, backupStorageSecondApi: source };
		const choices = {
			credentials,
			credentialsOf: { 'Copy to Second Storage': { backupStorageSecondApi: second } },
			activate: ['Copy to Second Storage'],
		};
		const scheduled = await importTemplate(n8n, 'bucket-backup', { ...choices, fieldsOf: { 'Every Night': OFTEN } });
		const [first, next] = (await runOnSchedule(n8n, scheduled, 2)).map((each) => assertSuccess(each));
		expect(archived(first!)).toMatchObject({
			...{ group: 'bucket/photos', type: 'full', objects: 41, encrypted: true, complete: true, warnings: [] },
			...{ bucket: `s3://${bucket.name}`, verification: { ok: true, depth: 'restored' } },
			retention: { policy: 'thirtyDays' },
		});
		expect(archived(next!)).toMatchObject({ type: 'incremental', objects: 41, storedObjects: 0, parents: 1 });
		expect(itemsOf(first!, 'Copy to Second Storage')[0]!.json).toMatchObject({ status: 'copied' });
		expect(reportOf(first!)).toMatchObject({
			ok: true,
			outcome: 'ok',
			counts: { stored: 1, copied: 1, otherItems: 0 },
		});
		expect(reportOf(first!).text).toContain('41 objects');

		const id = await importTemplate(n8n, 'bucket-backup', { ...choices, fieldsOf: { 'Every Night': NOT_NOW } });
		await bucket.remove(...whole.slice(0, 30).map(({ key: each }) => each));
		const shrunk = assertSuccess(await n8n.client.press(id));
		expect(archived(shrunk)).toMatchObject({ objects: 11, goneObjects: 30, retention: null });
		expect(reportOf(shrunk).text).toMatch(/73 % of the objects are gone since/);
		await bucket.remove(...(await bucket.keysOf()));
		const emptied = await n8n.client.press(id);
		expect(emptied.status).toBe('error');
		expect(reportOf(emptied)).toMatchObject({ ok: false, outcome: 'failed' });
		expect(reportOf(emptied).text).toContain(`s3://${bucket.name} is empty; the backup before has 11 objects of it`);

		const restore = async (parameters: Record<string, unknown>) => {
			const nodes = [
				{
					...{
						id: 'start',
						name: 'Start',
						type: 'n8n-nodes-base.manualTrigger',
						typeVersion: 1,
						position: at(0),
						parameters: {},
					},
				},
				{
					...{
						id: 'restore',
						name: 'Restore',
						type: 'n8n-nodes-backup.restoreBackup',
						typeVersion: 1,
						position: at(200),
						credentials,
					},
					parameters: {
						operation: 'restoreBucket',
						group: { __rl: true, mode: 'name', value: 'bucket/photos' },
						label: { __rl: true, mode: 'name', value: archived(next!).label },
						...{ backup: 'label', encryption: 'age', bucketPrefix: '', ...parameters },
					},
				},
			];
			const connections = { Start: { main: [[{ node: 'Restore', type: 'main' as const, index: 0 }]] } };
			const workflow = await n8n.client.createWorkflow({
				...{ name: 'Restore a bucket', nodes, connections, settings: { executionOrder: 'v1' } },
			});
			return await n8n.client.press(workflow);
		};
		const filled = itemsOf(assertSuccess(await restore({})), 'Restore')[0]!.json;
		expect(filled).toMatchObject({
			ok: true,
			objects: 41,
			kept: 0,
			restoredTo: `s3://${bucket.name}`,
			differences: [],
		});
		expect(await bucket.see()).toEqual(whole);
		const refused = await restore({});
		expect(refused.error!.message).toContain('41 of 41 objects are there already');
		const unsure = await restore({ existing: 'replace', bucketConfirmation: 'photos' });
		expect(unsure.error!.message).toContain('are replaced only when its name is typed again');
		await bucket.remove('photos/3.jpg');
		const missing = itemsOf(assertSuccess(await restore({ existing: 'keep', include: '/photos/' })), 'Restore')[0]!
			.json;
		expect(missing).toMatchObject({ ok: true, objects: 1, kept: 39 });
		expect(await bucket.see()).toEqual(whole);
	},
	TEST_MS,
);
