/** The API in a real n8n: every real answer is held against docs/openapi.yaml, and every command of docs/api.md is run. */
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { cancellation } from '../../core/records/cancellation';
import { recordRun, type RunRecord } from '../../core/records/journal/journal';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { createStorage } from '../../core/storage/create';
import type { Storage } from '../../core/storage/storage';
import { rowsOf } from '../support/by-hand';
import { Document, sh } from '../support/document';
import { type Choices, importTemplate, N8N_START_MS, sharedN8n, type TestN8n } from '../support/n8n';
import { TestBucket } from '../support/buckets';
import {
	bucketCredential,
	databaseCredential,
	folderCredential,
	type KeyPair,
	keyCredential,
	newFolder,
	newKeyPair,
} from '../support/n8n-credentials';
import { NOT_NOW } from '../support/n8n-schedule';
import { sharedS3 } from '../support/s3';
import { type ApiAnswer, openApi, problemsOf } from '../support/openapi';
import { sharedPostgres, sql } from '../support/postgres';
import type { Json } from '../support/report-items';
import { filesBelow, manifestsBelow } from '../support/stored-files';
import { until } from '../support/until';

const TEST_MS = 180_000;
const READER = 'reader-secret-7f3a9c';
const OPERATOR = 'operator-secret-b81e4d';
const HOSTILE = '<img src=x onerror=alert(1)>\r\nSet-Cookie: a=b\u001b[31m\u202e={{ 1 + 1 }}';

const server = sharedS3();
let n8n: TestN8n;
let source: DatabaseTarget;
let folder: string;
let pair: KeyPair;
let workflow: string;
let credentials: Choices['credentialsOf'] & object;
/** The setting of that name: who backs up what is no database. */
let workflows: string;
/** Operations that were asked for, with the statuses of their answers. */
const seen = new Set<string>();

beforeAll(async () => {
	source = await (await sharedPostgres(18)).createDatabase();
	await sql(source, 'CREATE TABLE orders (id int PRIMARY KEY, note text)');
	await sql(source, `INSERT INTO orders SELECT n, 'note ' || n FROM generate_series(1, 100) n`);
	n8n = await sharedN8n();
	folder = newFolder(n8n);
	pair = await newKeyPair();
	const secret = async (name: string, value: string) =>
		await n8n.client.createCredential({ name, type: 'httpHeaderAuth', data: { name: 'X-Backup-Token', value } });
	credentials = {
		'Ask as Reader': { httpHeaderAuth: await secret('Readers', READER) },
		'Ask as Operator': { httpHeaderAuth: await secret('Operators', OPERATOR) },
	};
	workflows = `files/* = ${await publishCustomers()}\nbucket/photos = ${await publishBucket()}\nconfig/* = not-there`;
	workflow = await publish({ callsPerMinute: 1000, changesPerMinute: 1000 });
}, N8N_START_MS);

afterAll(async () => await n8n?.stop(), 60_000);

/** Two customers with files, of which a request names one. */
async function publishCustomers(): Promise<string> {
	const columns = ['name', 'path', 'database', 'recipients'].map((name) => ({ name, type: 'string' }));
	const name = `Customers ${path.basename(folder)}`;
	const { id: table } = (await n8n.client.api('POST', '/data-tables', { name, columns })) as { id: string };
	const data = ['acme', 'beta'].map((customer) => {
		fs.mkdirSync(path.join(n8n.files, customer));
		fs.writeFileSync(path.join(n8n.files, customer, 'file'), customer);
		return { name: customer, path: path.join(n8n.files, customer), database: '', recipients: '' };
	});
	await n8n.client.api('POST', `/data-tables/${table}/rows`, { data });
	return await publishBackup('customer-data-backup', {
		credentials: { ...(await ours()), postgres: await databaseCredential(n8n, source) },
		settings: { customersTable: name },
	});
}

