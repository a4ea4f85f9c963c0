/**
 * Pieces of a server's files, read over SQL: `COPY … (FORMAT binary)` of `pg_read_binary_file`, since an ordinary answer has bytes as text.
 * Each file is opened anew for each piece of it. (PostgreSQL manual, "COPY", "Binary Format".)
 */
import { type Client, escapeLiteral } from 'pg';
import { BackupError } from '../../../../base/errors';
import { ReplicationCommand } from '../replication';

/** The server has as much in memory for each piece; larger ones are slower. */
export const PIECE_BYTES = 512 * 1024;
/** One question asks for this much, which is in memory here. */
export const BATCH_BYTES = 8 * 1024 * 1024;
/** …and for so many pieces. */
export const BATCH_PIECES = 1000;

/** Where the rows begin: a signature, flags, and the length of an extension. */
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
const HEADER_BYTES = SIGNATURE.length + 8;

/** A piece of a file that is wanted. */
export interface Piece {
	/** Below the server's folder. */
	path: string;
	offset: number;
	/** At most; a file that is shorter gives less. */
	length: number;
}

/**
 * Reads pieces.
 * @returns the bytes of each, in the same order; null where the file is not there
 * @throws what `pg` throws; BackupError 'damaged' where the answer is none that a server gives
 */
export async function readPieces(client: Client, pieces: readonly Piece[]): Promise<Array<Buffer | null>> {
	if (pieces.length === 0) return [];
	const rows = new CopiedRows();
	const command = new ReplicationCommand(copyOf(pieces), { onData: (chunk) => rows.add(chunk) });
	client.query(command);
	await command.done;
	if (rows.found.length !== pieces.length) throw notCopied();
	return rows.found;
}

/** Reads one file as a whole; null where it is not there. @param maxBytes more of it is left out @throws as {@link readPieces} */
export async function readFile(client: Client, path: string, maxBytes: number): Promise<Buffer | null> {
	const [found] = await readPieces(client, [{ path, offset: 0, length: maxBytes }]);
	return found ?? null;
}

/** COPY takes no values beside it. */
function copyOf(pieces: readonly Piece[]): string {
	const array = (values: Array<string | number>, type: string) => `ARRAY[${values.join()}]::${type}[]`;
	const paths = array(
		pieces.map(({ path }) => escapeLiteral(path)),
		'text',
	);
	const offsets = array(
		pieces.map(({ offset }) => offset),
		'bigint',
	);
	const lengths = array(
		pieces.map(({ length }) => length),
		'bigint',
	);
	return `COPY (SELECT pg_catalog.pg_read_binary_file(path, start, length, true)
		FROM ROWS FROM (pg_catalog.unnest(${paths}), pg_catalog.unnest(${offsets}), pg_catalog.unnest(${lengths}))
			AS piece(path, start, length)) TO STDOUT (FORMAT binary)`;
}

/** The rows of a copy, of one value each. A server sends each row as a message of its own, the signature alone or with the first one. */
class CopiedRows {
	readonly found: Array<Buffer | null> = [];
	#begun = false;

	/** @param chunk a message, whose memory is `pg`'s, and used again */
	add(chunk: Buffer): void {
		let at = 0;
		if (!this.#begun) {
			if (!chunk.subarray(0, SIGNATURE.length).equals(SIGNATURE)) throw notCopied();
			this.#begun = true;
			at = HEADER_BYTES;
		}
		if (at === chunk.length) return;
		const values = chunk.readInt16BE(at);
		if (values === -1) return; // the end
		const length = chunk.readInt32BE(at + 2);
		const bytes = chunk.subarray(at + 6);
		if (values !== 1 || Math.max(length, 0) !== bytes.length) throw notCopied();
		this.found.push(length === -1 ? null : Buffer.from(bytes));
	}
}

function notCopied(): BackupError {
	return new BackupError('damaged', 'the server’s answer is no copy of what was asked for', {
		hint: 'Check host and port, and who answers there.',
	});
}
