/** What is said of a base backup beside the server's own list of files. Encrypted whenever the backup is. */
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { formatJsonContents, readJsonContents } from '../../../json-contents';
import { REPLAY_SETTINGS } from '../replay-settings';

const MAX_BYTES = 1024 * 1024;

const place = z.strictObject({
	lsn: z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/),
	timeline: z.number().int().positive(),
});

const schema = z.strictObject({
	version: z.literal(1),
	/** Which cluster, for its whole life. */
	systemIdentifier: z.string().regex(/^\d{1,20}$/),
	serverVersion: z.string(),
	/** E.g. 180003. */
	serverVersionNumber: z.number().int().positive(),
	/** Size of a file of the write-ahead log. */
	segmentBytes: z.number().int().positive(),
	/** Whether data pages have checksums. */
	checksums: z.boolean(),
	/** Where recovery begins, and where the backup is consistent. */
	start: place,
	end: place,
	/** Besides the two that every cluster has: its number, and its folder on the server. */
	tablespaces: z.array(z.strictObject({ oid: z.number().int().positive(), location: z.string().min(1) })).max(990),
	/** What the server that replays this must have at least. Under other names, a program could be named that it runs. */
	settings: z.record(z.enum(REPLAY_SETTINGS), z.number().int().nonnegative()),
	/** The superuser that `initdb` made, as whom a test restore looks at what it has restored. */
	superuser: z.string().min(1).max(63).default('postgres'),
});

/** What is said of a base backup. */
export type ClusterContents = z.infer<typeof schema>;

const FORM = { schema, maxBytes: MAX_BYTES, noun: 'a base backup' };

/** What is written. */
export function formatContents(contents: ClusterContents): string {
	return formatJsonContents(contents, FORM, 1);
}

/**
 * Reads the contents of a base backup.
 * @param backup its group and label, for messages
 * @throws BackupError 'damaged', 'newer-format'
 */
export async function readContents(body: Readable, backup: string): Promise<ClusterContents> {
	return await readJsonContents(body, backup, FORM);
}
