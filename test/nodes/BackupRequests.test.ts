/** Requests for Backups: real folders and journals; n8n itself is in test/e2e. */
import fs from 'node:fs';
import path from 'node:path';
import { type INodeParameters, NodeHelpers } from 'n8n-workflow';
import { BackupError } from '../../core/base/errors';
import { recordRun } from '../../core/records/journal/journal';
import { Repository } from '../../core/records/repository';
import { requestId } from '../../core/records/requests';
import { filesSource } from '../../core/sources/files/source';
import { createStorage } from '../../core/storage/create';
import { backUp } from '../../core/verbs/backup/backup';
import { BackupRequests } from '../../nodes/BackupRequests/BackupRequests.node';
import { buildBackup } from '../support/build-backup';
import { NEVER } from '../support/dated-backups';
import { ACTOR, type FakeNode, fakeContext } from '../support/fake-node';
import { createFolder, removeFolder } from '../support/folders';
import { problemsOf } from '../support/openapi';
import type { Json } from '../support/report-items';
import { until } from '../support/until';

const node = new BackupRequests();
const LABEL = '20261120T020000Z-full-k3f9';
const KEY = '0b9f3d0e-7d2c-4c53-9b62-1f8f1f0f7d11';
let folder: string;

beforeEach(() => (folder = createFolder('backup-requests')));
afterEach(() => removeFolder(folder));

async function run(parameters: Record<string, unknown>, more: Partial<FakeNode> = {}): Promise<Json> {
	const defaults = {
		storages: 'first',
		groups: '',
		expected: '',
		retention: '',
		options: { changesPerMinute: 100 },
		method: 'GET',
		role: 'reader',
	};
	const { context } = fakeContext({
		parameters: { operation: 'answer', ...defaults, ...parameters },
		credentials: { backupStorageApi: { type: 'folder', path: folder } },
		...more,
	});
	const [items] = await node.execute.call(context);
	return items![0]!.json;
}

interface Answered {
	[field: string]: unknown;
	json: Json;
}

async function get(call: string, query: object = {}, parameters: Record<string, unknown> = {}): Promise<Answered> {
	const request = JSON.stringify({ params: { call }, query });
	return await answered(`GET /${call}`, await run({ request, ...parameters }));
}

async function post(
	call: string,
	body: object,
	key = KEY,
	parameters: Record<string, unknown> = {},
): Promise<Answered> {
	const headers = { 'content-type': 'application/json', 'idempotency-key': key, 'x-requested-by': 'somebody' };
	const request = { params: { call }, query: {}, headers, body };
	return await answered(`POST /${call}`, await run({ request, method: 'POST', role: 'operator', ...parameters }));
}

/** What a caller gets, held against what is documented. */
async function answered(operation: string, { status, contentType, body, ...rest }: Json): Promise<Answered> {
	const json = JSON.parse(String(body)) as Json;
	const headers = new Headers({ 'content-type': String(contentType) });
	expect(problemsOf(operation, { status: Number(status), headers, text: String(body), json })).toEqual([]);
	return { status, json, ...rest };
}

async function end(id: unknown, items: Json[]): Promise<void> {
	await run({ operation: 'end', requestId: id }, { input: [items as never] });
}

/** What is stored of requests. */
function records(): string[] {
	return fs.readdirSync(path.join(folder, 'monitoring')).map((name) => path.join(folder, 'monitoring', name));
}

it('accepts a request once, in a storage where there is nothing yet, and says how it ended', async () => {
	const first = await post('backup', { database: 'shop' });
	const { id } = first.json as { id: string };
	expect(first).toMatchObject({
		...{ status: 202, header: { name: 'Location', value: `request?id=${id}` } },
		accepted: { verb: 'backup', id, database: 'shop', requestedBy: 'operator: somebody' },
	});
	expect(await post('backup', { database: 'shop' })).toMatchObject({
		status: 202,
		accepted: null,
		json: { repeated: true },
	});
	expect(await post('backup', { database: 'crm' })).toMatchObject({ status: 422, accepted: null });
	expect((await get('request', { id })).json).toMatchObject({ state: 'running', execution: ACTOR.execution, runs: [] });
	await end(id, [{ group: 'postgres/shop', label: LABEL }]);
	expect((await get('request', { id })).json).toMatchObject({ state: 'ok', backups: [{ group: 'postgres/shop' }] });
});

