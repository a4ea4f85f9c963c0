/** From a request to a call of the API: everything in it comes from outside. Pure. */
import { z } from 'zod';
import { DEPTHS } from '../../records/evidence';
import { fromSegment, isGroup, parseLabel } from '../../records/label';
import { REQUEST_ID, requestId } from '../../records/requests';
import { nameOf, textOf } from '../values';
import { Problem } from './problem';

/** Bytes of a body: more is nothing of ours. */
const MAX_BODY = 16 * 1024;
/** PostgreSQL's. */
const MAX_NAME_BYTES = 63;
/** Characters of a time: a year to nanoseconds has 30. */
const MAX_TIME = 40;
/** Characters of an Idempotency-Key, as that of https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header. */
const KEY = /^[\x21-\x7e]{8,200}$/;
const RUN_ID = /^[a-z2-9]{12}$/;

/** A request as it came in, and by which door. */
export interface ApiRequest {
	method: 'GET' | 'POST';
	role: 'reader' | 'operator';
	/** The last part of the path. */
	call: unknown;
	query: unknown;
	/** By their names in lower case. */
	headers: Readonly<Record<string, unknown>>;
	body: unknown;
}

/** What is asked for, with every value checked. */
export type Call = ReadCall | DoCall | CancelCall;

export type ReadCall =
	| { call: 'health' | 'metrics' | 'status' | 'storage' }
	| { call: 'list'; group?: string; limit: number }
	| { call: 'runs'; group?: string; limit: number; days: number }
	| { call: 'run' | 'request'; id: string };

/** A call that changes something. */
export interface DoCall {
	call: 'backup' | 'restore' | 'verify';
	/** Of the request, from its idempotency key. */
	id: string;
	/** What is to be done, in full; "" for label and time means the newest. */
	asked: Record<string, string>;
	/** The role, which n8n has checked, and the name that the caller gave itself. */
	requestedBy: string;
}

/** A call that stops a run: to ask twice is the same as once, so it needs no key. */
export interface CancelCall {
	call: 'cancel';
	run: string;
	requestedBy: string;
}

const group = z
	.string()
	.max(500)
	.refine((value) => isGroup(value), 'is no name of a group; see GET list');
const pattern = z.string().min(1).max(500).optional();
const label = z
	.string()
	.refine((value) => parseLabel(value) !== null, 'is no label of a backup; see GET list')
	.optional();
const database = z
	.string()
	.refine(
		(value) => value.trim() === value && isDatabase(value),
		`must be the name of a database: 1 to ${MAX_NAME_BYTES} bytes`,
	);
const limit = z.coerce.number().int().min(1).max(1000).default(50);
const nothing = z.object({}).strict();

const runId = z.string().regex(RUN_ID, 'is no id of a run; see GET runs');

const READS = {
	health: nothing,
	list: z.object({ group: pattern, limit }).strict(),
	metrics: nothing,
	request: z.object({ id: z.string().regex(REQUEST_ID, 'is no id of a request') }).strict(),
	run: z.object({ id: runId }).strict(),
	runs: z.object({ group: pattern, limit, days: z.coerce.number().int().min(1).max(31).default(3) }).strict(),
	status: nothing,
	storage: nothing,
} as const;

const ACTIONS = {
	backup: z
		.object({ database: database.optional(), group: group.optional() })
		.strict()
		.refine((asked) => (asked.database === undefined) !== (asked.group === undefined), 'name a database or a group'),
	cancel: z.object({ run: runId }).strict(),
	restore: z
		.object({
			...{ group, label, database },
			before: z.string().max(MAX_TIME).datetime().optional(),
			into: z.enum(['new', 'empty', 'replace']).default('new'),
			confirmation: z.string().max(500).optional(),
		})
		.strict()
		.refine(({ label, before }) => label === undefined || before === undefined, 'name a label or a time, not both'),
	verify: z.object({ group, label, depth: z.enum(DEPTHS).default('readable') }).strict(),
} as const;

function isDatabase(name: string): boolean {
	const bytes = Buffer.byteLength(name);
	return bytes > 0 && bytes <= MAX_NAME_BYTES && !name.includes('\0');
}

