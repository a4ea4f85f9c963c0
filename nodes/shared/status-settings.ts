/** The node's fields as the engine takes them. */
import type { IExecuteFunctions } from 'n8n-workflow';
import { BackupError } from '../../core/base/errors';
import { Repository } from '../../core/records/repository';
import type { StorageFacts } from '../../core/report/status/facts';
import { readStorage, unreachable } from '../../core/report/status/read';
import { type Expectation, judge, type Status, type StatusRequest } from '../../core/report/status/status';
import type { RetentionPolicy } from '../../core/retention/policy';
import type { Storage } from '../../core/storage/storage';
import { openNodeStorage, type StorageCredential, toAuthority } from './credentials';
import { matchesGroup } from './group-patterns';
import { readPolicy } from './policy';
import { cancelSignal, splitList } from './run';
import { linesOf, notNegative, positive, unknownOption } from './values';

const CREDENTIALS: Record<string, StorageCredential[]> = {
	first: ['backupStorageApi'],
	second: ['backupStorageApi', 'backupStorageSecondApi'],
	third: ['backupStorageApi', 'backupStorageSecondApi', 'backupStorageThirdApi'],
};

/** Fields of the node's "Options" collection; each is absent until the user adds it. */
interface OptionFields {
	capacity?: number;
	rpo?: number;
	rto?: number;
}

/** Whether a group is one of those that the node is about. */
export function readGroups(context: IExecuteFunctions, itemIndex: number): (group: string) => boolean {
	const patterns = splitList(context.getNodeParameter('groups', itemIndex, ''));
	return (group) => patterns.length === 0 || matchesGroup(group, patterns);
}

/** Runs something on each storage that the node looks in, with its repository. */
export async function withStorages<T>(
	context: IExecuteFunctions,
	itemIndex: number,
	use: (storage: Storage, open: () => Promise<Repository>) => Promise<T>,
): Promise<T[]> {
	const chosen = context.getNodeParameter('storages', itemIndex) as string;
	const credentials = CREDENTIALS[chosen];
	if (!credentials) throw unknownOption('Look In', chosen);
	const signal = cancelSignal(context);
	const results: T[] = [];
	for (const credential of credentials) {
		const storage = await openNodeStorage(context, itemIndex, credential);
		try {
			const authority = toAuthority(await context.getCredentials(credential, itemIndex));
			results.push(await use(storage, async () => await Repository.open(storage, { signal, authority })));
		} finally {
			await storage.close();
		}
	}
	return results;
}

/** The status that the fields ask for. A storage that cannot be looked at is part of it, and no error. */
export async function readStatus(context: IExecuteFunctions, itemIndex: number): Promise<Status> {
	const now = new Date();
	const signal = cancelSignal(context);
	const isWanted = readGroups(context, itemIndex);
	const request = readRequest(context, itemIndex, now);
	const facts = await withStorages(context, itemIndex, async (storage, open): Promise<StorageFacts> => {
		try {
			return await readStorage(await open(), { now, signal, isWanted });
		} catch (error) {
			if (signal.aborted) throw error;
			return unreachable(storage.location, error, now);
		}
	});
	return judge(facts, request);
}

function readRequest(context: IExecuteFunctions, itemIndex: number, now: Date): StatusRequest {
	const options = context.getNodeParameter('options', itemIndex, {}) as OptionFields;
	const amount = (field: string, value = 0, unit: number) => notNegative(field, value) * unit || null;
	return {
		now,
		timeZone: context.getTimezone(),
		expectations: linesOf(context.getNodeParameter('expected', itemIndex, '')).map(readExpectation),
		policies: linesOf(context.getNodeParameter('retention', itemIndex, '')).map(readGroupPolicy),
		capacities: [amount('Capacity', options.capacity, 1e9)],
		targets: {
			rpoMs: amount('Most Data Lost', options.rpo, 3_600_000),
			rtoMs: amount('Longest Restore', options.rto, 60_000),
		},
	};
}

function readExpectation(line: string): Expectation {
	const [group = '', hours] = line.split('=').map((part) => part.trim());
	return { group, everyHours: hours === undefined ? null : positive(`Expected, ${group}`, Number(hours)) };
}

function readGroupPolicy(line: string): { group: string; policy: RetentionPolicy } {
	const at = line.indexOf('=');
	if (at > 0) return { group: line.slice(0, at).trim(), policy: readPolicy('Retention', line.slice(at + 1).trim()) };
	throw new BackupError('invalid-input', `"Retention" has a line without a policy: ${line}`, {
		hint: 'Write a group or a pattern, an equals sign and a policy, e.g. postgres/* = thirtyDays.',
	});
}
