/**
 * Which stored piece holds which place of the log behind one base backup. A server that restores asks for one file after the other, and
 * reading thousands of manifests for each would take longer than replaying it: so this is kept in a file beside the log that is restored.
 */
import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { BackupError } from '../../../../base/errors';
import type { Manifest } from '../../../../records/manifest';
import type { Repository } from '../../../../records/repository';
import { CLUSTER } from '../base/word';
import type { ClusterContents } from '../base/contents';
import { logGroupOf } from '../groups';
import { parseLsn } from '../lsn';
import { joinLog, readLogBehind } from './joined-log';

/** Tens of thousands of pieces. */
const MAX_BYTES = 64 * 1024 * 1024;

const place = z.string().regex(/^\d{1,20}$/);

const schema = z.strictObject({
	version: z.literal(1),
	/** Of the base backup: storage, group and label. */
	base: z.string(),
	segmentBytes: z.number().int().positive(),
	/** Where the base backup ends, and on which timeline: up to there, it brings its own log. */
	baseEnd: place,
	baseTimeline: z.number().int().positive(),
	/** Behind the last byte that joins, and the piece that would follow, were nothing missing before it; null where all joins. */
	end: place,
	gap: z.string().nullable(),
	/** In the order in which they were made. */
	pieces: z.array(
		z.strictObject({
			label: z.string(),
			part: z.string(),
			timeline: z.number().int().positive(),
			/** Place of the first byte, and behind the last one. */
			start: place,
			end: place,
		}),
	),
	histories: z.array(z.strictObject({ label: z.string(), part: z.string(), timeline: z.number().int().positive() })),
});

export type LogIndex = z.infer<typeof schema>;
export type IndexedPiece = LogIndex['pieces'][number];

/** The base backup whose log it is. */
export interface IndexedBase {
	group: string;
	label: string;
}

/**
 * Looks through all manifests.
 * @param readBase gives the contents of the base backup
 * @throws BackupError 'not-found', 'invalid-input' for what is no base backup; those of the storage
 */
export async function buildIndex(
	repository: Repository,
	{ group, label }: IndexedBase,
	{ readBase, signal }: { readBase: () => Promise<ClusterContents>; signal: AbortSignal },
): Promise<LogIndex> {
	const base = await repository.readManifest(group, label, signal);
	if (base.source.kind !== CLUSTER) {
		throw new BackupError('invalid-input', `${group}/${label} is no base backup`, {
			hint: 'Name the base backup that the server was restored from.',
		});
	}
	const { segmentBytes, end: baseEnd } = await readBase();
	const joined = joinLog(base, await readLogBehind(repository, logGroupOf(group), base, signal));
	const index: LogIndex = {
		version: 1,
		...{ base: nameOf(repository, { group, label }), segmentBytes },
		...{ baseEnd: String(parseLsn(baseEnd.lsn)), baseTimeline: baseEnd.timeline },
		...{ end: String(joined.end), gap: joined.gap?.label ?? null },
		...{ pieces: [], histories: [] },
	};
	for (const manifest of [...joined.earlier, ...joined.pieces]) addParts(index, manifest);
	return index;
}

/** Its name says what a part holds: `00000001-0000000003000028.wal…`, `00000002.history…`. */
function addParts({ pieces, histories }: LogIndex, { label, parts }: Manifest): void {
	for (const { role, name, original } of parts) {
		if (role !== 'data') continue;
		const [, timeline, start] = /^([0-9a-f]{8})-([0-9a-f]{16})\.wal(?:\.|$)/.exec(name) ?? [];
		const [, descendant] = /^([0-9a-f]{8})\.history(?:\.|$)/.exec(name) ?? [];
		if (timeline && start) {
			const from = BigInt(`0x${start}`);
			const places = { start: String(from), end: String(from + BigInt(original.bytes)) };
			pieces.push({ label, part: name, timeline: parseInt(timeline, 16), ...places });
		} else if (descendant) histories.push({ label, part: name, timeline: parseInt(descendant, 16) });
	}
}

/**
 * Reads the index that an earlier call has written.
 * @param folder of the log that is restored
 * @returns null where there is none for this base backup that can be used
 */
export async function readIndex(folder: string, repository: Repository, base: IndexedBase): Promise<LogIndex | null> {
	const file = fileIn(folder);
	try {
		if ((await fs.stat(file)).size > MAX_BYTES) return null;
		const index = schema.parse(JSON.parse(await fs.readFile(file, 'utf8')));
		return index.base === nameOf(repository, base) ? index : null;
	} catch (error) {
		if (error instanceof z.ZodError || error instanceof SyntaxError) return null;
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
		throw error;
	}
}

/** @throws errors of the file system as they are */
export async function writeIndex(folder: string, index: LogIndex): Promise<void> {
	const half = `${fileIn(folder)}.${randomUUID()}`;
	try {
		await fs.writeFile(half, JSON.stringify(index), { mode: 0o600, flag: 'wx' });
		await fs.rename(half, fileIn(folder));
	} catch (error) {
		await fs.rm(half, { force: true });
		throw error;
	}
}

function fileIn(folder: string): string {
	return path.join(folder, 'n8n-backup-log.json');
}

function nameOf({ storage }: Repository, { group, label }: IndexedBase): string {
	return `${storage.location}/${group}/${label}`;
}
