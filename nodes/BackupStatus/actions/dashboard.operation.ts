/** Backup Status: Dashboard. One item with a page. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { BackupError } from '../../../core/base/errors';
import { renderPage } from '../../../core/report/status/page/page';
import { readStatus } from '../../shared/status-settings';

export async function dashboard(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const query = readQuery(context.getNodeParameter('query', itemIndex, {}));
	const status = await readStatus(context, itemIndex);
	const html = renderPage(status, { timeZone: context.getTimezone(), query });
	const { verdict, sentence } = status;
	return [{ json: { summary: sentence, verdict, html }, pairedItem: { item: itemIndex } }];
}

function readQuery(value: unknown): Record<string, unknown> {
	try {
		const query: unknown = typeof value === 'string' ? JSON.parse(value || '{}') : value;
		if (typeof query === 'object' && query !== null && !Array.isArray(query)) return query as Record<string, unknown>;
	} catch (cause) {
		throw notAnObject(cause);
	}
	throw notAnObject();
}

function notAnObject(cause?: unknown): BackupError {
	return new BackupError('invalid-input', '"Query" is not an object', {
		hint: 'Let the expression give the query of the webhook, or {} for the first page.',
		cause,
	});
}
