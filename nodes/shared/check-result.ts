/** What a check of everything that a backup needs gives: one item with all findings, which is an error where one of them is. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { BackupError } from '../../core/base/errors';
import { type Finding, summarise } from '../../core/base/finding';
import { toErrorItem } from './errors';

/**
 * The item of a check.
 * @param all every finding, also those of single databases
 * @param facts of the item, with the findings where they belong
 * @throws BackupError of the first finding that is one, unless the field "If a Check Fails" wants it as a result
 */
export function checkResult(
	context: IExecuteFunctions,
	itemIndex: number,
	all: Finding[],
	facts: IDataObject,
): INodeExecutionData[] {
	const { ok, message } = summarise(all);
	for (const { message: found, warning } of all) {
		if (warning) context.addExecutionHints({ message: found, type: 'warning', location: 'outputPane' });
	}
	if (ok || context.getNodeParameter('onFinding', itemIndex, 'fail') === 'result') {
		return [{ json: { summary: message, ok, ...facts }, pairedItem: { item: itemIndex } }];
	}
	const error = failedCheck(message, all);
	if (!context.continueOnFail()) throw error;
	return [toErrorItem(error, itemIndex, facts)];
}

/** Says what to do about each. */
function failedCheck(message: string, findings: readonly Finding[]): BackupError {
	const failed = findings.filter(({ ok }) => !ok);
	const hints = new Set(failed.flatMap(({ hint }) => hint ?? []));
	return new BackupError(failed[0]?.code ?? 'missing-requirements', message, {
		hint: [...hints].join(' ') || undefined,
	});
}