/** @throws Problem where it cannot be answered, with what to change */
export function parseCall(request: ApiRequest): Call {
	const name = typeof request.call === 'string' ? request.call : '';
	if (isOneOf(READS, name)) {
		if (request.method !== 'GET') throw wrongMethod(name, 'GET');
		return { call: name, ...parse(READS[name], request.query, 'query') } as ReadCall;
	}
	if (!isOneOf(ACTIONS, name)) {
		const all = [...Object.keys(READS), ...Object.keys(ACTIONS)].join(', ');
		throw new Problem('not-found', `there is no call "${name}"`, `There are: ${all}.`);
	}
	if (request.method !== 'POST') throw wrongMethod(name, 'POST');
	if (request.role !== 'operator') {
		throw new Problem(
			'not-allowed',
			`"${name}" changes something`,
			'Use the address and the credential of the operator.',
		);
	}
	return parseAction(name, request);
}

/** What stands for the newest backup where nothing else is asked for. */
const NEWEST = { backup: {}, restore: { label: '', before: '' }, verify: { label: '' } };

function parseAction(call: DoCall['call'] | 'cancel', { headers, body }: ApiRequest): DoCall | CancelCall {
	assertBody(headers, body);
	const claimed = nameOf(headers['x-requested-by']).slice(0, 100);
	const requestedBy = `operator${claimed === '' ? '' : `: ${claimed}`}`;
	if (call === 'cancel') {
		const { run } = parse(ACTIONS.cancel, body, 'body') as { run: string };
		return { call, run, requestedBy };
	}
	const key = headers['idempotency-key'];
	if (typeof key !== 'string' || !KEY.test(key)) {
		const hint =
			'Send a header Idempotency-Key with 8 to 200 characters, a new one for each thing to be done, e.g. a UUID.';
		throw new Problem('no-idempotency-key', 'without a key, a repeated request would start a second run', hint);
	}
	const asked = parse(ACTIONS[call], body, 'body') as Record<string, string | undefined>;
	if (call === 'restore' && asked.confirmation !== asked.database) {
		const hint = `Add "confirmation" with the value of "database", if that is the database to restore into.`;
		throw new Problem('not-confirmed', 'a restore begins only when its target is named twice', hint);
	}
	const { confirmation: _, ...rest } = asked;
	return {
		...{ call, id: requestId(key), requestedBy },
		asked: { ...NEWEST[call], ...(rest as Record<string, string>) },
	};
}

/** What a group is called after: all before its last part, and the name that this part was made of; '' where it was made of none. */
export function namedBy(group: string): { prefix: string; name: string } {
	const at = group.lastIndexOf('/');
	return { prefix: group.slice(0, Math.max(at, 0)), name: fromSegment(group.slice(at + 1)) ?? '' };
}

/** Whether a body may be looked at. */
function assertBody(headers: ApiRequest['headers'], body: unknown): void {
	const announced = Number(headers['content-length'] ?? 0);
	if (announced > MAX_BODY || (JSON.stringify(body) ?? '').length > MAX_BODY) {
		throw new Problem(
			'too-large',
			`the body has more than ${MAX_BODY} bytes`,
			'Send only the members that the call has.',
		);
	}
	const [type = ''] = textOf(headers['content-type']).split(';');
	if (type.trim().toLowerCase() === 'application/json') return;
	throw new Problem(
		'wrong-type',
		`the body is "${type}"`,
		'Send JSON, with the header Content-Type: application/json.',
	);
}

function parse(schema: z.ZodTypeAny, value: unknown, where: 'body' | 'query'): Record<string, unknown> {
	const found = schema.safeParse(value ?? {});
	if (found.success) return found.data as Record<string, unknown>;
	const [issue] = found.error.issues;
	const member = issue && issue.path.length > 0 ? `"${issue.path.join('.')}" ` : '';
	const hint = `Change the ${where} of the request as docs/openapi.yaml describes it.`;
	throw new Problem('invalid-input', `${where}: ${member}${issue?.message ?? 'cannot be used'}`, hint);
}

function isOneOf<T extends object>(table: T, name: string): name is Extract<keyof T, string> {
	return Object.hasOwn(table, name);
}

function wrongMethod(name: string, allowed: string): Problem {
	const header = { name: 'Allow', value: allowed };
	return new Problem('wrong-method', `"${name}" takes ${allowed} only`, `Send a ${allowed} request.`, { header });
}
