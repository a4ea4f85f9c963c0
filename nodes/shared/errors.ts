/** The one place where an error of the engine becomes an error of n8n. */
import type { IDataObject, INode, INodeExecutionData } from 'n8n-workflow';
import { NodeApiError, NodeOperationError } from 'n8n-workflow';
import { isBackupError, messageOf } from '../../core/base/errors';

/**
 * What n8n shows: the message as headline, the hint below it. The cause stays inside: it may hold anything.
 * @param where what the error is about, e.g. a database's name
 */
export function toNodeError(node: INode, error: unknown, itemIndex: number, where?: string): Error {
	if (error instanceof NodeOperationError || error instanceof NodeApiError) return error;
	if (!isBackupError(error))
		return new NodeOperationError(node, error instanceof Error ? error : String(error), { itemIndex });
	const text = where ? `${where}: ${error.message}` : error.message;
	const shown = new NodeOperationError(node, text, {
		itemIndex,
		description: error.hint,
		// Shown by n8n as the error's type; programs read `code` from the item.
		type: error.code,
	});
	// n8n exchanges a message that has a word like ECONNREFUSED in it for one of its own, which names no host.
	shown.message = text;
	return shown;
}

/**
 * An item for the error output. n8n routes an item there whose json has `error` and nothing else but `message` and
 * `details`. It must not carry an error object as well: n8n would then drop everything but the message.
 * @param facts what the failure is about, e.g. the database
 */
export function toErrorItem(error: unknown, itemIndex: number, facts: IDataObject = {}): INodeExecutionData {
	const known = isBackupError(error)
		? { code: error.code, hint: error.hint ?? null }
		: { code: 'internal', hint: null };
	return {
		json: { error: messageOf(error), details: { ...facts, ...known } },
		pairedItem: { item: itemIndex },
	};
}
