/** Writes the archives of a base backup as the files of a cluster, and compares each with the server's list on the way. */
import fs from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { abortError, BackupError } from '../../../../base/errors';
import type { FileCheck } from '../base/archive-check';
import { type EntrySink, type TarEntry, TarReader } from '../base/tar-reader';
import { INCREMENTAL_PREFIX, IncrementalFile } from './incremental-file';

/** What a server does not start without, and what nobody else may read. A cluster that lets a group read keeps that. */
const MODES = { file: [0o600, 0o640], folder: [0o700, 0o750] } as const;

export interface ExtractOptions {
	/** The archive's name, for messages. */
	name: string;
	/** Where its paths begin. */
	folder: string;
	/** What the list puts before them. */
	prefix: string;
	check: FileCheck;
	signal: AbortSignal;
	onBytes: (bytes: number) => void;
}

/**
 * Writes one archive. Files that are there are replaced; those that an incremental backup has only in part are changed in place.
 * @throws BackupError 'damaged', 'cancelled', those of the body; errors of the file system as they are
 */
export async function extractArchive(body: Readable, options: ExtractOptions): Promise<void> {
	const { signal } = options;
	const open = new Set<EntrySink & { close(): void }>();
	const reader = new TarReader(options.name, (entry) => {
		const check = entry.type === 'file' ? options.check.begin(options.prefix + entry.path) : null;
		const sink = place(entry, options);
		open.add(sink);
		return {
			take(chunk) {
				check?.take(chunk);
				sink.take(chunk);
			},
			end() {
				check?.end();
				sink.end();
				sink.close();
				open.delete(sink);
			},
		};
	});
	try {
		for await (const chunk of body as AsyncIterable<Buffer>) {
			if (signal.aborted) throw abortError(signal);
			reader.add(chunk);
			options.onBytes(chunk.length);
		}
		reader.end();
	} finally {
		for (const sink of open) sink.close();
		body.destroy();
	}
}

function place(entry: TarEntry, { folder, name }: ExtractOptions): EntrySink & { close(): void } {
	const target = path.join(folder, entry.path);
	const nothing = { take: () => undefined, end: () => undefined, close: () => undefined };
	if (entry.type === 'folder') {
		fs.mkdirSync(target, { recursive: true, mode: modeOf(entry) });
		return nothing;
	}
	if (entry.type === 'link') {
		throw new BackupError('damaged', `${name} holds a link, ${entry.path}, which no base backup of ours has`, {
			hint: 'No program of ours writes that. Look at who else writes to this storage, and use another backup.',
		});
	}
	const base = path.basename(entry.path);
	if (base.startsWith(INCREMENTAL_PREFIX)) {
		return new IncrementalFile(path.join(path.dirname(target), base.slice(INCREMENTAL_PREFIX.length)));
	}
	return wholeFile(target, modeOf(entry));
}

function wholeFile(target: string, mode: number): EntrySink & { close(): void } {
	const fd = fs.openSync(target, 'w', mode);
	let isOpen = true;
	return {
		take(chunk) {
			for (let at = 0; at < chunk.length; ) at += fs.writeSync(fd, chunk, at);
		},
		end: () => undefined,
		close() {
			if (isOpen) fs.closeSync(fd);
			isOpen = false;
		},
	};
}

function modeOf({ type, mode }: TarEntry): number {
	const [own, withGroup] = type === 'folder' ? MODES.folder : MODES.file;
	return mode & 0o040 ? withGroup : own;
}
