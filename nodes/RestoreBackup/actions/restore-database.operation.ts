/** Restore Backup: Restore Database. One item out per item in; a restore that does not match is an error. */
import { counted } from '../../../core/base/counted';
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { BackupError } from '../../../core/base/errors';
import { describeTarget } from '../../../core/sources/postgres/connection/target';
import { postgresRestorer, type RestoredDatabase } from '../../../core/sources/postgres/restore/restorer';
import { type RestoreResult } from '../../../core/verbs/restore/types';
import { sizeText } from '../../../core/base/size-text';
import { toErrorItem } from '../../shared/errors';
import { comparisonText, rounded } from '../../shared/summary';
import { readDatabase } from '../settings';
import { restoreChosen } from './chosen';

/** Restores the chosen backup and compares the result with what was backed up. */
export async function restoreDatabase(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const how = await readDatabase(context, itemIndex);
	const { into, server } = how;
	// Only who runs n8n may name a program to run, not who edits a workflow.
	const restorer = postgresRestorer({ ...how, nativePath: process.env.N8N_BACKUP_PG_RESTORE });
	const result = await restoreChosen(
		context,
		itemIndex,
		() => restorer,
		({ phase, bytes, totalBytes, figures }) => {
			return `${into.database}: ${phase}, ${sizeText(bytes)} of ${sizeText(totalBytes)}, ${figures?.rows ?? 0} rows`;
		},
	);
	const facts = toFacts(result, describeTarget({ ...server, database: result.database }));
	for (const warning of result.warnings) {
		context.addExecutionHints({ message: `${result.database}: ${warning}`, type: 'warning', location: 'outputPane' });
	}
	if (result.comparison.ok) return [{ json: facts, pairedItem: { item: itemIndex } }];
	const error = mismatch(result);
	if (!context.continueOnFail()) throw error;
	return [toErrorItem(error, itemIndex, facts)];
}

/** Sizes in bytes, times in seconds; `seconds` is the measured recovery time. */
function toFacts(result: RestoreResult<RestoredDatabase>, restoredTo: string): IDataObject {
	const { comparison, ...facts } = result;
	const { database, group, originalBytes } = facts;
	const verdict = comparison.ok ? 'compared:' : `${counted(comparison.differences.length, 'difference')} in`;
	return {
		summary: `${database}: ${sizeText(originalBytes)} of ${group} restored, ${verdict} ${comparisonText(comparison)}`,
		ok: comparison.ok,
		...facts,
		seconds: rounded(facts.seconds),
		restoredTo,
		bytesPerSecond: Math.round(facts.originalBytes / Math.max(facts.seconds, 0.001)),
		countsMatch: comparison.ok,
		tablesCompared: comparison.figures.tables,
		rowsCompared: comparison.figures.rows,
		tablesHashed: comparison.figures.hashed,
		largeObjects: comparison.figures.largeObjects ?? null,
		differences: comparison.differences.map((difference) => ({ ...difference })),
	};
}

function mismatch({
	group,
	label,
	database,
	mode,
	comparison,
	warnings,
}: RestoreResult<RestoredDatabase>): BackupError {
	const { differences } = comparison;
	const some = differences.slice(0, 5).map(({ item, expected, found }) => `${item}: ${found} instead of ${expected}`);
	const more = differences.length > some.length ? ` and ${differences.length - some.length} more` : '';
	return new BackupError(
		'different',
		`${database} is restored, but not what was backed up as ${group}/${label}: ${some.join('; ')}${more}`,
		{
			hint:
				mode === 'replace'
					? `The database that was there is untouched. ${warnings.map(toSentence).join(' ')}`.trim()
					: 'Do not use this database before you know why. Verify the backup, or restore another one.',
		},
	);
}

function toSentence(text: string): string {
	return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
