/**
 * A plain dump as what psql would make of it: SQL statements, rows for COPY, and the few commands of psql that pg_dump
 * writes. Works on bytes as they come, and holds no more than one statement.
 */
import { BackupError } from '../../../base/errors';
import { copyData } from './copy-data';
import { describePosition, DumpCursor, type Position } from '../dump/cursor';
import { NOWHERE, SqlScanner } from './sql-scanner';
import type { Dialect } from './sql-tokens';
import { Gap, type TocEntry } from '../dump/toc';

export type { Position } from '../dump/cursor';

interface Sql extends Position {
	/** The statement with its semicolon, as the bytes of the dump in the pieces they came in. */
	pieces: readonly Buffer[];
	dialect: Dialect;
	/** What pg_dump says it belongs to; the same object for all statements of an entry. */
	entry: TocEntry | null;
}

export interface SqlStatement extends Sql {
	kind: 'statement';
	/** False for text after the last semicolon, which psql executes when the input ends. */
	terminated: boolean;
}

/** A COPY … FROM stdin and its rows. Rows that nobody reads are passed over. */
export interface CopyStatement extends Sql {
	kind: 'copy';
	/** All that stands between the statement and the line `\.`. To be read before the next item is asked for. */
	rows: AsyncIterable<Buffer>;
}

/** A command of psql's own. While one like `\restrict` is in force, only its `\unrestrict` is let through. */
export interface PsqlCommand extends Position {
	kind: 'command';
	name: 'restrict' | 'unrestrict' | 'connect';
	/** The rest of the line. */
	argument: string;
}

export type DumpItem = SqlStatement | CopyStatement | PsqlCommand;

export interface SplitOptions {
	/** Longest statement that is held in memory, bytes. Rows of a COPY do not count. Default: 512 MiB. */
	maxStatementBytes?: number;
}

export const MAX_STATEMENT_BYTES = 512 * 1024 * 1024;
const MAX_COMMAND_BYTES = 64 * 1024;
const NEWLINE = 10;
/** Longer ones are no plain SET. */
const MAX_SETTING_BYTES = 256;

/**
 * Encodings in which the second byte of a character can be a quote or a backslash. No database is stored in one of them
 * (PostgreSQL manual, "Character Set Support"), so only `pg_dump --encoding` writes them.
 */
const UNSAFE_ENCODINGS = new Set(
	'big5 win950 windows950 gb18030 gbk win936 windows936 johab sjis mskanji shiftjis win932 windows932 shiftjis2004 uhc win949 windows949'.split(
		' ',
	),
);

/**
 * Splits a plain dump. Reads only as fast as its items are taken; ending the iteration early ends the source.
 * @throws BackupError 'unsupported' for commands of psql that pg_dump does not write and for unsafe encodings,
 * 'incomplete' when the dump ends inside something, 'damaged' for what can be no dump; errors of the source as they are
 */
export async function* splitDump(
	source: AsyncIterable<Buffer>,
	{ maxStatementBytes = MAX_STATEMENT_BYTES }: SplitOptions = {},
): AsyncGenerator<DumpItem, void> {
	const cursor = new DumpCursor(source);
	const scanner = new SqlScanner();
	let restrictedBy: string | null = null;
	let dialect: Dialect = { serverMajor: null, encoding: 'UTF8', standardStrings: true };
	let entry: TocEntry | null = null;
	/** Until the first statement. */
	let isHead = true;
	try {
		for (;;) {
			const gap = new Gap();
			const found = await readStatement(cursor, scanner, gap, maxStatementBytes);
			if (isHead) dialect = { ...dialect, serverMajor: gap.serverMajor() };
			entry = gap.entry(dialect.encoding) ?? entry;
			if (found === 'the end') return;
			if (found === 'a command') {
				const command = await readCommand(cursor, restrictedBy);
				if (command.name === 'restrict') restrictedBy = command.argument;
				if (command.name === 'unrestrict') restrictedBy = null;
				yield command;
				scanner.next();
				continue;
			}
			isHead = false;
			if (scanner.copiesIn && found.terminated) {
				await passLineEnd(cursor, found);
				const { pieces, byte, line } = found;
				const data = copyData(cursor, found);
				// Without `return`: a reader who stops early must not end what has to be passed over.
				const rows = { [Symbol.asyncIterator]: () => ({ next: async () => await data.next() }) };
				yield { kind: 'copy', pieces, byte, line, rows, dialect, entry };
				while (!(await data.next()).done) continue;
			} else {
				dialect = settingOf(found, dialect);
				scanner.standardStrings = dialect.standardStrings;
				yield { kind: 'statement', ...found, dialect, entry };
			}
			scanner.next();
		}
	} finally {
		await cursor.close();
	}
}

type FoundStatement = Omit<SqlStatement, 'kind' | 'dialect' | 'entry'>;

