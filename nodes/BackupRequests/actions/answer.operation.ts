/** Requests for Backups: Answer Request. One item: what to send back, and what is to be done. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { BackupError } from '../../../core/base/errors';
import { cancelRun } from '../../../core/records/cancellation';
import { isUnsure, SETTLE_MS } from '../../../core/records/only-if-absent';
import { acceptRequest, type AcceptedRequest } from '../../../core/records/requests';
import { type Answer, jsonAnswer } from '../../../core/report/api/answer';
import { type ApiRequest, type Call, type CancelCall, type DoCall, parseCall } from '../../../core/report/api/call';
import { Problem, problemAnswer, toProblem } from '../../../core/report/api/problem';
import { Rate } from '../../../core/report/api/rate';
import { type Facts, factsOf } from '../../../core/report/values';
import { withRepository } from '../../shared/backups';
import { cancelSignal } from '../../shared/run';
import { readGroups } from '../../shared/status-settings';
import { unknownOption, wholeNumber } from '../../shared/values';
import { readWorkflows } from '../../shared/workflows';
import { CALLS_PER_MINUTE, CHANGES_PER_MINUTE } from '../properties';
import { type AskedGroups, readAskedGroups } from './asked-groups';
import { findOffer } from './offered';
import { answerRead } from './reads';

/** Fields of the node's "Options" collection; each is absent until the user adds it. */
interface OptionFields {
	callsPerMinute?: number;
	changesPerMinute?: number;
}

/** An answer, and what is to be done once it is sent. */
export interface Answered {
	answer: Answer;
	accepted: (Record<string, string> & Pick<AcceptedRequest, 'verb'>) | null;
}

export async function answer(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	return itemOf(await answered(context, itemIndex), itemIndex);
}

/** What the nodes behind this one read. */
export function itemOf({ answer: sent, accepted }: Answered, itemIndex: number): INodeExecutionData[] {
	const summary = accepted ? `${accepted.verb} accepted` : `answered with ${sent.status}`;
	return [{ json: { summary, ...sent, accepted }, pairedItem: { item: itemIndex } }];
}

async function answered(context: IExecuteFunctions, itemIndex: number): Promise<Answered> {
	const request = readRequest(context, itemIndex);
	try {
		assertRate(context, itemIndex, request);
		const call = parseCall(request);
		if (call.call === 'cancel') return { answer: await cancel(context, itemIndex, call), accepted: null };
		if (isDoing(call)) return await accept(context, itemIndex, call, readAskedGroups(context, itemIndex));
		return { answer: await answerRead(context, itemIndex, call), accepted: null };
	} catch (error) {
		const problem = toProblem(error);
		// What nobody foresaw fails the execution; n8n answers with 500, and the error workflow tells.
		if (!problem || cancelSignal(context).aborted) throw error;
		return { answer: problemAnswer(problem), accepted: null };
	}
}

export function isDoing(call: Exclude<Call, CancelCall>): call is DoCall {
	return 'asked' in call;
}

/** @throws BackupError 'invalid-input' for fields that somebody has set wrongly */
function readRequest(context: IExecuteFunctions, itemIndex: number): ApiRequest {
	const method = context.getNodeParameter('method', itemIndex) as ApiRequest['method'];
	if (method !== 'GET' && method !== 'POST') throw unknownOption('Method', method);
	const role = context.getNodeParameter('role', itemIndex) as ApiRequest['role'];
	if (role !== 'reader' && role !== 'operator') throw unknownOption('Role', role);
	const { params, query, headers, body } = readJson(context.getNodeParameter('request', itemIndex));
	return { method, role, call: factsOf(params).call, query, headers: factsOf(headers), body };
}

export function readJson(value: unknown): Facts {
	try {
		return factsOf(typeof value === 'string' ? JSON.parse(value) : value);
	} catch (cause) {
		const hint = 'Let the expression give the item of the Webhook: {{ JSON.stringify($json) }}.';
		throw new BackupError('invalid-input', '"Request" is not JSON', { hint, cause });
	}
}

/** By workflow, role and method. n8n's own memory would be read and written with each call; a restart may forget them. */
const rates = new Map<string, Rate>();