it('answers a repeated request as before, also where the settings have changed meanwhile', async () => {
	const first = await post('backup', { group: 'files/acme' }, KEY, { workflows: 'files/* = Kf3nQ9sLx2TbVw7Z' });
	const again = await post('backup', { group: 'files/acme' }, KEY, { workflows: '' });
	expect(again).toMatchObject({ status: 202, accepted: null, json: { ...first.json, repeated: true } });
	expect((await post('backup', { group: 'files/other' }, KEY)).json).toMatchObject({ code: 'key-reused' });
	const repository = await Repository.open(createStorage({ type: 'folder', path: folder }), { create: true });
	await buildBackup(repository, { group: 'postgres/shop' });
	const asked = [{ group: 'postgres/shop' }, `${KEY}-shop`] as const;
	expect((await post('backup', ...asked)).json).toMatchObject({ database: 'shop', repeated: false });
	expect((await post('backup', ...asked)).json).toMatchObject({ database: 'shop', repeated: true });
});

it('starts, and shows requests, of its groups only', async () => {
	const repository = await Repository.open(createStorage({ type: 'folder', path: folder }), { create: true });
	await buildBackup(repository, { group: 'postgres/secret' });
	const only = { groups: 'postgres/shop' };
	const secret = { group: 'postgres/secret' };
	for (const [call, body] of [
		['backup', secret],
		['backup', { database: 'secret' }],
		['restore', { ...secret, database: 'shop', confirmation: 'shop' }],
		['verify', secret],
	] as const) {
		const { json, accepted } = await post(call, body, KEY, only);
		expect({ code: json.code, accepted }).toEqual({ code: 'not-offered', accepted: null });
		expect(json.detail).toContain('postgres/secret is none of the groups');
	}
	const prefixed = { groups: 'prod/*', groupPrefix: 'prod' };
	expect(await post('backup', { database: 'secret' }, KEY, prefixed)).toMatchObject({
		...{ status: 202, accepted: { database: 'secret', prefix: 'prod' } },
	});
	const { json } = await post('verify', secret, `${KEY}-verify`);
	expect((await get('request', { id: json.id }, only)).json).toMatchObject({ status: 404, code: 'not-found' });
	expect((await get('request', { id: json.id })).json).toMatchObject({ state: 'running' });
});

it('looks once more whose request it is where the server ignores "only if absent"', async () => {
	await Repository.open(createStorage({ type: 'folder', path: folder }), { create: true });
	const file = path.join(folder, 'repository.json');
	const descriptor = JSON.parse(fs.readFileSync(file, 'utf8')) as Json;
	fs.writeFileSync(file, JSON.stringify({ ...descriptor, onlyIfAbsent: 'ignored' }));
	const posting = post('backup', { database: 'shop' });
	const record = path.join(folder, 'monitoring', `request-${requestId(KEY)}.json`);
	await until('the request is written down', () => fs.existsSync(record));
	const other = { ...(JSON.parse(fs.readFileSync(record, 'utf8')) as Json), attempt: 'another' };
	fs.writeFileSync(record, JSON.stringify(other));
	expect(await posting).toMatchObject({ status: 202, accepted: null, json: { repeated: true } });
});

it('refuses a time with more digits than any clock has, before it is written down', async () => {
	const before = `2026-11-20T14:30:00.${'0'.repeat(1100)}Z`;
	const body = { group: 'postgres/shop', database: 'x', confirmation: 'x', before };
	expect((await post('restore', body)).json).toMatchObject({ code: 'invalid-input' });
});

it('fails where the work of a request has failed, after it was written down, by code and without a message', async () => {
	const { json } = await post('backup', { database: 'shop' });
	const failed = {
		error: 'orders: 3 rows',
		details: { code: 'different', hint: 'Look.', group: 'postgres/shop', label: LABEL },
	};
	await expect(end(json.id, [failed])).rejects.toMatchObject({ message: 'orders: 3 rows', description: 'Look.' });
	const { json: request } = await get('request', { id: json.id });
	expect(request).toMatchObject({ state: 'failed', code: 'different' });
	const stored = records().map((file) => fs.readFileSync(file, 'utf8'));
	expect(stored).toHaveLength(2);
	expect(stored.join('')).not.toContain('orders');
	await expect(end('../x', [])).rejects.toThrow('"Request ID" is not that of a request');
});

