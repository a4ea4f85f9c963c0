/** The node's fields as the engine takes them. */
import type { IExecuteFunctions } from 'n8n-workflow';
import { type BackupType, toSegment } from '../../core/records/label';
import { findFolders } from '../../core/sources/files/folders';
import type { FilesOptions } from '../../core/sources/files/source';
import { n8nMustEncrypt } from '../../core/sources/n8n/user-folder';
import type { Storage } from '../../core/storage/storage';
import type { AutoType } from '../../core/verbs/backup/base';
import { readChainType } from '../shared/chain';
import { readStoreSettings, type StoreFields, type StoreSettings } from '../shared/store-settings';
import { filled, linesOf, notNegative, textOf, unknownOption, wholeNumber } from '../shared/values';
import { guards } from './guards';
import { inUserFolder, ownAddition } from './own-n8n';
import { isAnonymousVolume } from './presets';

/** Fields of the node's "Options" collection; each is absent until the user adds it. */
interface OptionFields extends StoreFields {
	caches?: boolean;
	compareContents?: boolean;
	maxFileSize?: number;
	maxLost?: number;
	oneFileSystem?: boolean;
	sqlite?: boolean;
}

/** What goes into one backup. */
export interface Tree {
	/** For people, e.g. the customer. */
	name: string;
	group: string;
	paths: string[];
}

export interface ArchiveSettings {
	trees: Tree[];
	files: Omit<FilesOptions, 'paths'>;
	type: BackupType | AutoType;
	store: StoreSettings;
}

/**
 * @param storage where the backups go
 * @throws BackupError 'invalid-input', 'access-denied', 'source-missing'
 */
export async function readSettings(
	context: IExecuteFunctions,
	itemIndex: number,
	storage: Storage,
): Promise<ArchiveSettings> {
	const options = context.getNodeParameter('options', itemIndex, {}) as OptionFields;
	const maxFileSize = notNegative('Maximum File Size', options.maxFileSize ?? 0);
	const exclude = linesOf(context.getNodeParameter('exclude', itemIndex, ''));
	const { mayList, mayArchive } = guards(context, storage, exclude);
	const trees = readTrees(context, itemIndex, mayList);
	const isN8n = context.getNodeParameter('preset', itemIndex) === 'n8n';
	return {
		trees,
		files: {
			exclude,
			maxFileBytes: maxFileSize === 0 ? null : maxFileSize * 1_000_000,
			oneFileSystem: options.oneFileSystem === true,
			skipTagged: options.caches !== true,
			compareContents: options.compareContents === true,
			sqlite: options.sqlite !== false,
			maxLostPercent: wholeNumber('Warn When Lost', options.maxLost ?? 50, 0, 100),
			assertAllowed: mayArchive,
			mustEncrypt: n8nMustEncrypt,
			...(isN8n && { addition: ownAddition(trees.flatMap(({ paths }) => paths)) }),
		},
		type: readChainType(context, itemIndex),
		store: await readStoreSettings(context, itemIndex, options),
	};
}

function readTrees(context: IExecuteFunctions, itemIndex: number, mayList: (folder: string) => void): Tree[] {
	const preset = context.getNodeParameter('preset', itemIndex);
	const lines = linesOf(context.getNodeParameter('paths', itemIndex));
	const paths = preset === 'n8n' ? lines.map(inUserFolder) : lines;
	filled('Paths', paths.join(''));
	const prefix = filled('Group Prefix', textOf(context.getNodeParameter('groupPrefix', itemIndex)));
	const choose = context.getNodeParameter('choose', itemIndex);
	if (choose === 'together') {
		const name = filled('Name', textOf(context.getNodeParameter('name', itemIndex)));
		return [{ name, group: `${prefix}/${toSegment(name)}`, paths }];
	}
	if (choose !== 'each') throw unknownOption('Make', choose);
	return findFolders(paths, {
		assertAllowed: mayList,
		isWanted: (name) => !(preset === 'volumes' && isAnonymousVolume(name)),
	}).map(({ name, path }) => ({ name, group: [prefix, ...name.split('/').map(toSegment)].join('/'), paths: [path] }));
}