async function publishBucket(): Promise<string> {
	const bucket = new TestBucket(server(), await server().makeBucket());
	await bucket.put('2026/11/one.jpg');
	const options = { ...server().options(bucket.name), prefix: '' };
	const from = { backupStorageSecondApi: await bucketCredential(n8n, options, 'backupStorageSecondApi') };
	return await publishBackup('bucket-backup', { credentials: { ...(await ours()), ...from } });
}

/** One that runs only when it is asked to. */
async function publishBackup(name: 'bucket-backup' | 'customer-data-backup', choices: Choices): Promise<string> {
	const id = await importTemplate(n8n, name, { ...choices, fieldsOf: { 'Every Night': NOT_NOW } });
	await n8n.client.publishWorkflow(id);
	return id;
}

/** Credentials of the storage that this API looks into, and of its key. */
async function ours(): Promise<Choices['credentials']> {
	return {
		backupStorageApi: await folderCredential(n8n, folder),
		backupEncryptionApi: await keyCredential(n8n, pair.recipient, pair.identity),
	};
}

/** The template as users import it, at work. */
async function publish(options: object, settings: Choices['settings'] = {}): Promise<string> {
	const id = await importTemplate(n8n, 'backup-api', {
		credentials: {
			...(await ours()),
			postgres: await databaseCredential(n8n, source),
			httpHeaderAuth: credentials['Ask as Reader']!.httpHeaderAuth!,
		},
		credentialsOf: credentials,
		// Else how often is learnt from backups that are seconds apart, and on a busy machine the next one is overdue.
		settings: { workflows, expected: '* = 26', ...settings },
		fieldsOf: { 'Answer Request': { options } },
		activate: ['Ask as Reader', 'Ask as Operator'],
	});
	await n8n.client.publishWorkflow(id);
	// n8n answers the request to publish before it listens.
	for (const who of ['reader', 'operator']) {
		await until(`${who} is heard`, async () => (await fetch(address(who, 'status'))).status === 403);
	}
	return id;
}

function address(who: string, call: string): string {
	return `${n8n.server.url}/webhook/api/${who === 'reader' ? 'backups' : 'backups-operator'}/${call}`;
}

async function answerOf(response: Response): Promise<ApiAnswer & { json: Json }> {
	const { status, headers } = response;
	const text = await response.text();
	const isJson = (headers.get('content-type') ?? '').split(';')[0]!.endsWith('json');
	return { status, headers, text, json: (isJson ? JSON.parse(text) : {}) as Json };
}

/** Asks, and holds the answer against what is documented. */
async function asked(operation: string, response: Response): Promise<ApiAnswer & { json: Json }> {
	const answer = await answerOf(response);
	expect(problemsOf(operation, answer)).toEqual([]);
	expect(answer.headers.get('cache-control')).toBe('no-store');
	seen.add(`${operation} ${answer.status}`);
	return answer;
}

async function get(call: string, who: 'reader' | 'operator' = 'reader'): Promise<ApiAnswer & { json: Json }> {
	const headers = { 'x-backup-token': who === 'reader' ? READER : OPERATOR };
	return await asked(`GET /${call.split('?')[0]}`, await fetch(address(who, call), { headers }));
}

async function post(call: string, body: unknown, headers: Record<string, string>): Promise<ApiAnswer & { json: Json }> {
	const request = { 'x-backup-token': OPERATOR, 'content-type': 'application/json', ...headers };
	const text = typeof body === 'string' ? body : JSON.stringify(body);
	return await asked(
		`POST /${call}`,
		await fetch(address('operator', call), { method: 'POST', headers: request, body: text }),
	);
}

/** The request when its work has ended. */
async function ended(id: unknown): Promise<Json> {
	let request: Json = {};
	await until(`request ${String(id)} has ended`, async () => {
		request = (await get(`request?id=${String(id)}`, 'operator')).json;
		return request.state !== 'running';
	});
	return request;
}