it('backs up a database by its group, and refuses what no node behind it does, before it is accepted', async () => {
	const repository = await Repository.open(createStorage({ type: 'folder', path: folder }), { create: true });
	await buildBackup(repository, { group: 'postgres/my=20shop' });
	expect(await post('backup', { group: 'postgres/my=20shop' })).toMatchObject({
		status: 202,
		accepted: { group: 'postgres/my=20shop', prefix: 'postgres', database: 'my shop' },
	});
	const source = filesSource({ paths: [__filename] });
	await backUp({ storage: repository.storage, group: 'files/acme', source, encryption: null, signal: NEVER });
	const files = { group: 'files/acme' };
	const into = { ...files, database: 'shop', confirmation: 'shop' };
	for (const [call, body] of [
		['backup', files],
		['restore', into],
	] as const) {
		const { status, json, accepted } = await post(call, body, `${KEY}-${call}`);
		expect({ status, code: json.code, accepted }).toEqual({ status: 422, code: 'not-offered', accepted: null });
		expect(json.detail).toContain('files/acme is a backup of files, which this workflow does not');
	}
	await buildBackup(repository, { group: 'shop' });
	expect((await post('backup', { group: 'shop' }, `${KEY}-shop`)).json).toMatchObject({ code: 'not-offered' });
	expect(await post('verify', files, `${KEY}-verify`)).toMatchObject({ status: 202 });
	expect((await post('backup', { group: 'postgres/crm' }, `${KEY}-crm`)).json).toMatchObject({ code: 'not-found' });
	expect(records().filter((name) => name.includes('request-'))).toHaveLength(2);
});

it('leaves a group to the workflow that is named for it, before its first backup too, and takes what that has done from the journal', async () => {
	const workflows = { workflows: 'files/* = Kf3nQ9sLx2TbVw7Z\nbucket/photos = other' };
	const { accepted, json } = await post('backup', { group: 'files/my=20site' }, KEY, workflows);
	expect(accepted).toMatchObject({ workflow: 'Kf3nQ9sLx2TbVw7Z', prefix: 'files', name: 'my site' });
	const storage = createStorage({ type: 'folder', path: folder });
	const work = async (group: string, request: unknown, label: string | null) => {
		const actor = { via: 'n8n', request: String(request) } as const;
		const ended = () => ({ outcome: 'ok', label, facts: {} }) as const;
		await recordRun(storage, { verb: 'backup', group, actor }, async () => undefined, ended);
	};
	await work('files/my=20site', json.id, LABEL);
	await end(json.id, [{ outcome: 'ok', ended: true }]);
	const { json: request } = await get('request', { id: json.id });
	expect(request).toMatchObject({ state: 'ok', backups: [{ group: 'files/my=20site', label: LABEL }] });
	expect(request.runs).toHaveLength(1);

	const { json: other } = await post('backup', { group: 'bucket/photos' }, `${KEY}-other`, workflows);
	await work('bucket/videos', other.id, LABEL);
	const named = [{ group: 'bucket/videos', label: LABEL }];
	await expect(end(other.id, named)).rejects.toThrow('no node has done what the request asked for');
	expect((await post('backup', { group: 'files/a' }, `${KEY}-a`, { workflows: 'files/*' })).json).toMatchObject({
		...{ code: 'failed', detail: '"Workflows" has a line that names no workflow: files/*' },
	});
});

