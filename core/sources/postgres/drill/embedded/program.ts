/** Where PGlite's files are. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { BackupError } from '../../../../base/errors';

/**
 * The folder of PGlite's main module. Its package exports no paths to all of its files; they lie beside that module.
 * @throws BackupError 'engine-not-found'
 */
export async function findProgram(): Promise<string> {
	try {
		return await fs.realpath(path.dirname(require.resolve('@electric-sql/pglite')));
	} catch (cause) {
		throw new BackupError('engine-not-found', 'the embedded database is missing', {
			hint: 'Install the package n8n-nodes-backup again: its dependency @electric-sql/pglite is missing.',
			cause,
		});
	}
}