const key = (text: string) => ({ 'idempotency-key': `key-${text}-0123456789` });

it(
	'refuses who has no credential, or that of the other role, and starts nothing for a reader',
	async () => {
		for (const who of ['reader', 'operator']) {
			for (const token of [undefined, 'guess', who === 'reader' ? OPERATOR : READER]) {
				const headers: Record<string, string> = token === undefined ? {} : { 'x-backup-token': token };
				expect((await fetch(address(who, 'status'), { headers })).status).toBe(403);
			}
		}
		const headers = { 'x-backup-token': READER, 'content-type': 'application/json', ...key('reader') };
		const body = JSON.stringify({ database: source.database });
		const refused = await fetch(address('reader', 'backup'), { method: 'POST', headers, body });
		expect(refused.status).toBe(404);
		const byOperator = await fetch(address('operator', 'backup'), { method: 'POST', headers, body });
		expect(byOperator.status).toBe(403);
		expect((await get('backup')).json).toMatchObject({ status: 405, code: 'wrong-method' });
		expect(filesBelow(folder)).toEqual([]);
	},
	TEST_MS,
);

it(
	'backs up once for each key, says who asked, and knows the key in an n8n that has forgotten everything',
	async () => {
		const body = { database: source.database };
		const who = { 'x-requested-by': 'deployment' };
		const [first, again] = await Promise.all([
			post('backup', body, { ...key('backup'), ...who }),
			post('backup', body, { ...key('backup'), ...who }),
		]);
		expect([first.status, again.status]).toEqual([202, 202]);
		expect([first.json.repeated, again.json.repeated].sort()).toEqual([false, true]);
		expect(first.json.id).toBe(again.json.id);
		expect(first.headers.get('location')).toBe(`request?id=${String(first.json.id)}`);
		const done = await ended(first.json.id);
		const group = `postgres/${source.database}`;
		expect(done).toMatchObject({ state: 'ok', code: null, backups: [{ group }] });
		expect((done.runs as Json[]).map(({ verb, state, actor }) => [verb, state, actor])).toEqual([
			['backup', 'ok', expect.objectContaining({ requestedBy: 'operator: deployment', request: first.json.id })],
			['verify', 'ok', expect.objectContaining({ requestedBy: 'operator: deployment', request: first.json.id })],
		]);

		await n8n.client.unpublishWorkflow(workflow);
		workflow = await publish({ callsPerMinute: 1000, changesPerMinute: 1000 });
		const later = await post('backup', body, key('backup'));
		expect(later.json).toMatchObject({ id: first.json.id, repeated: true, requestedBy: 'operator: deployment' });
		const other = await post('backup', { database: 'other' }, key('backup'));
		expect(other.json).toMatchObject({ status: 422, code: 'key-reused' });
		expect(manifestsBelow(folder)).toHaveLength(1);
		const byGroup = await post('backup', { group }, key('group'));
		expect(byGroup.json).toMatchObject({ group, database: source.database });
		expect(await ended(byGroup.json.id)).toMatchObject({ state: 'ok', backups: [{ group }] });
	},
	TEST_MS,
);

it(
	'says why the work of a request failed, by code',
	async () => {
		const { json } = await post('backup', { database: 'not-there' }, key('missing'));
		expect(await ended(json.id)).toMatchObject({ state: 'failed', code: 'database-not-found', backups: [] });
		const verify = { group: 'postgres/nothing', depth: 'stored' };
		const { json: second } = await post('verify', verify, key('nothing'));
		expect(await ended(second.id)).toMatchObject({ state: 'failed', code: 'not-found' });
	},
	TEST_MS,
);

