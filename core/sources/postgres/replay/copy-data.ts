/**
 * The rows behind a COPY … FROM stdin, up to the line that is only `\.` (PostgreSQL manual, COPY, "Text Format"). They
 * pass as slices of the chunks they came in.
 */
import { BackupError } from '../../../base/errors';
import { describePosition, type DumpCursor, type Position } from '../dump/cursor';

const END = '\n\\.';
/** As much of it as may be the last of a chunk without a look at the next one. */
const BEGINNING = '\n\\';
const ENDS = [Buffer.from('\\.\n'), Buffer.from('\\.\r\n')];
const LONGEST_END = 4;
const NEWLINE = 10;

/**
 * @param statement where the COPY began, for errors
 * @throws BackupError 'incomplete' when the stream ends before the data
 */
export async function* copyData(cursor: DumpCursor, statement: Position): AsyncGenerator<Buffer, void> {
	let atLineStart = true;
	/** The beginning of a line that may be the last one, from earlier chunks. */
	let held = Buffer.alloc(0);
	for (;;) {
		if (!(await cursor.more())) {
			throw new BackupError(
				'incomplete',
				`the dump ends inside the rows of the COPY at ${describePosition(statement)}`,
				{ hint: 'The dump was cut off: restore another backup.' },
			);
		}
		const { chunk } = cursor;
		if (atLineStart) {
			const line = Buffer.concat([held, chunk.subarray(cursor.at, cursor.at + LONGEST_END - held.length)]);
			const end = ENDS.find((each) => startsWith(line, each));
			if (end) {
				cursor.advance(cursor.at + end.length - held.length);
				return;
			}
			if (ENDS.some((each) => startsWith(each, line))) {
				held = line;
				cursor.advance(chunk.length);
				continue;
			}
			if (held.length > 0) yield held;
			held = Buffer.alloc(0);
		}
		// From here, the next line that could be the last one.
		const from = cursor.at;
		const found = chunk.indexOf(END, from, 'latin1');
		let stop = found < 0 ? chunk.length : found + 1;
		if (found < 0 && stop - 2 >= from && chunk.toString('latin1', stop - 2) === BEGINNING) stop--;
		atLineStart = chunk[stop - 1] === NEWLINE;
		yield cursor.advance(stop);
	}
}

function startsWith(bytes: Buffer, beginning: Buffer): boolean {
	return bytes.length >= beginning.length && bytes.subarray(0, beginning.length).equals(beginning);
}
