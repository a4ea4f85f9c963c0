/** The one place where an error of the engine becomes an error of n8n. */
import type { INode, INodeExecutionData, JsonObject } from 'n8n-workflow';
import { NodeApiError, NodeOperationError } from 'n8n-workflow';
import { isBackupError } from '../../core/errors';

/**
 * What n8n shows: the message as headline, the hint below it. The cause stays inside: it may hold anything.
 * @param where what the error is about, e.g. a database's name
 */
export function toNodeError(node: INode, error: unknown, itemIndex: number, where?: string): Error {
	if (error instanceof NodeOperationError || error instanceof NodeApiError) return error;
	if (!isBackupError(error))
		return new NodeOperationError(node, error instanceof Error ? error : String(error), { itemIndex });
	return new NodeOperationError(node, where ? `${where}: ${error.message}` : error.message, {
		itemIndex,
		description: error.hint,
		// Shown by n8n as the error's type; programs read `code` from the item.
		type: error.code,
	});
}

/** An item for the error output: n8n routes it there because `error` is set. */
export function toErrorItem(
	node: INode,
	error: unknown,
	itemIndex: number,
	facts: JsonObject = {},
): INodeExecutionData {
	const nodeError = toNodeError(node, error, itemIndex) as NodeOperationError;
	return {
		json: { ...facts, ok: false, ...describeError(error) },
		error: nodeError,
		pairedItem: { item: itemIndex },
	};
}

/** An error as facts in an item: what happened, what to do, and the code for programs. */
export function describeError(error: unknown): { error: string; hint: string | null; code: string } {
	if (isBackupError(error)) return { error: error.message, hint: error.hint ?? null, code: error.code };
	return { error: error instanceof Error ? error.message : String(error), hint: null, code: 'internal' };
}
