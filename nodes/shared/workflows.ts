/** Which workflow backs up a group, where that is another one than the one that answers requests: what it is made of stands in its nodes. */
import type { IExecuteFunctions, INodeProperties } from 'n8n-workflow';
import { BackupError } from '../../core/base/errors';
import { matchesGroup } from './group-patterns';
import { linesOf } from './values';

/** As n8n makes them, and as somebody may have chosen one when importing a workflow. */
const ID = /^[\w-]{1,64}$/;

export const WORKFLOWS_FIELD: INodeProperties = {
	displayName: 'Workflows',
	name: 'workflows',
	type: 'string',
	typeOptions: { rows: 3 },
	default: '',
	placeholder: 'e.g. files/* = Kf3nQ9sLx2TbVw7Z',
	description:
		'One per line, a group or pattern and the workflow that backs it up, by its ID: the last part of its address in the editor. Groups of databases need none.',
};

/**
 * @returns the ID of the workflow that backs up a group, of the first line that fits; null where none does
 * @throws BackupError 'invalid-input'
 */
export function readWorkflows(context: IExecuteFunctions, itemIndex: number): (group: string) => string | null {
	const lines = linesOf(context.getNodeParameter('workflows', itemIndex, '')).map((line) => {
		const at = line.lastIndexOf('=');
		const [pattern, id] = [line.slice(0, Math.max(at, 0)).trim(), line.slice(at + 1).trim()];
		if (pattern !== '' && ID.test(id)) return { pattern, id };
		throw new BackupError('invalid-input', `"Workflows" has a line that names no workflow: ${line}`, {
			hint: 'Write a group or a pattern, an equals sign and the ID of a workflow, e.g. files/* = Kf3nQ9sLx2TbVw7Z.',
		});
	});
	return (group) => lines.find(({ pattern }) => matchesGroup(group, [pattern]))?.id ?? null;
}
