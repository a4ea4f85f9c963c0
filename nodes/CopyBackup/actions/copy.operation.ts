/** Copy Backup: Copy. One item out per backup and destination, with a status of its own. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { copyToAll, type CopyResult, type CopySummary } from '../../../core/verbs/copy/copy';
import { BackupError } from '../../../core/base/errors';
import { listSome } from '../../../core/records/list-some';
import { sizeText } from '../../../core/base/size-text';
import type { Storage } from '../../../core/storage/storage';
import { actorOf } from '../../shared/actor';
import { allowUnsigned, withRepository } from '../../shared/backups';
import { openNodeStorage, type StorageCredential } from '../../shared/credentials';
import { toErrorItem } from '../../shared/errors';
import { cancelSignal, progressLine } from '../../shared/run';
import { rounded } from '../../shared/summary';
import { readSettings } from '../settings';

/**
 * Copies the chosen backups to every destination. A copy that fails does not stop the others. When all failed, the item
 * fails; when some did, the run is degraded: their items say so, and so does the node.
 */
export async function copy(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const signal = cancelSignal(context);
	const { subject, destinations, allowUnsigned: isAllowed, ...settings } = readSettings(context, itemIndex);
	const show = progressLine(context);
	const { results, outcome, warnings, untouched } = await withRepository(context, itemIndex, signal, async (opened) => {
		const from = allowUnsigned(opened, isAllowed, 'missing' in subject ? null : subject);
		// To copy nothing because of a wrong name must not look like success.
		if ('missing' in subject) await listSome(from, subject.missing.groups);
		return await withStorages(context, itemIndex, destinations, async (to) => {
			const summary = await copyToAll({
				...settings,
				...subject,
				from,
				to,
				actor: actorOf(context, itemIndex),
				signal,
				onProgress: ({ group, label, phase, bytes, totalBytes }) =>
					show(() => `${group}/${label}: ${phase}, ${sizeText(bytes)} of ${sizeText(totalBytes)}`),
			});
			const touched = new Set(summary.results.map(({ destination }) => destination));
			return { ...summary, untouched: to.map(({ location }) => location).filter((location) => !touched.has(location)) };
		});
	});
	if (outcome === 'failed' && !context.continueOnFail()) throw toError(results);
	addHints(context, { results, outcome, warnings });
	const items = [
		...results.map((result) => toItem(result, outcome, context, itemIndex)),
		...untouched.map((destination) => nothingMissing(destination, outcome, itemIndex)),
	];
	// What is of no single backup is told once.
	const [first] = items;
	if (first) first.json.warnings = [...warnings, ...((first.json.warnings as string[] | undefined) ?? [])];
	return items;
}

/** Opens the storages, and closes them whatever happens. */
async function withStorages<Result>(
	context: IExecuteFunctions,
	itemIndex: number,
	credentials: readonly StorageCredential[],
	use: (storages: Storage[]) => Promise<Result>,
): Promise<Result> {
	const storages: Storage[] = [];
	try {
		for (const credential of credentials) storages.push(await openNodeStorage(context, itemIndex, credential));
		return await use(storages);
	} finally {
		for (const storage of storages) await storage.close();
	}
}

/** A copy that failed goes to the error output where there is one. Sizes in bytes, times in seconds. */
function toItem(
	result: CopyResult,
	runStatus: CopySummary['outcome'],
	context: IExecuteFunctions,
	itemIndex: number,
): INodeExecutionData {
	const { status, ...rest } = result;
	const facts: IDataObject = {
		summary: summaryOf(result),
		...{ ok: status !== 'failed', status, runStatus, ...rest },
		...{ seconds: rounded(rest.seconds), copySeconds: rounded(rest.copySeconds) },
	};
	if (status === 'failed' && context.continueOnFail()) return toErrorItem(failureOf(result), itemIndex, facts);
	return { json: facts, pairedItem: { item: itemIndex } };
}

/** A destination that had everything: an item all the same, or a workflow would end here without a word. */
function nothingMissing(destination: string, runStatus: CopySummary['outcome'], itemIndex: number): INodeExecutionData {
	const message = 'nothing was missing';
	const facts = { ok: true, status: 'present', runStatus, group: null, label: null, destination, bytes: 0, message };
	const json = { summary: `${destination}: ${message}`, ...facts };
	return { json, pairedItem: { item: itemIndex } };
}

function summaryOf({ status, group, destination, bytes, message }: CopyResult): string {
	const what = {
		copied: `${sizeText(bytes)} copied to ${destination}, and read back`,
		present: `was in ${destination} before`,
		failed: `NOT COPIED to ${destination}: ${message}`,
	};
	return `${group}: ${what[status]}`;
}

function failureOf({ code, message, hint }: CopyResult): BackupError {
	return new BackupError(code ?? 'storage-failed', message, { hint: hint ?? undefined });
}

function toError(results: readonly CopyResult[]): BackupError {
	const [first, ...more] = results.filter(({ status }) => status === 'failed');
	const { code, message, hint } = failureOf(first!);
	if (more.length === 0) return new BackupError(code, `${about(first!)}: ${message}`, { hint });
	const each = [first!, ...more.slice(0, 9)].map((result) => `${about(result)}: ${result.message}`).join('; ');
	const rest = more.length > 9 ? `; and ${more.length - 9} more` : '';
	return new BackupError(code, `none of ${more.length + 1} copies was made: ${each}${rest}`, { hint });
}

function addHints(context: IExecuteFunctions, { outcome, results, warnings: general }: CopySummary): void {
	const failed = results.filter(({ status }) => status === 'failed');
	const summary =
		outcome === 'degraded'
			? [`degraded: ${failed.length} of ${results.length} copies failed, the others are there and were read back`]
			: [];
	const failures = failed.map(
		(result) => `${about(result)}: ${result.message}${result.hint ? `. ${result.hint}` : ''}`,
	);
	const warnings = results.flatMap((result) => result.warnings.map((warning) => `${about(result)}: ${warning}`));
	for (const message of [...summary, ...failures, ...general, ...warnings]) {
		context.addExecutionHints({ message, type: 'warning', location: 'outputPane' });
	}
}

function about({ group, label, destination }: CopyResult): string {
	return `${group}/${label} to ${destination}`;
}
