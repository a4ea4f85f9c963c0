/** A backup of a database as a restore needs it: its dump can be read here, and its roles are at hand. */
import type { Readable } from 'node:stream';
import { collect } from '../../../base/collect';
import { BackupError } from '../../../base/errors';
import type { OpenBackup } from '../../source';
import type { DatabaseFacts } from '../dump/contents';
import { readStart } from '../dump/custom-archive';
import { MAX_GLOBALS_BYTES } from '../dump/globals';
import { dumpOf, dumpFormatOf } from '../kind';
import type { RewriteRules } from '../replay/rewrite';
import { type Dump, PG_RESTORE } from './fill';
import { assertNativeRestore } from './native';

export interface DatabaseBackup extends Dump {
	/** The roles of its server, as SQL; null when they are not wanted. */
	globals: string | null;
}

/**
 * Reads the roles and the beginning of the dump, which proves that the key fits before anything is written.
 * @throws BackupError 'not-found' also for roles that were not saved, 'wrong-identity', 'damaged', 'engine-not-found', …
 */
export async function openDatabaseBackup(
	{ manifest, contents, open }: OpenBackup<DatabaseFacts>,
	{ rules, nativePath, globals = false }: { rules: RewriteRules; nativePath?: string; globals?: boolean },
): Promise<DatabaseBackup> {
	const dump = dumpOf(manifest);
	const openDump = async () => await open(dump);
	const start = await readStart(await openDump());
	const format = dumpFormatOf(manifest);
	if (format === 'custom') await assertNativeRestore(nativePath ?? PG_RESTORE, rules, start);
	const saved = manifest.parts.find(({ role }) => role === 'globals');
	const name = `${manifest.group}/${manifest.label}`;
	if (globals && !saved) {
		throw new BackupError('not-found', `${name} was made without the roles of its server`, {
			hint: 'Restore without them: create the roles by hand, or drop owners and privileges.',
		});
	}
	return {
		contents,
		format,
		globals: globals && saved ? await readGlobals(await open(saved), name) : null,
		originalBytes: dump.original.bytes,
		open: openDump,
	};
}

async function readGlobals(body: Readable, backup: string): Promise<string> {
	const tooLarge = () =>
		new BackupError('damaged', `the roles of ${backup} are larger than any this program writes`, {
			hint: 'Look at who else writes to this storage, or restore without the roles.',
		});
	return (await collect(body, MAX_GLOBALS_BYTES, tooLarge)).toString('utf8');
}
