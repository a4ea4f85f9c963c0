/**
 * The check that a backup of n8n is one: every credential of its database opens with the key that was archived. Without that key, each has to
 * be typed again, and nobody notices before.
 */
import path from 'node:path';
import { BackupError } from '../../base/errors';
import type { FilesContents } from '../files/contents';
import { entriesOf } from '../files/entries-of';
import { nameToText } from '../files/names';
import type { FilesCheck } from '../files/restore/restorer';
import type { DrillCheck } from '../postgres/drill/drill';
import type { AssertionResult, OpenBackup } from '../source';
import type { Opened } from './credentials';
import { openInPostgres } from './in-postgres';
import { openInSqlite } from './in-sqlite';
import { type FoundKey, keyFrom } from './key';
import { findN8nTables } from './tables';

export interface N8nCheckOptions {
	/** The group with the archive of n8n's folder. */
	group: string;
	/** The file in it that has the key; n8n's own settings file when absent. */
	keyFile?: string;
	/**
	 * Opens the backup of that group which belongs to another backup.
	 * @param of the other one
	 */
	withArchive: <T>(
		of: { group: string; label: string },
		work: (archive: OpenBackup, signal: AbortSignal) => Promise<T>,
	) => Promise<T>;
}

/** One check for each kind of backup that can hold a database of n8n. */
export interface N8nChecks {
	database: DrillCheck;
	files: FilesCheck;
	/** How many backups it was about so far. */
	readonly done: number;
}

/** Makes the checks. */
export function n8nChecks(options: N8nCheckOptions): N8nChecks {
	const { group, keyFile: file, withArchive } = options;
	const checks = { done: 0, database, files };

	async function database({ manifest, contents }: Parameters<DrillCheck>[0]): ReturnType<DrillCheck> {
		const [tables, ...others] = findN8nTables(contents.tables);
		if (!tables) return null;
		if (others.length > 0) throw several(manifest);
		checks.done++;
		const found = await withArchive(manifest, async (archive, signal) => ({
			...{ name: `${archive.manifest.group}/${archive.manifest.label}` },
			key: await keyFrom(archive, { file, signal }),
		}));
		return async (query) => verdict(found.key, await openInPostgres(query, tables, keyOf(found.key)), found.name);
	}

	async function files(
		backup: OpenBackup<FilesContents>,
		{ signal }: Parameters<FilesCheck>[1],
	): ReturnType<FilesCheck> {
		const { manifest } = backup;
		if (manifest.group !== group) return null;
		const databases = await sqliteDatabases(backup, signal);
		if (databases.length === 0) return null;
		if (databases.length > 1) throw several(manifest);
		checks.done++;
		const key = await keyFrom(backup, { file, signal });
		return async (folder) => {
			const opened = await openInSqlite({ file: path.join(folder, databases[0]!), key: keyOf(key) }, signal);
			return verdict(key, opened ?? NOTHING, `${manifest.group}/${manifest.label}`);
		};
	}

	return checks;
}

/** Unless DB_SQLITE_DATABASE says otherwise. */
const USUAL_NAME = 'database.sqlite';
const NOTHING: Opened = { credentials: 0, openCredentials: 0, keys: 0, openKeys: 0 };

const keyOf = (found: FoundKey) => ('key' in found ? found.key : null);

/**
 * Paths of the SQLite databases of n8n in an archive, by the tables that were counted when it was made. Copies that somebody made of one have other
 * names than it.
 */
async function sqliteDatabases(backup: OpenBackup<FilesContents>, signal: AbortSignal): Promise<string[]> {
	const found: string[] = [];
	for await (const { path: each, type, sqlite } of entriesOf(backup, signal)) {
		const rows: unknown = sqlite?.rows;
		if (type !== 'file' || typeof rows !== 'object' || rows === null) continue;
		const tables = Object.keys(rows).map((name) => ({ schema: '', name }));
		const name = nameToText(each);
		if (name !== null && findN8nTables(tables).length > 0) found.push(name);
	}
	const usual = found.filter((name) => path.basename(name) === USUAL_NAME);
	return usual.length > 0 ? usual : found;
}

/** @param archive where the key comes from, for people */
function verdict(found: FoundKey, opened: Opened, archive: string): AssertionResult {
	const { credentials, openCredentials, keys, openKeys } = opened;
	const says = `${openCredentials} of ${credentials} credentials of n8n open`;
	const all = openCredentials === credentials && openKeys === keys;
	const ok = 'key' in found && all;
	const common = {
		...{ name: 'n8n’s credentials', says },
		figures: { credentials, openCredentials },
	};
	if (ok) return { ...common, ok, message: null };
	const ofKeys = openKeys < keys ? `, and ${openKeys} of ${keys} of n8n’s own keys` : '';
	const why = 'key' in found ? `with the key in ${archive}${ofKeys}` : `: ${found.missing}`;
	return {
		...{ ...common, ok: false, message: `${says}${'key' in found ? ' ' : ''}${why}` },
		hint: 'Restored like this, n8n would ask for every credential again. Archive the folder .n8n of the very n8n that uses this database: its file "config" has the key.',
	};
}

/** What to say where all went well, and no backup was one of n8n's database. */
export function nothingToOpen({ group }: Pick<N8nCheckOptions, 'group'>): BackupError {
	return new BackupError('invalid-input', 'none of these backups holds a database of n8n, so no credential was tried', {
		hint: `Verify the group of n8n’s PostgreSQL database, or ${group} where n8n uses SQLite.`,
	});
}

function several({ group, label }: { group: string; label: string }): BackupError {
	return new BackupError('unsupported', `${group}/${label} holds the databases of several n8ns`, {
		hint: 'Back up each by itself: each has a key of its own. Exclude copies of databases.',
	});
}
