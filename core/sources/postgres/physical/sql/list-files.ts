/**
 * Which files of a running server belong to a base backup: those that the server itself would take (`basebackup.c`), and what links of its folder
 * lead to, which the server leaves out: SQL cannot tell a link.
 */
import type { Client } from 'pg';
import { BackupError } from '../../../../base/errors';
import { MAX_LIST_BYTES, tooManyFiles } from '../base/file-list';

/** A file or folder of the server. */
export interface ServerFile {
	/** Below the server's folder; of a tablespace, `pg_tblspc/<oid>/…`. */
	path: string;
	isFolder: boolean;
	/** Bytes, when it was listed. */
	size: number;
	/** When it was changed, seconds since 1970. */
	mtime: number;
}

/** What is in them is made anew when a server starts, or belongs to the one that runs. */
const EMPTY_FOLDERS = new Set(
	'pg_wal pg_replslot pg_dynshmem pg_notify pg_serial pg_snapshots pg_stat_tmp pg_subtrans'.split(' '),
);
/** Of the server that runs, or written by the backup itself. */
const LEFT_OUT =
	/^(?:postmaster\.(?:pid|opts)|backup_label|tablespace_map|backup_manifest|postgresql\.auto\.conf\.tmp|current_logfiles\.tmp|lost\+found)$|(?:^|\/)(?:pgsql_tmp[^/]*|pg_internal\.init[^/]*|\.DS_Store|\.s\.PGSQL\.[^/]*)$/;
/** Where tables and indexes lie. */
const RELATIONS = /^(?:global|base\/\d+|pg_tblspc\/\d+\/PG_[^/]+\/\d+)\/([^/]+)$/;
const TEMPORARY = /^t\d+_\d+(?:_[a-z]+)?(?:\.\d+)?$/;
const INIT = /^(\d+)_init$/;
const FORK = /^(\d+)(?:_(?:fsm|vm))?(?:\.\d+)?$/;
/** What a server has in its own folder; `log` and `pg_log` are where it is told to write. */
const OWN_FOLDERS = new Set(
	`base global log pg_commit_ts pg_dynshmem pg_log pg_logical pg_multixact pg_notify pg_replslot pg_serial pg_snapshots pg_stat pg_stat_tmp
	pg_subtrans pg_tblspc pg_twophase pg_wal pg_xact`.split(/\s+/),
);
/** Stands where bytes of a name are no UTF-8: by such a name, nothing can be asked for. */
const NO_LETTER = '\ufffd';
/** No server has folders within folders like that: a link leads back to where it lies. */
const MAX_DEPTH = 12;
/** What the list has of a file besides its path, at least. */
const LINE_BYTES = 140;
/** More of them never fit into the list. */
const MAX_FILES = Math.ceil(MAX_LIST_BYTES / LINE_BYTES);

/** What is to be read. */
export interface FoundFiles {
	/** Folders before what is in them. */
	files: ServerFile[];
	/** What is left out though the server would take it, or may be there though it would not. */
	warnings: string[];
}

/**
 * Lists them.
 * @param tablespaces those that belong to the backup, by number
 * @param versionFolder how this server calls its folder in a tablespace, where other servers may have theirs
 * @throws what `pg` throws; BackupError 'unsupported' where there is no end of them, or more than their list may have
 */
