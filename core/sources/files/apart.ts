/** Backups and what is backed up must not lie in each other. */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { BackupError } from '../../base/errors';
import type { Storage } from '../../storage/storage';
import { excluder } from './archive/excludes';
import { fromText } from './names';

/**
 * Backups in what is backed up would be stored again and again, each with all that were made before it.
 * @param real of what is archived, without links
 * @param exclude patterns of what is left out
 * @throws BackupError 'invalid-input' where the storage is a folder in it that is not left out
 */
export function assertStorageApart(real: string, { location }: Storage, exclude: readonly string[]): void {
	if (!location.startsWith('file:')) return;
	const given = fileURLToPath(location);
	// Where it is missing, the backup fails with the reason.
	const folder = fs.existsSync(given) ? fs.realpathSync(given) : given;
	const below = path.relative(real, folder);
	if (below === '..' || below.startsWith('../')) return;
	if (below !== '' && excluder(exclude)(fromText(below), true)) return;
	const orExclude = below === '' ? '' : `, or exclude them with the line /${below}/`;
	throw new BackupError('invalid-input', `the storage ${folder} lies in ${real}, which is archived`, {
		hint: `Keep backups elsewhere${orExclude}: each would hold all that were made before it.`,
	});
}
