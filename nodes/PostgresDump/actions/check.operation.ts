/** Postgres Dump: Check Connection. One item out, with every finding; whether all is well is in `ok`. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import {
	checkDatabase,
	checkEncryption,
	checkPlace,
	checkSpace,
	type DatabaseCheck,
	type Finding,
	summarise,
} from '../../../core/check';
import { isBackupError } from '../../../core/errors';
import type { DatabaseTarget } from '../../../core/postgres/target';
import { openNodeStorage } from '../../shared/credentials';
import { cancelSignal } from '../../shared/run';
import { readSettings, readTargets } from '../settings';

/** Asks everything that a dump needs and reports all answers; a failed check is an answer, not an error. */
export async function check(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const signal = cancelSignal(context);
	const settings = await readSettings(context, itemIndex);
	const storage = await openNodeStorage(context, itemIndex);
	try {
		const findings: Finding[] = [
			await checkEncryption(settings.encryption?.encryption ?? null, settings.encryption?.keys),
			...(await checkPlace(storage, signal)),
		];
		const databases: DatabaseCheck[] = [];
		for (const target of await targetsOrFinding(context, itemIndex, signal, findings)) {
			databases.push(await checkDatabase(target, settings.dump, signal));
		}
		const bytes = databases.reduce((sum, database) => sum + (database.databaseBytes ?? 0), 0);
		findings.push(await checkSpace(storage, bytes));
		const all = [...findings, ...databases.flatMap((database) => database.findings)];
		return [
			{
				json: {
					...summarise(all),
					storage: storage.location,
					databaseBytes: bytes,
					findings: findings.map((finding) => ({ ...finding })),
					databases: databases.map((database) => ({
						...database,
						findings: database.findings.map((finding) => ({ ...finding })),
					})),
				},
				pairedItem: { item: itemIndex },
			},
		];
	} finally {
		await storage.close();
	}
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
