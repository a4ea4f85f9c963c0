/** What is said of an archive as a whole, beside its index: small, and encrypted whenever the backup is. */
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { formatJsonContents, readJsonContents } from '../json-contents';

/** More than anything this program writes. */
const MAX_BYTES = 16 * 1024 * 1024;

const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);

const schema = z.strictObject({
	version: z.literal(1),
	/** What was archived: absolute paths, and whether each was a mount point. Names that are not UTF-8 are as for people. */
	roots: z.array(z.strictObject({ path: z.string(), mounted: z.boolean(), entries: count, bytes: count })).max(10_000),
	/** Of all that was there: entries by type, and bytes of files. */
	counts: z.record(count),
	bytes: count,
	/** Of a bucket with its versions: those that are not current, their bytes, and delete markers. What is counted above is current. */
	versions: z.strictObject({ count, bytes: count, markers: count }).optional(),
	/** Of what this backup itself holds: entries, and those that are gone since its parent. */
	stored: z.strictObject({ entries: count, bytes: count, gone: count }),
	/** Entries that need a remark, at most a thousand: `changed`, `vanished`, `unreadable`, `socket`, `too-large`, … */
	named: z.array(z.strictObject({ path: z.string(), why: z.string() })).max(1000),
	/** How many entries need each remark. */
	remarks: z.record(count),
	/** What a source that is made of files, such as configuration, says beside them; it reads this itself. */
	record: z.unknown(),
});

/** What is said of an archive as a whole. */
export type FilesContents = z.infer<typeof schema>;

const FORM = { schema, maxBytes: MAX_BYTES, noun: 'an archive' };

/** What is written. */
export function formatContents(contents: FilesContents): string {
	return formatJsonContents(contents, FORM, 2);
}

/**
 * Reads the contents of an archive.
 * @param backup its group and label, for messages
 * @throws BackupError 'damaged', 'newer-format'
 */
export async function readContents(body: Readable, backup: string): Promise<FilesContents> {
	return await readJsonContents(body, backup, FORM);
}
