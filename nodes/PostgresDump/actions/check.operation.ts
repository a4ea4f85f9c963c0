/** Postgres Dump: Check Connection. One item out, with every finding; it is an error where one of them is. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import type { Finding } from '../../../core/base/finding';
import { checkDatabase, type DatabaseCheck } from '../../../core/sources/postgres/check';
import { checkEncryption, checkPlace, checkSignatures, checkSpace } from '../../../core/verbs/check/check';
import { isBackupError } from '../../../core/base/errors';
import type { DatabaseTarget } from '../../../core/sources/postgres/connection/target';
import { checkResult } from '../../shared/check-result';
import { openNodeStorage } from '../../shared/credentials';
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
		const { targets, failure } = await targetsOrFinding(context, itemIndex, signal);
		if (failure) findings.push(failure);
		settings.dump.alongside = targets.map(({ database }) => database);
		for (const target of targets) {
			databases.push(await checkDatabase(target, settings.dump, signal));
		}
		const bytes = databases.reduce((sum, database) => sum + (database.databaseBytes ?? 0), 0);
		findings.push(await checkSpace(storage, bytes));
		const all = [...findings, ...databases.flatMap((database) => database.findings)];
		return checkResult(context, itemIndex, all, {
			storage: storage.location,
			databaseBytes: bytes,
			findings: findings.map((finding) => ({ ...finding })),
			databases: databases.map((database) => ({
				...database,
				findings: database.findings.map((finding) => ({ ...finding })),
			})),
		});
	} finally {
		await storage.close();
	}
}

/** Where the list of databases cannot be had, that is the finding. */
async function targetsOrFinding(
	context: IExecuteFunctions,
	itemIndex: number,
	signal: AbortSignal,
): Promise<{ targets: DatabaseTarget[]; failure?: Finding }> {
	try {
		return { targets: await readTargets(context, itemIndex, signal) };
	} catch (error) {
		if (!isBackupError(error)) throw error;
		const { message, hint, code } = error;
		return { targets: [], failure: { check: 'databases', ok: false, message, hint, code } };
	}
}
