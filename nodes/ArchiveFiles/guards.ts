/** What n8n lets a node read, and what would make no sense to archive. */
import fs from 'node:fs';
import type { IExecuteFunctions } from 'n8n-workflow';
import { assertStorageApart } from '../../core/sources/files/apart';
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
			assertStorageApart(real, storage, exclude);
		},
	};
}
