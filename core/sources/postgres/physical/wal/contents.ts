/** What is said of pieces of a write-ahead log. Encrypted whenever they are. */
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { formatJsonContents, readJsonContents } from '../../../json-contents';

const MAX_BYTES = 16 * 1024 * 1024;

const lsn = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/);

const piece = z.strictObject({
	/** Of the part that has its bytes, without what the codecs add. */
	name: z.string(),
	timeline: z.number().int().positive(),
	/** Place of its first byte, which is the beginning of a page, and the place behind its last one. */
	start: lsn,
	end: lsn,
});

const schema = z.strictObject({
	version: z.literal(1),
	/** Which cluster, for its whole life. */
	systemIdentifier: z.string().regex(/^\d{1,20}$/),
	/** E.g. 180003. */
	serverVersionNumber: z.number().int().positive(),
	/** Size of a file of the log. */
	segmentBytes: z.number().int().positive(),
	/** In the order of the log; of one timeline each. */
	pieces: z.array(piece).min(1).max(400),
	/** Files that say where timelines come from, by the names of their parts. */
	histories: z.array(z.string().regex(/^[0-9a-f]{8}\.history$/)).max(400),
	/** Made by `pg_create_restore_point`. */
	restorePoints: z.array(z.strictObject({ name: z.string(), lsn })).max(100_000),
});

/** What is said of pieces of a write-ahead log. */
export type LogContents = z.infer<typeof schema>;
export type LogPiece = z.infer<typeof piece>;

const FORM = { schema, maxBytes: MAX_BYTES, noun: 'a piece of log' };

/** What is written. */
export function formatContents(contents: LogContents): string {
	return formatJsonContents(contents, FORM, 1);
}

/**
 * Reads the contents of a backup of log.
 * @param backup its group and label, for messages
 * @throws BackupError 'damaged', 'newer-format'
 */
export async function readContents(body: Readable, backup: string): Promise<LogContents> {
	return await readJsonContents(body, backup, FORM);
}
