/** The node's fields as the engine takes them. */
import type { IExecuteFunctions } from 'n8n-workflow';
import { BackupError } from '../../core/base/errors';
import type { ConfigOptions } from '../../core/sources/config/source';
import { assertStorageApart } from '../../core/sources/files/apart';
import type { Storage } from '../../core/storage/storage';
import { assertAllowed } from '../shared/allowed-folder';
import { readStoreSettings, type StoreFields, type StoreSettings } from '../shared/store-settings';
import { filled, linesOf, textOf, unknownOption, wholeNumber } from '../shared/values';

/** Fields of the node's "Options" collection; each is absent until the user adds it. */
interface OptionFields extends StoreFields {
	exclude?: string;
	certificateDays?: number;
}

/** What is searched, and what n8n lets the node read of it. */
export type SearchSettings = Required<Pick<ConfigOptions, 'search' | 'exclude' | 'assertAllowed' | 'isBlocked'>>;

export interface ArchiveSettings {
	group: string;
	config: ConfigOptions;
	store: StoreSettings;
}

/** @throws BackupError 'invalid-input' */
export function readSearch(context: IExecuteFunctions, itemIndex: number, exclude: unknown): SearchSettings {
	const isBlocked = (resolved: string) =>
		context.helpers.isFilePathBlocked(resolved as Awaited<ReturnType<typeof context.helpers.resolvePath>>);
	return {
		search: linesOf(context.getNodeParameter('search', itemIndex)),
		exclude: linesOf(exclude ?? ''),
		assertAllowed: (given, real) => assertAllowed(given, real, isBlocked),
		isBlocked,
	};
}

/**
 * @param storage where the backups go
 * @throws BackupError 'invalid-input'
 */
export async function readSettings(
	context: IExecuteFunctions,
	itemIndex: number,
	storage: Storage,
): Promise<ArchiveSettings> {
	const options = context.getNodeParameter('options', itemIndex, {}) as OptionFields;
	const { certificateDays = 21 } = options;
	const search = readSearch(context, itemIndex, options.exclude);
	const store = await readStoreSettings(context, itemIndex, options);
	const { hostKey, keys } = store.encryption ?? {};
	return {
		group: filled('Group', textOf(context.getNodeParameter('group', itemIndex))),
		config: {
			...search,
			paths: linesOf(context.getNodeParameter('paths', itemIndex)),
			only: readTake(context, itemIndex),
			assertApart: (real) => assertStorageApart(real, storage, search.exclude),
			secrets: readSecrets(context, itemIndex),
			digestSecret: hostKey ?? keys?.identities?.[0] ?? keys?.passphrase,
			certificateDays: wholeNumber('Warn Before Certificates Expire', certificateDays, 0, 365),
		},
		store,
	};
}

function readSecrets(context: IExecuteFunctions, itemIndex: number): ConfigOptions['secrets'] {
	const secrets = context.getNodeParameter('secrets', itemIndex);
	if (secrets === 'kept' || secrets === 'removed') return secrets;
	throw unknownOption('Secrets', secrets);
}

/** The files that the input names; undefined for all that are found. */
function readTake(context: IExecuteFunctions, itemIndex: number): ReadonlySet<string> | undefined {
	const take = context.getNodeParameter('take', itemIndex);
	if (take === 'all') return undefined;
	if (take !== 'items') throw unknownOption('Take', take);
	const paths = context.getInputData().map(({ json }) => json.path);
	const named = paths.filter((path) => typeof path === 'string');
	if (named.length > 0) return new Set(named);
	throw new BackupError('invalid-input', 'no input item names a file', {
		hint: 'Connect items of the operation Discover, which have a field "path", or take everything that is found.',
	});
}
