/** Writes the archives of a base backup as the files of a cluster, and compares each with the server's list on the way. */
import path from 'node:path';
import type { Readable } from 'node:stream';
import { abortError, BackupError } from '../../../../base/errors';
import type { FileCheck } from '../base/archive-check';
import { type TarEntry, TarReader } from '../base/tar-reader';
import type { FolderWriter } from './writing/folder-writer';
import { INCREMENTAL_PREFIX } from './writing/incremental-file';
import type { Deed } from './writing/messages';

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
	writer: FolderWriter;
	signal: AbortSignal;
	onBytes: (bytes: number) => void;
}

/**
 * Writes one archive. Files that are there are replaced; those that an incremental backup has only in part are changed in place.
 * @throws BackupError 'damaged', 'cancelled', those of the body; errors of the file system as they are
 */
export async function extractArchive(
	body: Readable,
	{ writer, signal, check, prefix, onBytes, ...options }: ExtractOptions,
): Promise<void> {
	let chunk: Buffer = Buffer.alloc(0);
	let deeds: Deed[] = [];
	const reader = new TarReader(options.name, (entry) => {
		const deed = deedFor(entry, options);
		deeds.push(deed);
		if (deed.kind === 'folder') return { take: () => undefined, end: () => undefined };
		const bytes = check.begin(prefix + entry.path);
		return {
			take(part) {
				bytes?.take(part);
				const from = part.byteOffset - chunk.byteOffset;
				deeds.push({ kind: 'bytes', from, to: from + part.length });
			},
			end() {
				bytes?.end();
				deeds.push({ kind: 'end' });
			},
		};
	});
	try {
		for await (chunk of body as AsyncIterable<Buffer>) {
			if (signal.aborted) throw abortError(signal);
			const { length } = chunk;
			reader.add(chunk);
			await writer.write(deeds, chunk);
			deeds = [];
			onBytes(length);
		}
		reader.end();
	} finally {
		body.destroy();
	}
}

function deedFor(entry: TarEntry, { folder, name }: Pick<ExtractOptions, 'folder' | 'name'>): Deed {
	const target = path.join(folder, entry.path);
	if (entry.type === 'folder') return { kind: 'folder', path: target, mode: modeOf(entry) };
	if (entry.type === 'link') {
		throw new BackupError('damaged', `${name} holds a link, ${entry.path}, which no base backup of ours has`, {
			hint: 'No program of ours writes that. Look at who else writes to this storage, and use another backup.',
		});
	}
	const base = path.basename(entry.path);
	if (base.startsWith(INCREMENTAL_PREFIX)) {
		return { kind: 'blocks', path: path.join(path.dirname(target), base.slice(INCREMENTAL_PREFIX.length)) };
	}
	return { kind: 'file', path: target, mode: modeOf(entry) };
}

function modeOf({ type, mode }: TarEntry): number {
	const [own, withGroup] = type === 'folder' ? MODES.folder : MODES.file;
	return mode & 0o040 ? withGroup : own;
}
