/** What the n8n that runs this node knows of itself, for a backup of it. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { ArchiveAddition } from '../../core/sources/files/source';

/** The folder in which n8n keeps `.n8n`. */
const userFolder = () => process.env.N8N_USER_FOLDER || os.homedir();

/** A path with "~" at its beginning, as n8n itself would read it. */
export function inUserFolder(given: string): string {
	return given.replace(/^~(?=\/|$)/, userFolder);
}

/**
 * n8n's version, and a warning for what it keeps elsewhere. The manifest is in the clear, so settings are named and no folders.
 * @param paths what is archived
 */
export function ownAddition(paths: readonly string[]): Pick<ArchiveAddition, 'details' | 'warnings'> {
	const isArchived = (place: string) => paths.some((each) => `${realOf(place)}/`.startsWith(`${realOf(each)}/`));
	const missing = ownPlaces().filter(({ place }) => !isArchived(place));
	return {
		details: { n8nVersion: version() },
		warnings: [...new Set(missing.map(({ what }) => what))].map((what) => `not among the paths: ${what}`),
	};
}

/** What n8n may keep outside of its folder. */
function ownPlaces(): Array<{ what: string; place: string }> {
	const { env } = process;
	const isSqlite = (env.DB_TYPE || 'sqlite') === 'sqlite';
	const database = path.resolve(userFolder(), '.n8n', env.DB_SQLITE_DATABASE || 'database.sqlite');
	const binaryData = env.N8N_STORAGE_PATH || env.N8N_BINARY_DATA_STORAGE_PATH;
	const extensions = (env.N8N_CUSTOM_EXTENSIONS ?? '').split(';').filter((each) => each !== '');
	return [
		...(isSqlite ? [{ what: 'n8n’s SQLite database (DB_SQLITE_DATABASE)', place: database }] : []),
		...(binaryData ? [{ what: 'n8n’s binary data (N8N_STORAGE_PATH)', place: binaryData }] : []),
		...extensions.map((place) => ({ what: 'n8n’s own nodes (N8N_CUSTOM_EXTENSIONS)', place })),
	];
}

function realOf(place: string): string {
	return fs.existsSync(place) ? fs.realpathSync(place) : path.resolve(place);
}

/** Of the program that runs; null where it is none of n8n's. */
function version(): string | null {
	const program = process.argv[1];
	if (program === undefined) return null;
	const file = path.join(path.dirname(realOf(program)), '..', 'package.json');
	if (!fs.existsSync(file)) return null;
	const { name, version: found } = JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, unknown>;
	return name === 'n8n' && typeof found === 'string' ? found : null;
}
