/** What n8n lets a node read, and what would make no sense to archive. */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { IExecuteFunctions } from 'n8n-workflow';
import { BackupError } from '../../core/base/errors';
import { excluder } from '../../core/sources/files/archive/excludes';
import type { Storage } from '../../core/storage/storage';
import { assertAllowed, assertHoldsNothingOfN8n } from '../shared/allowed-folder';

/** Questions that throw BackupError 'access-denied' or 'invalid-input' as their answer. */
export interface Guards {
	/** Before the names in a folder are read. */
	mayList: (folder: string) => void;
	/** @param given as the user wrote it @param real without links */
	mayArchive: (given: string, real: string) => void;
}

/** @param exclude patterns of what is left out */
export function guards(context: IExecuteFunctions, storage: Storage, exclude: readonly string[]): Guards {
	const isBlocked = (resolved: string) =>
		context.helpers.isFilePathBlocked(resolved as Awaited<ReturnType<typeof context.helpers.resolvePath>>);
	return {
		mayList: (folder) => assertAllowed(folder, fs.realpathSync(folder), isBlocked),
		mayArchive(given, real) {
			assertAllowed(given, real, isBlocked);
			assertHoldsNothingOfN8n(real);
			assertStorageIsElsewhere(real, storage, exclude);
		},
	};
}

/** Backups in what is backed up would be stored again and again. */
function assertStorageIsElsewhere(real: string, { location }: Storage, exclude: readonly string[]): void {
	if (!location.startsWith('file:')) return;
	const folder = fs.realpathSync(fileURLToPath(location));
	const below = path.relative(real, folder);
	if (below.startsWith('..') || (below !== '' && excluder(exclude)(below, true))) return;
	throw new BackupError('invalid-input', `the storage ${folder} lies in ${real}, which is archived`, {
		hint: `Keep backups elsewhere${below === '' ? '' : `, or exclude them with the line /${below}/`}: each would hold all that were made before it.`,
	});
}
