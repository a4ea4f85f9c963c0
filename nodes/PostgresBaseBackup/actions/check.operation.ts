/** Base Backup of Postgres: Check. One item out, with every finding; it is an error where one of them is. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { checkCluster } from '../../../core/sources/postgres/physical/check';
import { slotName } from '../../../core/sources/postgres/physical/wal/slot-name';
import { checkEncryption, checkPlace, checkSignatures, checkSpace } from '../../../core/verbs/check/check';
import { checkResult } from '../../shared/check-result';
import { openNodeStorage } from '../../shared/credentials';
import { cancelSignal } from '../../shared/run';
import { readSettings } from '../settings';

/** Asks everything that base backups and their log need, and reports all answers at once, whatever they are. */
export async function check(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const signal = cancelSignal(context);
	const { target, groups, store } = await readSettings(context, itemIndex);
	const { encryption, authority } = store;
	const storage = await openNodeStorage(context, itemIndex);
	try {
		const slot = slotName(storage.location, groups.log);
		const server = await checkCluster(target, slot, signal);
		const findings = [
			await checkEncryption(encryption?.encryption ?? null, encryption?.keys, encryption?.hostKey),
			await checkSignatures(authority),
			...(await checkPlace(storage, signal)),
			...server.findings,
			...(server.clusterBytes === null ? [] : [await checkSpace(storage, server.clusterBytes)]),
		];
		return checkResult(context, itemIndex, findings, {
			...{ storage: storage.location, slot, clusterBytes: server.clusterBytes },
			findings: findings.map((finding) => ({ ...finding })),
		});
	} finally {
		await storage.close();
	}
}