it(
	'does what its page says: every command of docs/api.md, with the names of this test',
	async () => {
		const page = new Document('docs/api.md');
		const { runs } = (await get('runs')).json as { runs: Json[] };
		const restored = `${source.database}_restored`;
		const env = { PATH: process.env.PATH, READER_TOKEN: READER, OPERATOR_TOKEN: OPERATOR };
		const run = async (text: string, names: Record<string, string> = {}): Promise<Json> => {
			const base = { READER: address('reader', ''), OPERATOR: address('operator', '') };
			const [reader, operator] = [base.READER, base.OPERATOR].map((each) => each.replace(/\/$/, ''));
			const script = page.block(text, names);
			const printed = await sh(script, { cwd: n8n.files, env: { ...env, READER: reader, OPERATOR: operator } });
			if (!printed.startsWith('{')) return {};
			const answer = printed.split('\n')[0]!;
			const [, call] = /\/(\w+)/.exec(text)!;
			const [operation, status] = script.includes('--json') ? [`POST /${call}`, 202] : [`GET /${call}`, 200];
			const headers = new Headers({ 'content-type': 'application/json' });
			const json = JSON.parse(answer) as Json;
			expect(problemsOf(operation, { status, headers, text: answer, json })).toEqual([]);
			seen.add(`${operation} ${status}`);
			return json;
		};
		await run('export READER', { 'https://n8n.example.org/webhook/…': n8n.server.url });
		expect(await run('/health')).toMatchObject({ verdict: 'ok' });
		expect(await run('/status')).toMatchObject({ groups: [{ restorable: true }] });
		const group = `postgres/${source.database}`;
		expect(await run('/list')).toMatchObject({ backups: [{ group }, { group }] });
		expect(await run('/run?id', { $RUN: String(runs[0]!.id) })).toMatchObject({ id: runs[0]!.id });

		const backup = await run('/backup"', { shop: source.database });
		expect(backup).toMatchObject({ requestedBy: 'operator: deployment', repeated: false });
		expect(await ended(backup.id)).toMatchObject({ state: 'ok' });
		expect(await run('/request?id', { $REQUEST: String(backup.id) })).toMatchObject({ state: 'ok' });
		const verify = await run('/verify"', { 'postgres/shop': `postgres/${source.database}` });
		expect(await ended(verify.id)).toMatchObject({ state: 'ok', runs: [{ verb: 'verify', state: 'ok' }] });
		const names = { 'postgres/shop': `postgres/${source.database}`, shop_restored: restored };
		const restore = await run('/restore"', names);
		expect(await ended(restore.id)).toMatchObject({ state: 'ok', runs: [{ verb: 'restore', state: 'ok' }] });
		expect(await rowsOf({ ...source, database: restored })).toEqual(await rowsOf(source));
		await sql(source, `DROP DATABASE "${restored}"`);

		const storage = createStorage({ type: 'folder', path: folder });
		const running = startRun(storage);
		const { id } = await running.record;
		expect(await run('/cancel"', { $RUNNING: id })).toMatchObject({ run: id, requestedBy: 'operator: deployment' });
		await expect(running.ended).rejects.toMatchObject({
			message: 'stopped because it was cancelled by operator: deployment',
		});
		const facts = { cancelledBy: 'operator: deployment' };
		expect((await get(`run?id=${id}`)).json).toMatchObject({ state: 'cancelled', code: 'cancelled', facts });
		expect(page.unused()).toEqual([]);
		expect(page.brokenLinks()).toEqual([]);
	},
	TEST_MS,
);

/** A run of another process as far as n8n can tell, which lasts until somebody stops it. */
function startRun(storage: Storage): { record: Promise<RunRecord>; ended: Promise<unknown> } {
	const begun = Promise.withResolvers<RunRecord>();
	const stop = new AbortController();
	const onCancel = (by: string) => stop.abort(cancellation(by));
	const request = { verb: 'backup', group: 'files/slow', beatMs: 100, onCancel } as const;
	const ended = recordRun(
		storage,
		request,
		async (record) => {
			begun.resolve(record);
			await once(stop.signal, 'abort');
			throw stop.signal.reason;
		},
		() => ({ outcome: 'ok', facts: {} }),
	);
	return { record: begun.promise, ended };
}

