/** Restores a cluster: the files of a base backup, and the log to replay, in a folder that a server can start in. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { abortError, BackupError } from '../../../../base/errors';
import { sizeText } from '../../../../base/size-text';
import type { Comparison, OpenBackup, Restored, Restorer, RestoreRun } from '../../../source';
import { FileCheck } from '../base/archive-check';
import type { ClusterContents } from '../base/contents';
import { CLUSTER } from '../base/word';
import { archivePartOf, readListedFiles } from '../base/parts';
import type { ListedFile } from '../base/file-list';
import { missingConfiguration } from '../configuration';
import { parseLsn } from '../lsn';
import type { LogContents } from '../wal/contents';
import { Destination, withoutDestinations } from './destination';
import { extractArchive } from './extract';
import { type StoredLog, writeLog, type WrittenLog } from './log';
import { type RecoveryTarget, writeRecovery } from './recovery';
import { type TablespaceFolders, takeTablespaces, writeTablespaceMap } from './tablespaces';
import { FolderWriter } from './writing/folder-writer';
import { INCREMENTAL_PREFIX } from './writing/incremental-file';

export interface ClusterRestoreOptions {
	/** A new or empty folder, absolute: it becomes the data directory of a server. */
	to: string;
	/** New folders of tablespaces by old ones. */
	tablespaces?: Readonly<Record<string, string>>;
	/** How far the log is replayed. @default only as far as the base backup itself needs */
	target?: RecoveryTarget;
	/** A command by which the server fetches its log when it starts; absent where all of it lies in the folder then. */
	restoreCommand?: string;
}

/** What came of restoring a cluster. */
export interface ClusterRestored extends Restored {
	/** The folder, without links. */
	folder: string;
	/** Which server can start in it: 18. */
	major: number;
	/** Of the last transaction in the log; null where there is none. The server may have been told to stop before it. */
	lastCommit: string | null;
}

/** Restores base backups into a folder. */
export function clusterRestorer(options: ClusterRestoreOptions): Restorer<ClusterContents, ClusterRestored> {
	return {
		kind: CLUSTER,
		async restore(backup, run) {
			const cluster = await Destination.take(path.resolve(options.to));
			let tablespaces: TablespaceFolders = new Map();
			const writer = new FolderWriter(run.signal);
			try {
				tablespaces = await takeTablespaces(backup.contents.tablespaces, options.tablespaces ?? {}, cluster.folder);
				const files = await writeFiles(backup, cluster.folder, tablespaces, writer, run);
				run.onProgress({ phase: 'preparing', bytes: files.bytes });
				const log = await replay(backup, cluster.folder, writer, run);
				await writeTablespaceMap(cluster.folder, tablespaces);
				await writeRecovery(cluster.folder, options.target ?? { kind: 'base' }, options.restoreCommand);
				const missing = await missingConfiguration(cluster.folder);
				if (missing !== null) run.warn(missing);
				return restored(backup, cluster.folder, files, log);
			} catch (error) {
				await writer.stop();
				throw await withoutDestinations(
					[cluster, ...tablespaces.values()],
					run.signal.aborted ? abortError(run.signal) : error,
				);
			} finally {
				await writer.stop();
			}
		},
	};
}

interface Written {
	files: number;
	bytes: number;
}

/** The log that follows, as it was chosen; null where there is none. */
async function replay(
	{ contents }: OpenBackup<ClusterContents>,
	folder: string,
	writer: FolderWriter,
	{ alongside, signal, onProgress }: RestoreRun,
): Promise<WrittenLog | null> {
	if (alongside === undefined) return null;
	let bytes = 0;
	const onBytes = (more: number) => onProgress({ phase: 'writing the log', bytes: (bytes += more) });
	const logs = storedLog(alongside, contents);
	const { end, segmentBytes } = contents;
	const own = { folder: path.join(folder, 'pg_wal'), timeline: end.timeline, end: parseLsn(end.lsn), segmentBytes };
	const written = await writeLog(own, logs, { writer, signal, onBytes });
	await writer.finish();
	return written;
}

async function* storedLog(
	backups: AsyncIterable<OpenBackup>,
	{ systemIdentifier }: ClusterContents,
): AsyncGenerator<StoredLog> {
	for await (const backup of backups) {
		const { group, label, parts } = backup.manifest;
		const name = `${group}/${label}`;
		const contents = backup.contents as LogContents;
		if (contents.systemIdentifier !== systemIdentifier) {
			throw new BackupError('broken-log', `${name} is log of another cluster`, {
				hint: 'Choose the base backup of that one.',
			});
		}
		yield {
			...{ name, contents },
			async open(part) {
				const stored = parts.find((each) => each.role === 'data' && each.name.startsWith(part));
				if (stored) return await backup.open(stored);
				throw new BackupError('damaged', `${name} has no part ${part}`, { hint: 'Use an earlier moment.' });
			},
		};
	}
}

