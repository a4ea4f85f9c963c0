/** Contents of backups that are JSON with a version, as most kinds of sources have them. */
import type { Readable } from 'node:stream';
import type { z } from 'zod';
import { collect } from '../base/collect';
import { BackupError } from '../base/errors';
import { assertFits } from '../base/fits';

/** What a kind of source writes. */
export interface JsonContents<Schema extends z.ZodTypeAny> {
	/** Its member `version` is 1. */
	schema: Schema;
	/** More than any program of ours writes. */
	maxBytes: number;
	/** For messages: "an archive". */
	noun: string;
}

/**
 * What is written.
 * @param indent blanks of each level
 * @throws BackupError 'invalid-input' for what could not be read again
 */
export function formatJsonContents<Schema extends z.ZodTypeAny>(
	contents: z.infer<Schema>,
	{ schema, maxBytes, noun }: JsonContents<Schema>,
	indent: number,
): string {
	assertFits(schema, contents, `what is said of ${noun}`);
	const text = `${JSON.stringify(contents, null, indent)}\n`;
	if (Buffer.byteLength(text) <= maxBytes) return text;
	throw new BackupError('invalid-input', `what is said of ${noun} could not be read again: it is too large`, {
		hint: 'Back up less at once.',
	});
}

/**
 * Reads contents.
 * @param backup its group and label, for messages
 * @throws BackupError 'damaged' when they are not what such a source writes, or larger; 'newer-format'; those of the body
 */
export async function readJsonContents<Schema extends z.ZodTypeAny>(
	body: Readable,
	backup: string,
	{ schema, maxBytes, noun }: JsonContents<Schema>,
): Promise<z.infer<Schema>> {
	const damaged = (why: string, cause?: unknown) =>
		new BackupError('damaged', `the contents of ${backup} ${why}`, {
			hint: 'No program of ours writes that. Look at who else writes to this storage, and use another backup.',
			cause,
		});
	const text = (await collect(body, maxBytes, () => damaged('are too large'))).toString('utf8');
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
	if (!result.success) throw damaged(`are not what ${noun} has`, result.error);
	return result.data as z.infer<Schema>;
}