it(
	'describes every answer, and answers what it describes',
	async () => {
		for (const call of ['status', 'health', 'list?limit=1', 'runs?days=1', 'storage', 'metrics']) {
			expect((await get(call)).status).toBe(200);
			expect((await get(call, 'operator')).status).toBe(200);
		}
		expect((await get('metrics')).text).toContain('n8n_backup_group_restorable');
		expect((await get('list?group=files/*')).json).toEqual({ backups: [] });
		expect(((await get('list?limit=1')).json.backups as Json[]).length).toBe(1);
		const { runs } = (await get('runs')).json as { runs: Json[] };
		expect((await get(`run?id=${String(runs[0]!.id)}`)).json).toEqual(runs[0]);
		// By hand, in the editor: n8n keeps nothing of the executions.
		const { shown } = await n8n.client.watch(workflow, 'Look Now');
		expect(shown['Answer Request']![0]!.json).toMatchObject({ status: 200, accepted: null });
		const described = Object.entries(openApi.paths as Record<string, Json>).flatMap(([route, methods]) =>
			['get', 'post'].flatMap((method) => {
				const { responses } = (methods[method] ?? { responses: {} }) as { responses: Json };
				return Object.keys(responses).flatMap((status) =>
					status === 'default' ? [] : [`${method.toUpperCase()} ${route} ${status}`],
				);
			}),
		);
		expect(described.filter((each) => !seen.has(each))).toEqual(['GET /health 503']);
	},
	TEST_MS,
);

it(
	'starts the workflow of files or of a bucket for their groups, for the group that was named alone, and drills what it made',
	async () => {
		const asked = ['files/acme', 'bucket/photos', 'config/server'].map(async (group) => {
			const { status, json } = await post('backup', { group }, { ...key(group), 'x-requested-by': 'deployment' });
			expect([status, json.group]).toEqual([202, group]);
			return await ended(json.id);
		});
		const [files, bucket, config] = await Promise.all(asked);
		for (const [request, group] of [
			[files!, 'files/acme'],
			[bucket!, 'bucket/photos'],
		] as const) {
			expect(request).toMatchObject({ state: 'ok', code: null, backups: [{ group }] });
			const actor = { requestedBy: 'operator: deployment', request: request.id };
			const runs = request.runs as Array<Json & { actor: Json }>;
			expect(runs.map(({ verb, state }) => [verb, state])).toEqual([
				['backup', 'ok'],
				['verify', 'ok'],
				['expire', 'ok'],
			]);
			for (const run of runs) expect(run).toMatchObject({ group, actor });
		}
		expect(config).toMatchObject({ state: 'failed', backups: [], runs: [] });
		expect(fs.readdirSync(path.join(folder, 'files'))).toEqual(['acme']);
		const { json } = await post('verify', { group: 'files/acme', depth: 'restored' }, key('drill'));
		expect(await ended(json.id)).toMatchObject({ state: 'ok', backups: [{ group: 'files/acme' }] });
	},
	TEST_MS,
);

