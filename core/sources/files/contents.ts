/** What is said of an archive as a whole, beside its index: small, and encrypted whenever the backup is. */
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { collect } from '../../base/collect';
import { BackupError } from '../../base/errors';

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

/** What is written. */
export function formatContents(contents: FilesContents): string {
	return `${JSON.stringify(contents, null, 2)}\n`;
}

/**
 * Reads the contents of an archive.
 * @param backup its group and label, for messages
 * @throws BackupError 'damaged', 'newer-format'
 */
export async function readContents(body: Readable, backup: string): Promise<FilesContents> {
	const damaged = (why: string, cause?: unknown) =>
		new BackupError('damaged', `the contents of ${backup} ${why}`, {
			hint: 'No program of ours writes that. Look at who else writes to this storage, and use another backup.',
			cause,
		});
	const text = (await collect(body, MAX_BYTES, () => damaged('are too large'))).toString('utf8');
	let data: unknown;
	try {
		data = JSON.parse(text);
	} catch (cause) {
		throw damaged('are not JSON', cause);
	}
	const version = (data as { version?: unknown } | null)?.version;
	if (typeof version === 'number' && version > 1) {
		throw new BackupError('newer-format', `the contents of ${backup} have version ${version}, this program reads 1`, {
			hint: 'Update n8n-nodes-backup and try again.',
		});
	}
	const result = schema.safeParse(data);
	if (!result.success) throw damaged('are not what an archive has', result.error);
	return result.data;
}
