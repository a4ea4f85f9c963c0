/** The few messages of PostgreSQL's protocol that the embedded database is asked with (PostgreSQL manual, "Message Formats"). */

/** One statement, as it stands in a dump. */
export function queryMessage(pieces: readonly Buffer[]): Buffer {
	return message('Q', [...pieces, ZERO]);
}

/** What precedes the rows of a COPY … FROM stdin; {@link setRowsLength} completes it. */
export function copyHead(pieces: readonly Buffer[]): Buffer {
	return Buffer.concat([queryMessage(pieces), message('d', [])]);
}

/** Writes into a head, which may be followed by more bytes, how many bytes of rows there are. */
export function setRowsLength(head: Buffer, headLength: number, rows: number): void {
	head.writeUInt32BE(4 + rows, headLength - 4);
}

/** What follows the rows. */
export const COPY_END = message('c', []);

/**
 * One statement with values, in the extended protocol: a text with several statements is refused.
 * @param values in text form
 */
export function extendedMessage(text: string, values: ReadonlyArray<string | null>): Buffer {
	const bound = values.flatMap((value) => {
		if (value === null) return [int32(-1)];
		const bytes = Buffer.from(value);
		return [int32(bytes.length), bytes];
	});
	return Buffer.concat([
		message('P', [ZERO, Buffer.from(text), ZERO, int16(0)]),
		message('B', [ZERO, ZERO, int16(0), int16(values.length), ...bound, int16(0)]),
		message('D', [Buffer.from('P'), ZERO]),
		message('E', [ZERO, int32(0)]),
		message('S', []),
	]);
}

const ZERO = Buffer.alloc(1);

/** A letter, then a length that counts itself, then the content. */
function message(letter: string, content: readonly Buffer[]): Buffer {
	const length = content.reduce((sum, { length: bytes }) => sum + bytes, 4);
	return Buffer.concat([Buffer.from(letter), int32(length), ...content]);
}

function int16(value: number): Buffer {
	const bytes = Buffer.alloc(2);
	bytes.writeInt16BE(value);
	return bytes;
}

function int32(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeInt32BE(value);
	return bytes;
}