/** @param gap gets what stands before the statement */
async function readStatement(
	cursor: DumpCursor,
	scanner: SqlScanner,
	gap: Gap,
	maxBytes: number,
): Promise<FoundStatement | 'a command' | 'the end'> {
	let pieces: Buffer[] = [];
	let bytes = 0;
	let position = cursor.position;
	while (await cursor.more()) {
		const end = scanner.scan(cursor.chunk, cursor.at);
		if (scanner.start === NOWHERE || scanner.start >= 0) {
			// What was taken for its beginning was that of a comment.
			for (const piece of pieces) gap.add(piece);
			gap.add(cursor.advance(scanner.start === NOWHERE ? end : scanner.start));
			pieces = [];
			bytes = 0;
			position = cursor.position;
		}
		const piece = cursor.advance(end);
		if (piece.includes(0)) throw damaged('a byte that no dump contains', cursor.position);
		if (piece.length > 0) pieces.push(piece);
		bytes += piece.length;
		if (bytes > maxBytes) {
			throw new BackupError(
				'unsupported',
				`the statement at ${describePosition(position)} is longer than ${maxBytes} bytes`,
				{ hint: 'Dump rows as COPY instead of INSERT, or restore this dump with psql.' },
			);
		}
		if (scanner.found === 'statement') return { pieces, terminated: true, ...position };
		if (scanner.found === 'backslash') {
			if (pieces.length === 0) return 'a command';
			throw unsupported('a backslash inside a statement', cursor.position);
		}
	}
	const open = scanner.end();
	if (open) {
		throw new BackupError(
			'incomplete',
			`the dump ends inside ${open}; the statement is at ${describePosition(position)}`,
			{
				hint: 'The dump was cut off: restore another backup.',
			},
		);
	}
	return pieces.length === 0 ? 'the end' : { pieces, terminated: false, ...position };
}

/** Reads a line that begins with a backslash. */
async function readCommand(cursor: DumpCursor, restrictedBy: string | null): Promise<PsqlCommand> {
	const { position } = cursor;
	let line = '';
	while (!line.endsWith('\n') && (await cursor.more())) {
		const end = cursor.chunk.indexOf(NEWLINE, cursor.at);
		line += cursor.advance(end < 0 ? cursor.chunk.length : end + 1).toString('latin1');
		if (line.length > MAX_COMMAND_BYTES) throw unsupported('a psql command without an end', position);
	}
	const [, name = '', argument = ''] = /^\\(\w*)\s*(.*?)\s*$/s.exec(line) ?? [];
	switch (name) {
		case 'restrict':
		case 'connect':
			if (restrictedBy === null) return { kind: 'command', name, argument, ...position };
			break;
		case 'unrestrict':
			if (restrictedBy === argument) return { kind: 'command', name, argument, ...position };
			break;
	}
	const why = restrictedBy === null ? '' : ', which \\restrict forbids';
	throw unsupported(`the psql command \\${name.slice(0, 20)}${why}`, position);
}

/** The rows of a COPY begin on the next line. */
async function passLineEnd(cursor: DumpCursor, statement: Position): Promise<void> {
	while (await cursor.more()) {
		const byte = cursor.chunk[cursor.at]!;
		const isBlank = byte === 13 || byte === 32 || byte === 9;
		if (byte !== NEWLINE && !isBlank) throw unsupported('text behind a COPY', statement);
		cursor.advance(cursor.at + 1);
		if (byte === NEWLINE) return;
	}
}

/** What pg_dump sets in the session and a reader of the dump has to know. @returns the dialect from here on */
function settingOf({ pieces, ...position }: FoundStatement, dialect: Dialect): Dialect {
	if (pieces.reduce((sum, piece) => sum + piece.length, 0) > MAX_SETTING_BYTES) return dialect;
	const text = Buffer.concat(pieces).toString('latin1');
	const [, name, value = ''] =
		/^SET\s+(?:SESSION\s+)?(standard_conforming_strings|client_encoding)\s*(?:=|\sTO\s)\s*'?([\w-]+)'?\s*;?$/i.exec(
			text,
		) ?? [];
	if (name === undefined) return dialect;
	if (name.toLowerCase() !== 'client_encoding') {
		return { ...dialect, standardStrings: /^(?:on|true|yes|1)$/i.test(value) };
	}
	if (!UNSAFE_ENCODINGS.has(value.toLowerCase().replaceAll(/[^a-z0-9]/g, ''))) return { ...dialect, encoding: value };
	throw new BackupError('unsupported', `the dump at ${describePosition(position)} is written in ${value}`, {
		hint: 'Make the dump without another encoding than the database’s own, or restore this one with psql.',
	});
}

function unsupported(what: string, position: Position): BackupError {
	return new BackupError('unsupported', `the dump holds ${what}, at ${describePosition(position)}`, {
		hint: 'Only what pg_dump writes can be restored here. Look at that place, and restore with psql if you trust it.',
	});
}

function damaged(what: string, position: Position): BackupError {
	return new BackupError('damaged', `the dump holds ${what}, before ${describePosition(position)}`, {
		hint: 'Restore another backup.',
	});
}