it('says by which code another workflow has failed, from the journal', async () => {
	const { json } = await post('backup', { group: 'files/www' }, KEY, { workflows: '* = any' });
	const request = { verb: 'backup', group: 'files/www', actor: { via: 'n8n', request: String(json.id) } } as const;
	const storage = createStorage({ type: 'folder', path: folder });
	const cancelled = new BackupError('cancelled', 'somebody has stopped it');
	const run = recordRun(
		storage,
		request,
		async () => Promise.reject(cancelled),
		() => ({ outcome: 'ok', facts: {} }),
	);
	await expect(run).rejects.toBe(cancelled);
	await expect(end(json.id, [{ error: 'Backup FAILED: files/www' }])).rejects.toThrow('Backup FAILED: files/www');
	expect((await get('request', { id: json.id })).json).toMatchObject({ state: 'failed', code: 'cancelled' });
});

it('does not call a request done that no node has done', async () => {
	const { json } = await post('backup', { database: 'shop' });
	await expect(end(json.id, [{ accepted: {} }])).rejects.toMatchObject({
		message: 'no node has done what the request asked for',
	});
	expect((await get('request', { id: json.id })).json).toMatchObject({ state: 'failed', code: 'unsupported' });
});

it('calls a request lost when nothing of it has been at work for a while', async () => {
	const { json } = await post('backup', { database: 'shop' });
	const old = new Date(Date.now() - 3_600_000);
	for (const file of records()) fs.utimesSync(file, old, old);
	expect((await get('request', { id: json.id })).json).toMatchObject({ state: 'lost', endedAt: null });
});

it('answers as the fields say: only of some groups, and of what is expected', async () => {
	const repository = await Repository.open(createStorage({ type: 'folder', path: folder }), { create: true });
	for (const group of ['postgres/shop', 'files/www']) {
		await buildBackup(repository, { group, bytes: 1000, verified: 'restored', at: new Date(Date.now() - 3_600_000) });
	}
	const only = { groups: 'postgres/*' };
	expect(((await get('list', {}, only)).json.backups as Json[]).map(({ group }) => group)).toEqual(['postgres/shop']);
	expect((await get('list', { group: 'files/*' }, only)).json.backups).toEqual([]);
	expect((await get('health', {}, only)).status).toBe(200);
	expect((await get('health', {}, { expected: 'postgres/crm = 26' })).status).toBe(503);
	expect((await get('runs')).json).toEqual({ runs: [] });
	expect((await get('run', { id: 'abcdefghjkmn' })).json).toMatchObject({ code: 'not-found', status: 404 });
});

it('answers with a problem where the storage is away, and with a health that says so', async () => {
	fs.rmSync(folder, { recursive: true });
	expect((await get('list')).json).toMatchObject({
		status: 503,
		code: 'storage-unavailable',
		cause: 'bucket-not-found',
	});
	expect((await post('backup', { database: 'shop' })).json).toMatchObject({ code: 'storage-unavailable' });
	expect(await get('health')).toMatchObject({ status: 503, json: { verdict: 'critical' } });
});

it('counts the calls of each role', async () => {
	const options = { callsPerMinute: 1, changesPerMinute: 1 };
	const role = 'operator';
	await get('health', {}, { options, role });
	expect(await get('health', {}, { options, role })).toMatchObject({ status: 429, header: { name: 'Retry-After' } });
	const wrong = await get('health', {}, { options: { callsPerMinute: 0 } });
	expect(wrong).toMatchObject({
		status: 500,
		json: { code: 'failed', detail: expect.stringContaining('Calls per Minute') },
	});
});

it('refuses what an expression makes of its fields', async () => {
	await expect(run({ request: '{' })).rejects.toThrow('"Request" is not JSON');
	await expect(run({ request: '{}', role: 'guest' })).rejects.toThrow('invalid value for "Role": guest');
	await expect(run({ request: '{}', method: 'PUT' })).rejects.toThrow('invalid value for "Method": PUT');
	await expect(run({ operation: 'drop' })).rejects.toThrow('invalid value for "Operation": drop');
});

it('needs further storages only where it looks into them', () => {
	const { credentials, properties } = node.description;
	const needed = (parameters: INodeParameters) => {
		const all = NodeHelpers.getNodeParameters(properties, parameters, true, false, null, node.description) ?? {};
		return credentials!.filter((each) => NodeHelpers.displayParameter(all, each, null, node.description)).length;
	};
	expect(
		[{ operation: 'answer' }, { operation: 'answer', storages: 'third' }, { operation: 'end' }].map(needed),
	).toEqual([1, 3, 1]);
});
