/** From requests to calls, and to problems: everything in a request is somebody's choice. */
import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { BackupError } from '../../../core/base/errors';
import { VERBS } from '../../../core/records/journal/actor';
import { requestId } from '../../../core/records/requests';
import { type ApiRequest, namedBy, parseCall } from '../../../core/report/api/call';
import { Problem, problemAnswer, type ProblemCode, toProblem } from '../../../core/report/api/problem';
import { Rate } from '../../../core/report/api/rate';
import { openApi } from '../../support/openapi';
import type { Json } from '../../support/report-items';

const KEY = '0b9f3d0e-7d2c-4c53-9b62-1f8f1f0f7d11';
const LABEL = '20261120T020000Z-full-k3f9';

function request(call: unknown, more: Partial<ApiRequest> = {}): ApiRequest {
	return { method: 'GET', role: 'reader', call, query: {}, headers: {}, body: {}, ...more };
}

function action(call: string, body: unknown, headers: Record<string, unknown> = {}): ApiRequest {
	const all = { 'content-type': 'application/json; charset=utf-8', 'idempotency-key': KEY, ...headers };
	return request(call, { method: 'POST', role: 'operator', headers: all, body });
}

function problemOf(asked: ApiRequest): Problem {
	try {
		throw new Error(`understood: ${JSON.stringify(parseCall(asked))}`);
	} catch (error) {
		if (error instanceof Problem) return error;
		throw error;
	}
}

it('reads what it may look for', () => {
	expect(parseCall(request('health'))).toEqual({ call: 'health' });
	expect(parseCall(request('list', { query: { group: 'postgres/*', limit: '7' } }))).toEqual({
		...{ call: 'list', group: 'postgres/*', limit: 7 },
	});
	expect(parseCall(request('runs'))).toEqual({ call: 'runs', limit: 50, days: 3 });
});

it.each([
	['postgres/eu/my=20shop', 'postgres/eu', 'my shop'],
	['shop', '', 'shop'],
	['postgres/a b', 'postgres', ''],
])('knows what the group %s is called after', (group, prefix, name) => {
	expect(namedBy(group)).toEqual({ prefix, name });
});

it('reads what is to be done, in full, with who asked', () => {
	const id = requestId(KEY);
	expect(parseCall(action('backup', { database: 'shop' }, { 'x-requested-by': ' deploy\nbot ' }))).toEqual({
		...{ call: 'backup', id, requestedBy: 'operator: deploy bot', asked: { database: 'shop' } },
	});
	expect(parseCall(action('backup', { group: 'files/acme' }))).toMatchObject({ asked: { group: 'files/acme' } });
	expect(parseCall(action('verify', { group: 'postgres/shop' }))).toMatchObject({
		...{ requestedBy: 'operator', asked: { group: 'postgres/shop', label: '', depth: 'readable' } },
	});
	const body = { group: 'postgres/shop', label: LABEL, database: 'shop', into: 'replace', confirmation: 'shop' };
	expect(parseCall(action('restore', body))).toMatchObject({
		asked: { group: 'postgres/shop', label: LABEL, before: '', database: 'shop', into: 'replace' },
	});
	const before = '2026-11-20T14:30:00Z';
	const then = { group: 'postgres/shop', before, database: 'shop', confirmation: 'shop' };
	expect(parseCall(action('restore', then))).toMatchObject({ asked: { label: '', before, into: 'new' } });
});

