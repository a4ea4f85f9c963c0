/** Restores a cluster: the files of a base backup, and the log to replay, in a folder that a server can start in. */
import fs from 'node:fs';
import path from 'node:path';
import type { Comparison, OpenBackup, Restored, Restorer, RestoreRun } from '../../../source';
import { FileCheck } from '../base/archive-check';
import type { ClusterContents } from '../base/contents';
import { CLUSTER } from '../base/kind';
import { archiveOf, listOf } from '../base/parts';
import type { ListedFile } from '../base/file-list';
import { Destination } from './destination';
import { extractArchive } from './extract';
import { INCREMENTAL_PREFIX } from './incremental-file';
import { type RecoveryTarget, writeRecovery } from './recovery';
import { type TablespaceFolders, takeTablespaces, writeTablespaceMap } from './tablespaces';

export interface ClusterRestoreOptions {
	/** A new or empty folder, absolute: it becomes the data directory of a server. */
	to: string;
	/** New folders of tablespaces by old ones. */
	tablespaces?: Readonly<Record<string, string>>;
	/** How far the log is replayed. @default only as far as the base backup itself needs */
	target?: RecoveryTarget;
}

/** What came of restoring a cluster. */
export interface ClusterRestored extends Restored {
	/** The folder, without links. */
	folder: string;
	/** Which server can start in it: 18. */
	major: number;
}

/** Restores base backups into a folder. */
export function clusterRestorer(options: ClusterRestoreOptions): Restorer<ClusterContents, ClusterRestored> {
	return {
		kind: CLUSTER,
		async restore(backup, run) {
			const cluster = Destination.take(path.resolve(options.to));
			let tablespaces: TablespaceFolders = new Map();
			try {
				tablespaces = takeTablespaces(backup.contents.tablespaces, options.tablespaces ?? {});
				const files = await writeFiles(backup, cluster.folder, tablespaces, run);
				run.onProgress({ phase: 'preparing', bytes: files.bytes });
				writeTablespaceMap(cluster.folder, tablespaces);
				writeRecovery(cluster.folder, options.target ?? { kind: 'base' });
				return restored(backup, cluster.folder, files);
			} catch (error) {
				for (const each of [cluster, ...tablespaces.values()]) each.giveUp();
				throw error;
			}
		},
	};
}

interface Written {
	files: number;
	bytes: number;
}

/** The full backup first, then what changed since, each over the one before. */
async function writeFiles(
	backup: OpenBackup<ClusterContents>,
	folder: string,
	tablespaces: TablespaceFolders,
	run: RestoreRun,
): Promise<Written> {
	let bytes = 0;
	const onBytes = (more: number) => run.onProgress({ phase: 'restoring', bytes: (bytes += more) });
	let written: Written = { files: 0, bytes: 0 };
	for (const each of [backup, ...backup.parents].reverse()) {
		const list = await listOf(each);
		written = { files: 0, bytes: 0 };
		if (each.parents.length > 0) removeOldLog(folder);
		for (const part of each.manifest.parts.filter(({ role }) => role === 'data')) {
			const { tablespace, prefix } = archiveOf(part);
			const name = `${each.manifest.group}/${each.manifest.label}/${part.name}`;
			const check = new FileCheck(`${each.manifest.group}/${each.manifest.label}`, list, prefix);
			const to = tablespace === null ? folder : tablespaces.get(tablespace)!.folder;
			const { signal } = run;
			await extractArchive(await each.open(part), { name, folder: to, prefix, check, signal, onBytes });
			check.end();
			written.files += check.files;
			written.bytes += check.bytes;
		}
		if (each.parents.length > 0) removeDropped(list, folder, tablespaces);
	}
	const label = path.join(folder, 'backup_label');
	const text = fs.readFileSync(label, 'utf8');
	// What was put together is a full backup, and the server takes no other.
	fs.writeFileSync(label, text.replace(/^INCREMENTAL FROM (?:LSN|TLI): .*\n/gm, ''));
	return written;
}

/** Each backup brings the log that it needs. */
function removeOldLog(folder: string): void {
	const log = path.join(folder, 'pg_wal');
	for (const entry of fs.readdirSync(log, { withFileTypes: true })) {
		if (entry.isFile()) fs.rmSync(path.join(log, entry.name));
	}
}

/** Files that the backup before has, and this one no longer. */
function removeDropped(list: readonly ListedFile[], folder: string, tablespaces: TablespaceFolders): void {
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
		for (const entry of fs.readdirSync(at, { recursive: true, withFileTypes: true })) {
			if (!entry.isFile()) continue;
			const full = path.join(entry.parentPath, entry.name);
			const listed = prefix + path.relative(at, full);
			if (!kept.has(listed) && !listed.startsWith('pg_wal/')) fs.rmSync(full);
		}
	}
}

function restored(backup: OpenBackup<ClusterContents>, folder: string, { files, bytes }: Written): ClusterRestored {
	const { contents } = backup;
	const comparison: Comparison = {
		ok: true,
		says: `${files} files of ${bytes} bytes, each as the server listed it`,
		figures: { files, bytes },
		differences: [],
	};
	return {
		comparison,
		facts: { files, bytes, serverVersion: contents.serverVersion },
		folder,
		major: Math.floor(contents.serverVersionNumber / 10_000),
	};
}