it(
	'refuses what cannot be meant, with what to change, and starts none of it',
	async () => {
		const { runs: old } = (await get('runs')).json as { runs: Json[] };
		const over = await post('cancel', { run: old[0]!.id }, {});
		expect(over.json).toMatchObject({ status: 409, code: 'not-running' });
		expect((await post('cancel', { run: 'aaaaaaaaaaaa' }, {})).json).toMatchObject({ status: 404, code: 'not-found' });
		const before = filesBelow(folder).length;
		const group = `postgres/${source.database}`;
		const restore = { group, database: source.database, into: 'replace' };
		const cases: Array<[string, Promise<ApiAnswer & { json: Json }>]> = [
			['404 not-found', get('nothing')],
			['404 not-found', get(encodeURIComponent(HOSTILE).replaceAll('%2F', '_'))],
			['404 not-found', get('run?id=abcdefghjkmn')],
			['404 not-found', get(`request?id=${'0'.repeat(20)}`)],
			['400 invalid-input', get(`run?id=${encodeURIComponent(HOSTILE)}`)],
			['400 invalid-input', get('list?limit=100000')],
			['400 invalid-input', get('list?grup=x')],
			['400 invalid-input', get('list?group[a]=x')],
			['200 undefined', get(`list?group=${encodeURIComponent(HOSTILE)}`)],
			['405 wrong-method', post('status', {}, key('status'))],
			['400 no-idempotency-key', post('backup', { database: source.database }, {})],
			['400 no-idempotency-key', post('backup', { database: source.database }, { 'idempotency-key': 'short' })],
			['415 wrong-type', post('backup', 'database=shop', { 'content-type': 'application/x-www-form-urlencoded' })],
			['400 invalid-input', post('backup', [], key('list'))],
			['400 invalid-input', post('backup', { database: 'x'.repeat(64) }, key('long'))],
			['400 invalid-input', post('backup', { database: 'x'.repeat(10_000) }, key('longer'))],
			['413 too-large', post('backup', { database: 'x'.repeat(20_000) }, key('large'))],
			['400 invalid-input', post('backup', { database: 'shop', [HOSTILE]: 1 }, key('member'))],
			['400 invalid-input', post('verify', { group: HOSTILE }, key('group'))],
			['400 invalid-input', post('verify', { group: '../../etc' }, key('path'))],
			['400 invalid-input', post('verify', { group, label: 'newest' }, key('label'))],
			['422 not-confirmed', post('restore', restore, key('restore-1'))],
			['422 not-confirmed', post('restore', { ...restore, confirmation: 'other' }, key('restore-2'))],
		];
		for (const [at, [expected, answered]] of cases.entries()) {
			const { status, json, text } = await answered;
			expect([at, `${status} ${json.code as string}`]).toEqual([at, expected]);
			expect(text.trim()).not.toMatch(/[\p{Cc}\u202e]/u);
			if (status >= 400) expect(json.type).toContain(`/docs/api.md#${json.code as string}`);
		}
		expect(filesBelow(folder)).toHaveLength(before);
		expect((await fetch(address('operator', 'backup'), { method: 'POST', body: '{' })).status).toBe(403);

		const { json } = await post('backup', { database: `={{ 1 }}'"<b>` }, key('odd'));
		expect(await ended(json.id)).toMatchObject({
			state: 'failed',
			code: 'database-not-found',
			database: `={{ 1 }}'"<b>`,
		});
	},
	TEST_MS,
);

it(
	'is not well where an expected backup is missing, or the storage is away, and is asked too often at last',
	async () => {
		await n8n.client.unpublishWorkflow(workflow);
		workflow = await publish({ callsPerMinute: 4, changesPerMinute: 1 }, { expected: 'files/www = 26' });
		const health = await get('health');
		expect([health.status, health.json.verdict]).toEqual([503, 'critical']);
		expect((await get('status')).json.groups).toContainEqual(expect.objectContaining({ group: 'files/www' }));
		fs.renameSync(folder, `${folder}-away`);
		const away = await get('list');
		expect([away.status, away.json.code, away.json.cause]).toEqual([503, 'storage-unavailable', 'bucket-not-found']);
		expect((await get('health')).status).toBe(503);
		expect((await post('backup', { database: 'shop' }, key('away'))).json.code).toBe('storage-unavailable');
		const often = await get('health');
		expect([often.status, often.json.code]).toEqual([429, 'too-often']);
		expect(Number(often.headers.get('retry-after'))).toBeGreaterThan(0);
		expect((await get('health', 'operator')).status).toBe(503);
		expect((await post('verify', { group: 'a' }, {})).status).toBe(429);
		// The secrets of the callers would lie in them.
		expect(await n8n.client.executions(workflow)).toEqual([]);
	},
	TEST_MS,
);
