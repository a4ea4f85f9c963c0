/** Requests for Backups: End Request. The items that came in, after how the work ended is written down. */
import { type IExecuteFunctions, type INodeExecutionData, NodeOperationError } from 'n8n-workflow';
import { BackupError } from '../../../core/base/errors';
import { isGroup, parseLabel } from '../../../core/records/label';
import { endRequest, REQUEST_ID } from '../../../core/records/requests';
import { readWork } from '../../../core/report/api/request-state';
import { errorText, factsOf, nameOf } from '../../../core/report/values';
import { withRepository } from '../../shared/backups';
import { toNodeError } from '../../shared/errors';
import { cancelSignal } from '../../shared/run';

/** @throws NodeOperationError of the work where that has failed, so that the execution has failed too */
export async function endAll(context: IExecuteFunctions): Promise<INodeExecutionData[][]> {
	const items = context.getInputData();
	try {
		const id = context.getNodeParameter('requestId', 0);
		if (typeof id !== 'string' || !REQUEST_ID.test(id)) {
			throw new BackupError('invalid-input', '"Request ID" is not that of a request', {
				hint: 'Take "accepted.id" of the node that has answered the request.',
			});
		}
		const failed = items.find(({ json, error }) => json.error !== undefined || error !== undefined);
		const named = items.flatMap(({ json }) => {
			const { group, label } = { ...json, ...factsOf(json.details) };
			const isBackup =
				typeof group === 'string' && isGroup(group) && typeof label === 'string' && parseLabel(label) !== null;
			return isBackup ? [{ group, label }] : [];
		});
		const signal = cancelSignal(context);
		const isDone = await withRepository(context, 0, signal, async (repository) => {
			// Another workflow gives whatever its last node gives: what it has done is in the journal.
			const work = await readWork(repository, id, named, signal);
			const isOk = !failed && work.isDone;
			const code = failed ? nameOf(factsOf(failed.json.details).code) || work.code : isOk ? null : 'unsupported';
			await endRequest(
				repository.storage,
				id,
				{ outcome: isOk ? 'ok' : 'failed', code, backups: work.backups },
				signal,
			);
			return isOk;
		});
		if (failed) throw failureOf(context, failed);
		if (!isDone) {
			throw new BackupError('unsupported', 'no node has done what the request asked for', {
				hint: 'Activate the node that does it, between the answer and this node.',
			});
		}
		return [items.map((item, index) => ({ ...item, pairedItem: { item: index } }))];
	} catch (error) {
		throw toNodeError(context.getNode(), error, 0);
	}
}

function failureOf(context: IExecuteFunctions, { json, error }: INodeExecutionData): NodeOperationError {
	const message = errorText(json.error) || errorText(error) || 'the work of the request failed';
	const description = errorText(factsOf(json.details).hint) || undefined;
	const failure = new NodeOperationError(context.getNode(), message, { description, itemIndex: 0 });
	// n8n exchanges a message that has a word like ECONNREFUSED in it for one of its own, which names no host.
	failure.message = message;
	return failure;
}
