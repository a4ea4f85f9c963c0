/** Backup Status: Dashboard. One item with a page. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { BackupError, messageOf } from '../../../core/base/errors';
import { type BackupInStorage, readBackup } from '../../../core/report/status/backup';
import { backupAskedFor, renderPage } from '../../../core/report/status/page/page';
import { cancelSignal } from '../../shared/run';
import { readStatus, withStorages } from '../../shared/status-settings';
import { readWorkflows } from '../../shared/workflows';

export async function dashboard(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const query = readQuery(context.getNodeParameter('query', itemIndex, {}));
	const status = await readStatus(context, itemIndex);
	const backup = backupAskedFor(status, query);
	const places = backup ? await readPlaces(context, itemIndex, backup) : [];
	const caller = context.getNodeParameter('caller', itemIndex, '');
	const workflowOf = readWorkflows(context, itemIndex);
	const html = renderPage(status, {
		...{ timeZone: context.getTimezone(), query, places },
		hasWorkflow: (group) => workflowOf(group) !== null,
		caller: typeof caller === 'string' ? caller : '',
	});
	const { verdict, sentence } = status;
	return [{ json: { summary: sentence, verdict, html }, pairedItem: { item: itemIndex } }];
}

/** The backup in each storage. One that cannot be looked at is part of the page, and no error. */
async function readPlaces(
	context: IExecuteFunctions,
	itemIndex: number,
	backup: { group: string; label: string },
): Promise<BackupInStorage[]> {
	const signal = cancelSignal(context);
	return await withStorages(context, itemIndex, async (storage, open) => {
		try {
			return await readBackup(await open(), backup, signal);
		} catch (error) {
			if (signal.aborted) throw error;
			const nothing = { entry: null, manifest: null, checked: false, verifications: [] };
			return { storage: storage.location, problem: `cannot be looked at: ${messageOf(error)}`, ...nothing };
		}
	});
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