it.each<[string, ApiRequest, string, RegExp]>([
	['both', action('backup', { database: 'a', group: 'b/a' }), 'invalid-input', /name a database or a group/],
	['an unknown call', request('drop'), 'not-found', /no call "drop"/],
	['no call', request(undefined), 'not-found', /no call ""/],
	['a call that every object has', request('constructor'), 'not-found', /constructor/],
	['a call to change something, by GET', request('backup'), 'wrong-method', /takes POST only/],
	['a call to look, by POST', action('list', {}), 'wrong-method', /takes GET only/],
	['a reader who wants a backup', { ...action('backup', {}), role: 'reader' }, 'not-allowed', /changes something/],
	['no key', action('backup', { database: 'a' }, { 'idempotency-key': undefined }), 'no-idempotency-key', /second run/],
	['two keys', action('backup', { database: 'a' }, { 'idempotency-key': [KEY] }), 'no-idempotency-key', /second run/],
	['a body that is announced too large', action('backup', {}, { 'content-length': '16385' }), 'too-large', /16384/],
	['a body that is too large', action('backup', { database: 'x'.repeat(17_000) }), 'too-large', /16384/],
	['a body of no type', action('backup', {}, { 'content-type': undefined }), 'wrong-type', /""/],
	['a form', action('backup', {}, { 'content-type': 'text/plain' }), 'wrong-type', /text\/plain/],
	['no database', action('backup', {}), 'invalid-input', /name a database or a group/],
	['a database with spaces around', action('backup', { database: ' a' }), 'invalid-input', /1 to 63 bytes/],
	['a database with too many bytes', action('backup', { database: 'ä'.repeat(32) }), 'invalid-input', /1 to 63 bytes/],
	['a member that it does not have', action('backup', { database: 'a', drop: 1 }), 'invalid-input', /'drop'/],
	['a group outside', action('verify', { group: '../x' }), 'invalid-input', /no name of a group/],
	['a group of the repository', action('verify', { group: 'runs/x' }), 'invalid-input', /no name of a group/],
	['an unknown depth', action('verify', { group: 'a', depth: 'deep' }), 'invalid-input', /"depth"/],
	['no confirmation', action('restore', { group: 'a', database: 'b' }), 'not-confirmed', /named twice/],
	[
		'a confirmation of something else',
		action('restore', { group: 'a', database: 'b', confirmation: 'B' }),
		...(['not-confirmed', /named twice/] as const),
	],
	[
		'two choices of a backup',
		action('restore', { group: 'a', label: LABEL, before: '2026-11-20T14:30:00Z', database: 'b', confirmation: 'b' }),
		...(['invalid-input', /not both/] as const),
	],
	[
		'a time without a zone',
		action('restore', { group: 'a', before: '2026-11-20', database: 'b' }),
		'invalid-input',
		/"before"/,
	],
	['a limit that is too large', request('list', { query: { limit: '1e9' } }), 'invalid-input', /"limit"/],
	['a query of many', request('list', { query: { group: ['a', 'b'] } }), 'invalid-input', /"group"/],
	['a malformed run id', request('run', { query: { id: '../x' } }), 'invalid-input', /no id of a run/],
])('refuses %s, and says what to change', (_, asked, code, detail) => {
	const problem = problemOf(asked);
	expect([problem.code, problem.detail]).toEqual([code, expect.stringMatching(detail)]);
	expect(problem.hint).toMatch(/^[A-Z"].*\.$/);
});

it('answers every request with a call or a problem, whatever is in it, and shows little of it', () => {
	const headers = fc.record({
		'content-type': fc.constantFrom('application/json', 'text/html'),
		'content-length': fc.anything(),
		'idempotency-key': fc.oneof(fc.constant(KEY), fc.anything()),
		'x-requested-by': fc.anything(),
	});
	const names = fc.oneof(fc.constantFrom('backup', 'list', 'restore', 'run', 'verify'), fc.anything());
	const any = fc.record({
		method: fc.constantFrom('GET' as const, 'POST' as const),
		role: fc.constantFrom('reader' as const, 'operator' as const),
		...{ call: names, query: fc.anything(), headers, body: fc.jsonValue() },
	});
	fc.assert(
		fc.property(any, (asked) => {
			try {
				parseCall(asked);
			} catch (error) {
				if (!(error instanceof Problem)) throw error;
				const { body } = problemAnswer(error);
				expect(body.length).toBeLessThan(4000);
				expect(body.trimEnd()).not.toMatch(/[\p{Cc}\u202e]/u);
			}
		}),
	);
});

it('makes problems of errors of the engine, and of nothing else', () => {
	const document = (error: unknown) => JSON.parse(problemAnswer(toProblem(error)!).body) as Json;
	const unreachable = new BackupError('unreachable', 'cannot reach s3://x', { hint: 'Look at the network.' });
	expect(document(unreachable)).toEqual({
		type: expect.stringMatching(/docs\/api\.md#storage-unavailable$/),
		...{ title: 'The storage cannot be used', status: 503, code: 'storage-unavailable', cause: 'unreachable' },
		...{ detail: 'cannot reach s3://x', hint: 'Look at the network.' },
	});
	expect(document(new BackupError('damaged', 'x'))).toMatchObject({ status: 500, code: 'failed', cause: 'damaged' });
	expect(document(new BackupError('invalid-input', 'password=hunter2 is wrong')).detail).toBe('password=*** is wrong');
	expect(toProblem(new TypeError('x'))).toBeNull();
});

it('lets so many through within a minute, and says when the next one may come', () => {
	const rate = new Rate();
	expect([0, 10_000, 20_000].map((now) => rate.take(2, now))).toEqual([null, null, 40]);
	expect(rate.take(2, 60_000)).toBeNull();
	expect(rate.take(2, 60_001)).toBe(10);
});

/** All there are; the compiler says when one is missing. */
const CODES: Record<ProblemCode, true> = {
	...{ failed: true, 'invalid-input': true, 'key-reused': true, 'no-idempotency-key': true, 'not-allowed': true },
	...{
		'not-confirmed': true,
		'not-found': true,
		'not-offered': true,
		'not-running': true,
		'storage-unavailable': true,
		'too-large': true,
		'stale-button': true,
		'too-often': true,
	},
	...{ 'wrong-method': true, 'wrong-type': true },
};

it('has in docs/openapi.yaml, and in docs/api.md, what it knows, and nothing else', () => {
	const { schemas } = openApi.components as {
		schemas: Record<string, { properties: Record<string, { enum: string[] }> }>;
	};
	expect(schemas.Problem!.properties.code!.enum.toSorted()).toEqual(Object.keys(CODES).sort());
	expect(schemas.Run!.properties.verb!.enum).toEqual(VERBS);
	const page = fs.readFileSync(path.resolve(__dirname, '../../../docs/api.md'), 'utf8');
	expect([...page.matchAll(/^### (.+)$/gm)].map(([, code]) => code).sort()).toEqual(Object.keys(CODES).sort());
	const paths = openApi.paths as Record<string, Json>;
	for (const [route, methods] of Object.entries(paths)) {
		const method = 'get' in methods ? 'GET' : 'POST';
		const other = method === 'GET' ? 'POST' : 'GET';
		expect(problemOf(request(route.slice(1), { method: other, role: 'operator' })).code).toBe('wrong-method');
	}
	const all = problemOf(request('nothing')).hint;
	expect(
		Object.keys(paths)
			.map((route) => route.slice(1))
			.sort(),
	).toEqual(all.replace('There are: ', '').replace('.', '').split(', ').sort());
});
