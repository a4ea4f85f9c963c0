/**
 * The server's own list of the files of a base backup, `backup_manifest`: each with its size and checksum. The format is
 * PostgreSQL's (manual, "Backup Manifest Format"); `pg_verifybackup` reads it too.
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { collect } from '../../../../base/collect';
import { BackupError } from '../../../../base/errors';
import { decodeName } from './file-name';

/** A file takes about 150 bytes; one and a half million of them. A backup whose list is longer is not made. */
export const MAX_LIST_BYTES = 256 * 1024 * 1024;

const file = z.object({
	Path: z.string().optional(),
	/** Hexadecimal, of names that are not UTF-8. */
	'Encoded-Path': z.string().optional(),
	Size: z.number().int().nonnegative(),
	'Checksum-Algorithm': z.string().optional(),
	Checksum: z.string().optional(),
});

const schema = z.object({
	'PostgreSQL-Backup-Manifest-Version': z.union([z.literal(1), z.literal(2)]),
	Files: z.array(file),
	'Manifest-Checksum': z.string().regex(/^[0-9a-f]{64}$/),
});

/** A file that belongs to a base backup. */
export interface ListedFile {
	/** Below the cluster's folder; of a tablespace, `pg_tblspc/<oid>/…`. */
	path: string;
	size: number;
	/** CRC-32C; null where the server was told to make none, or another one. */
	crc32c: number | null;
}

/**
 * Reads the list.
 * @param backup its group and label, for messages
 * @throws BackupError 'damaged' when it is not as the server wrote it
 */
export async function readFileList(body: Readable, backup: string): Promise<ListedFile[]> {
	const damaged = (why: string, cause?: unknown) =>
		new BackupError('damaged', `the list of files of ${backup} ${why}`, {
			hint: 'It was changed or damaged. Use another backup.',
			cause,
		});
	const bytes = await collect(body, MAX_LIST_BYTES, () => damaged('is larger than any that can be read'));
	const text = bytes.toString('utf8');
	let data: unknown;
	try {
		data = JSON.parse(text);
	} catch (cause) {
		throw damaged('is not JSON', cause);
	}
	const result = schema.safeParse(data);
	if (!result.success) throw damaged('is not what a server writes', result.error);
	// The checksum is of everything before its own line.
	const end = text.lastIndexOf('"Manifest-Checksum"');
	const found = createHash('sha256').update(text.slice(0, end)).digest('hex');
	if (found !== result.data['Manifest-Checksum']) throw damaged('is not as the server wrote it: its checksum differs');
	return result.data.Files.map((each) => ({
		path: each.Path ?? decodeName(Buffer.from(each['Encoded-Path'] ?? '', 'hex')),
		size: each.Size,
		crc32c: each['Checksum-Algorithm'] === 'CRC32C' ? checksumOf(each.Checksum ?? '') : null,
	}));
}

/**
 * The list as it comes from a server, while it is stored.
 * @throws BackupError 'unsupported' as soon as it is longer than one that could be read again
 */
export async function* readableList(body: AsyncIterable<Buffer>, most = MAX_LIST_BYTES): AsyncGenerator<Buffer> {
	let bytes = 0;
	for await (const chunk of body) {
		bytes += chunk.length;
		if (bytes > most) throw tooManyFiles();
		yield chunk;
	}
}

/** A cluster has more files than a list of them may have. */
export function tooManyFiles(): BackupError {
	return new BackupError(
		'unsupported',
		'the cluster has more files than a base backup may have: about one and a half million',
		{
			hint: 'Each table and index is a file or more: drop what nobody needs, or back up the databases one by one.',
		},
	);
}

/** Written as its bytes lie in the memory of the server, which are little-endian wherever such servers run. */
function checksumOf(hex: string): number | null {
	const bytes = Buffer.from(hex, 'hex');
	return bytes.length === 4 ? bytes.readUInt32LE(0) : null;
}
