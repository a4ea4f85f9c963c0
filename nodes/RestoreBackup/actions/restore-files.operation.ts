/** Restore Backup: Restore Files. One item out per item in; a restore that does not match is an error. */
import { counted } from '../../../core/base/counted';
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { BackupError } from '../../../core/base/errors';
import { sizeText } from '../../../core/base/size-text';
import { BUCKET } from '../../../core/sources/bucket/kind';
import { bucketFolderRestorer } from '../../../core/sources/bucket/restore';
import {
	filesRestorer,
	type FilesRestored,
	type FilesRestoreOptions,
} from '../../../core/sources/files/restore/restorer';
import type { RestoreResult } from '../../../core/verbs/restore/types';
import { toErrorItem } from '../../shared/errors';
import { rounded } from '../../shared/summary';
import { readFiles } from '../settings';
import { restoreChosen } from './chosen';

/** Restores files of the chosen backup, and compares them with what was backed up. */
export async function restoreFiles(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const how = await readFiles(context, itemIndex);
	const restorerOf = (kind: string) => (kind === BUCKET ? bucketFolderRestorer(how) : filesRestorer(how));
	const result = await restoreChosen(context, itemIndex, restorerOf, ({ phase, bytes, totalBytes }) => {
		return `${how.to}: ${phase}, ${sizeText(bytes)} of ${sizeText(totalBytes)}`;
	});
	for (const warning of result.warnings) {
		context.addExecutionHints({ message: `${how.to}: ${warning}`, type: 'warning', location: 'outputPane' });
	}
	const facts = toFacts(result, how);
	if (result.comparison.ok) return [{ json: facts, pairedItem: { item: itemIndex } }];
	const error = mismatch(result, how);
	if (!context.continueOnFail()) throw error;
	return [toErrorItem(error, itemIndex, facts)];
}

/** Sizes in bytes, times in seconds; `seconds` is the measured recovery time. */
function toFacts(result: RestoreResult<FilesRestored>, { to, dryRun = false }: FilesRestoreOptions): IDataObject {
	const { comparison, listed, notRestored, ...facts } = result;
	const { files = 0, folders = 0, bytes = 0 } = comparison.figures;
	const verdict = comparison.ok
		? comparison.says
		: `${counted(comparison.differences.length, 'difference')}: ${comparison.says}`;
	return {
		summary: `${to}: ${verdict}`,
		ok: comparison.ok,
		...facts,
		seconds: rounded(facts.seconds),
		restoredTo: to,
		dryRun,
		...{ files, folders, bytes },
		countsMatch: comparison.ok,
		notRestored: notRestored.map((each) => ({ ...each })),
		...(dryRun && { listed }),
		differences: comparison.differences.map((difference) => ({ ...difference })),
	};
}

function mismatch(
	{ group, label, comparison }: RestoreResult<FilesRestored>,
	{ to }: FilesRestoreOptions,
): BackupError {
	const some = comparison.differences
		.slice(0, 5)
		.map(({ item, expected, found }) => `${item}: ${found} instead of ${expected}`);
	return new BackupError(
		'different',
		`${to} is restored, but not what was backed up as ${group}/${label}: ${some.join('; ')}`,
		{
			hint: 'Find out who else writes there, and verify the backup before you use what is in the folder.',
		},
	);
}