/** The full backup first, then what changed since, each over the one before. */
async function writeFiles(
	backup: OpenBackup<ClusterContents>,
	folder: string,
	tablespaces: TablespaceFolders,
	writer: FolderWriter,
	run: RestoreRun,
): Promise<Written> {
	let bytes = 0;
	const onBytes = (more: number) => run.onProgress({ phase: 'restoring', bytes: (bytes += more) });
	let written: Written = { files: 0, bytes: 0 };
	for (const each of [backup, ...backup.parents].reverse()) {
		const list = await readListedFiles(each);
		written = { files: 0, bytes: 0 };
		if (each.parents.length > 0) await removeOldLog(folder);
		for (const part of each.manifest.parts.filter(({ role }) => role === 'data')) {
			const { tablespace, prefix } = archivePartOf(part);
			// Dropped since: nothing of it is in the backup that is wanted.
			if (tablespace !== null && !tablespaces.has(tablespace)) continue;
			const name = `${each.manifest.group}/${each.manifest.label}/${part.name}`;
			const check = new FileCheck(`${each.manifest.group}/${each.manifest.label}`, list, prefix);
			const to = tablespace === null ? folder : tablespaces.get(tablespace)!.folder;
			const { signal } = run;
			await extractArchive(await each.open(part), { name, folder: to, prefix, check, writer, signal, onBytes });
			check.end();
			written.files += check.files;
			written.bytes += check.bytes;
		}
		await writer.finish();
		if (each.parents.length > 0) await removeDropped(list, folder, tablespaces);
	}
	const label = path.join(folder, 'backup_label');
	const text = await fs.readFile(label, 'utf8');
	// What was put together is a full backup, and the server takes no other.
	await fs.writeFile(label, text.replace(/^INCREMENTAL FROM (?:LSN|TLI): .*\n/gm, ''));
	return written;
}

/** Each backup brings the log that it needs. */
async function removeOldLog(folder: string): Promise<void> {
	const log = path.join(folder, 'pg_wal');
	for (const entry of await fs.readdir(log, { recursive: true, withFileTypes: true })) {
		if (entry.isFile()) await fs.rm(path.join(entry.parentPath, entry.name));
	}
}

/** Files that the backup before has, and this one no longer. */
async function removeDropped(
	list: readonly ListedFile[],
	folder: string,
	tablespaces: TablespaceFolders,
): Promise<void> {
	const kept = new Set(
		list.map(({ path: file }) => {
			const name = path.posix.basename(file);
			const isPartial = name.startsWith(INCREMENTAL_PREFIX);
			return isPartial ? path.posix.join(path.posix.dirname(file), name.slice(INCREMENTAL_PREFIX.length)) : file;
		}),
	);
	const roots = [
		{ at: folder, prefix: '' },
		...[...tablespaces].map(([oid, to]) => ({ at: to.folder, prefix: `pg_tblspc/${oid}/` })),
	];
	for (const { at, prefix } of roots) {
		for (const entry of await fs.readdir(at, { recursive: true, withFileTypes: true })) {
			if (!entry.isFile()) continue;
			const full = path.join(entry.parentPath, entry.name);
			const listed = prefix + path.relative(at, full);
			if (!kept.has(listed) && !listed.startsWith('pg_wal/')) await fs.rm(full);
		}
	}
}

function restored(
	{ contents }: OpenBackup<ClusterContents>,
	folder: string,
	{ files, bytes }: Written,
	log: WrittenLog | null,
): ClusterRestored {
	const comparison: Comparison = {
		ok: true,
		says: `${files} files of ${sizeText(bytes)}, each as the server listed it${log ? `, and ${sizeText(log.bytes)} of log without a gap` : ''}`,
		figures: { files, bytes, logBytes: log?.bytes ?? 0 },
		differences: [],
	};
	return {
		comparison,
		facts: { files, bytes, logBytes: log?.bytes ?? 0, serverVersion: contents.serverVersion },
		folder,
		lastCommit: log?.lastCommit?.toISOString() ?? null,
		major: Math.floor(contents.serverVersionNumber / 10_000),
	};
}