export async function listFiles(
	client: Client,
	tablespaces: readonly number[],
	versionFolder: string,
): Promise<FoundFiles> {
	const unreadable: string[] = [];
	const found: ServerFile[] = [];
	const folders = [''];
	let listBytes = 0;
	for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
		const entries = await listFolder(client, folder);
		const unlogged = new Set(entries.flatMap(({ name }) => INIT.exec(name)?.[1] ?? []));
		for (const { name, ...entry } of entries) {
			const path = folder === '' ? name : `${folder}/${name}`;
			if (LEFT_OUT.test(path) || (RELATIONS.test(path) && isOfNoUse(name, unlogged))) continue;
			if (name.includes(NO_LETTER)) unreadable.push(path);
			else if (!entry.isFolder) {
				found.push({ path, ...entry });
				listBytes += path.length + LINE_BYTES;
			} else if (folder === 'pg_tblspc') {
				const number = Number(name);
				if (tablespaces.includes(number)) folders.push(path);
			} else if (!/^pg_tblspc\/\d+$/.test(folder) || name === versionFolder) {
				found.push({ path, ...entry });
				if (!EMPTY_FOLDERS.has(path)) folders.push(path);
			}
		}
		if (folder.split('/').length > MAX_DEPTH) throw endless(folder);
		if (entries.length > MAX_FILES || listBytes > MAX_LIST_BYTES) throw tooManyFiles();
	}
	return { files: found, warnings: warningsOf(found, unreadable) };
}

function warningsOf(files: readonly ServerFile[], unreadable: readonly string[]): string[] {
	const strange = files.filter(({ path, isFolder }) => isFolder && !path.includes('/') && !OWN_FOLDERS.has(path));
	return [
		...(strange.length === 0
			? []
			: [
					`${some(strange.map(({ path }) => path))} in the server’s folder was backed up: where it is a link, what it leads to as well, since over plain SQL nobody can tell`,
				]),
		...(unreadable.length === 0
			? []
			: [`${some(unreadable)} is not in the backup: a name that is not UTF-8 cannot be asked for over plain SQL`]),
	];
}

function some(paths: readonly string[]): string {
	const more = paths.length > NAMED ? ` and ${paths.length - NAMED} more` : '';
	return `${paths.slice(0, NAMED).join(', ')}${more}`;
}

const NAMED = 5;

/** Of a temporary table, or of an unlogged one, which comes back empty: its first file alone stays. */
function isOfNoUse(name: string, unlogged: ReadonlySet<string>): boolean {
	return TEMPORARY.test(name) || unlogged.has(FORK.exec(name)?.[1] ?? '');
}

interface Entry extends Omit<ServerFile, 'path'> {
	name: string;
}

/** So many at once: `pg` keeps an answer in memory as a whole. */
const ENTRIES_AT_ONCE = 100_000;

/** What lies in one folder; what went while we asked is left out. */
async function listFolder(client: Client, folder: string): Promise<Entry[]> {
	const entries: Entry[] = [];
	for (let last = ''; ; ) {
		const { rows } = await client.query<{ name: string; folder: boolean | null; size: string; mtime: string }>(
			`SELECT name, stat.isdir AS folder, stat.size, extract(epoch FROM stat.modification)::bigint AS mtime
			FROM (SELECT name FROM pg_catalog.pg_ls_dir($1, true, false) AS name
				WHERE name COLLATE "C" > $3 ORDER BY name COLLATE "C" LIMIT ${ENTRIES_AT_ONCE}) AS listed,
				pg_catalog.pg_stat_file($2 || name, true) AS stat ORDER BY name COLLATE "C"`,
			[...(folder === '' ? ['.', ''] : [folder, `${folder}/`]), last],
		);
		for (const { name, folder: isFolder, size, mtime } of rows) {
			if (isFolder !== null)
				entries.push({ name, isFolder, size: isFolder ? 0 : Number(size), mtime: inTime(Number(mtime)) });
		}
		if (rows.length < ENTRIES_AT_ONCE || entries.length > MAX_FILES) return entries;
		last = rows.at(-1)!.name;
	}
}

/** A file system may tell any number; years have four digits in the list of files. */
function inTime(mtime: number): number {
	return Math.min(Math.max(mtime, EARLIEST), LATEST);
}

const EARLIEST = Date.UTC(1900, 0, 1) / 1000;
const LATEST = Date.UTC(9999, 0, 1) / 1000;

function endless(folder: string): BackupError {
	return new BackupError('unsupported', `there is no end to the files in the server’s folder ${folder || '.'}`, {
		hint: 'A link in the server’s folder may lead back to it: remove that link. Otherwise let the server make the copy: give the role the attribute REPLICATION, and the server a free max_wal_senders.',
	});
}
