/** Postgres Dump: Check Connection. One item out, with every finding; it is an error where one of them is. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { type Finding, summarise } from '../../../core/base/finding';
import { checkDatabase, type DatabaseCheck } from '../../../core/sources/postgres/check';
import { checkEncryption, checkPlace, checkSignatures, checkSpace } from '../../../core/verbs/check/check';
import { BackupError, isBackupError } from '../../../core/base/errors';
import type { DatabaseTarget } from '../../../core/sources/postgres/connection/target';
import { openNodeStorage } from '../../shared/credentials';
import { toErrorItem } from '../../shared/errors';
import { cancelSignal } from '../../shared/run';
import { readSettings, readTargets } from '../settings';

/** Asks everything that a dump needs, and reports all answers at once, whatever they are. */
export async function check(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const signal = cancelSignal(context);
	const settings = await readSettings(context, itemIndex);
	const { encryption, authority } = settings.store;
	const storage = await openNodeStorage(context, itemIndex);
	try {
		const findings: Finding[] = [
			await checkEncryption(encryption?.encryption ?? null, encryption?.keys, encryption?.hostKey),
			await checkSignatures(authority),
			...(await checkPlace(storage, signal)),
		];
		const databases: DatabaseCheck[] = [];
		const targets = await targetsOrFinding(context, itemIndex, signal, findings);
		settings.dump.alongside = targets.map(({ database }) => database);
		for (const target of targets) {
			databases.push(await checkDatabase(target, settings.dump, signal));
		}
		const bytes = databases.reduce((sum, database) => sum + (database.databaseBytes ?? 0), 0);
		findings.push(await checkSpace(storage, bytes));
		const all = [...findings, ...databases.flatMap((database) => database.findings)];
		const { ok, message } = summarise(all);
		const facts = {
			storage: storage.location,
			databaseBytes: bytes,
			findings: findings.map((finding) => ({ ...finding })),
			databases: databases.map((database) => ({
				...database,
				findings: database.findings.map((finding) => ({ ...finding })),
			})),
		};
		for (const { message, warning } of all) {
			if (warning) context.addExecutionHints({ message, type: 'warning', location: 'outputPane' });
		}
		if (ok || context.getNodeParameter('onFinding', itemIndex, 'fail') === 'result') {
			return [{ json: { summary: message, ok, ...facts }, pairedItem: { item: itemIndex } }];
		}
		const error = failedCheck(message, all);
		if (!context.continueOnFail()) throw error;
		return [toErrorItem(error, itemIndex, facts)];
	} finally {
		await storage.close();
	}
}

/** Says what to do about each. */
function failedCheck(message: string, findings: readonly Finding[]): BackupError {
	const failed = findings.filter(({ ok }) => !ok);
	const hints = new Set(failed.flatMap(({ hint }) => hint ?? []));
	return new BackupError(failed[0]?.code ?? 'missing-requirements', message, {
		hint: [...hints].join(' ') || undefined,
	});
}

/** Where the list of databases cannot be had, that is the finding. */
async function targetsOrFinding(
	context: IExecuteFunctions,
	itemIndex: number,
	signal: AbortSignal,
	findings: Finding[],
): Promise<DatabaseTarget[]> {
	try {
		return await readTargets(context, itemIndex, signal);
	} catch (error) {
		if (!isBackupError(error)) throw error;
		findings.push({ check: 'databases', ok: false, message: error.message, hint: error.hint, code: error.code });
		return [];
	}
}