/** @throws Problem 'too-often' */
export function assertRate(
	context: IExecuteFunctions,
	itemIndex: number,
	{ role, method }: Pick<ApiRequest, 'role' | 'method'>,
): void {
	const options = context.getNodeParameter('options', itemIndex, {}) as OptionFields;
	const { callsPerMinute = CALLS_PER_MINUTE, changesPerMinute = CHANGES_PER_MINUTE } = options;
	const limit =
		method === 'GET'
			? wholeNumber('Calls per Minute', callsPerMinute, 1, 100_000)
			: wholeNumber('Changes per Minute', changesPerMinute, 1, 100_000);
	const key = JSON.stringify([context.getWorkflow().id, role, method]);
	const rate = rates.get(key) ?? new Rate();
	rates.set(key, rate);
	const seconds = rate.take(limit, performance.now());
	if (seconds === null) return;
	const hint = `Call again in ${seconds} s, and less often; "Options" of the node say how often one may.`;
	const header = { name: 'Retry-After', value: String(seconds) };
	throw new Problem('too-often', `more than ${limit} such calls within a minute`, hint, { header });
}

/** Asks a run to stop; it does so at its next heartbeat. */
async function cancel(context: IExecuteFunctions, itemIndex: number, call: CancelCall): Promise<Answer> {
	const { run: id, requestedBy } = call;
	const signal = cancelSignal(context);
	const isWanted = readGroups(context, itemIndex);
	return await withRepository(context, itemIndex, signal, async ({ storage }) => {
		const found = await cancelRun(storage, id, {
			by: requestedBy,
			signal,
			isWanted: ({ group }) => group === null || isWanted(group),
		});
		if (!found) throw new Problem('not-found', `there is no run ${id} in the last days`, 'GET runs lists them.');
		const { verb, group, label, state, startedAt } = found;
		if (state !== 'running') {
			throw new Problem('not-running', `the run ${id} is not under way: ${state}`, 'There is nothing to stop.');
		}
		const location = `run?id=${id}`;
		return jsonAnswer(
			202,
			{ run: id, verb, group, label, startedAt, requestedBy, location },
			{ name: 'Location', value: location },
		);
	});
}

/**
 * Writes the request down, so that its key starts nothing a second time.
 * @param ours what the node is about; everything when absent
 */
export async function accept(
	context: IExecuteFunctions,
	itemIndex: number,
	doing: DoCall,
	ours?: AskedGroups,
): Promise<Answered> {
	const { call, id, asked, requestedBy } = doing;
	const { id: workflow = '' } = context.getWorkflow();
	const request = { verb: call, asked, requestedBy, workflow, execution: context.getExecutionId() };
	const signal = cancelSignal(context);
	const workflowOf = readWorkflows(context, itemIndex);
	const { isNew, ...found } = await withRepository(
		context,
		itemIndex,
		signal,
		async (repository) =>
			await acceptRequest(repository.storage, id, request, {
				offer: async () => await findOffer(repository, doing, { workflowOf, ours, signal }),
				settleMs: isUnsure(repository.onlyIfAbsent) ? SETTLE_MS : 0,
				signal,
			}),
		// The first backup of all begins it.
		{ create: call === 'backup' },
	);
	if (!isSame(found.request, request)) {
		const hint = 'Send a new key for each thing to be done.';
		throw new Problem('key-reused', 'the request that came with this key asked for something else', hint);
	}
	const location = `request?id=${id}`;
	const { database } = found.offer;
	const document = {
		...{ id, verb: call, ...asked },
		...(database !== undefined && { database }),
		...{ requestedBy: found.request.requestedBy, location, repeated: !isNew },
	};
	return {
		answer: jsonAnswer(202, document, { name: 'Location', value: location }),
		accepted: isNew ? { verb: call, id, requestedBy, ...asked, ...found.offer } : null,
	};
}

function isSame(one: AcceptedRequest, other: AcceptedRequest): boolean {
	const sorted = ({ verb, asked }: AcceptedRequest) => JSON.stringify([verb, Object.entries(asked).sort()]);
	return sorted(one) === sorted(other);
}
