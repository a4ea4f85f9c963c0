import { Readable } from 'node:stream';
import fc from 'fast-check';
import { isBackupError } from '../../../../core/base/errors';
import { type DumpItem, splitDump, type SplitOptions } from '../../../../core/sources/postgres/replay/sql-splitter';

/** An item with all its bytes as text, one character per byte. */
interface Seen {
	kind: DumpItem['kind'];
	text: string;
	rows?: string;
	byte: number;
	line: number;
	terminated?: boolean;
}

async function* chunked(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
	for (let at = 0, turn = 0; at < bytes.length; turn++) {
		const size = sizes[turn % sizes.length]!;
		yield bytes.subarray(at, at + size);
		at += size;
	}
}

async function split(
	dump: string | Buffer,
	sizes: readonly number[] = [1 << 20],
	options?: SplitOptions,
): Promise<Seen[]> {
	const bytes = typeof dump === 'string' ? Buffer.from(dump) : dump;
	const seen: Seen[] = [];
	for await (const item of splitDump(chunked(bytes, sizes), options)) {
		const { kind, byte, line } = item;
		if (kind === 'command') seen.push({ kind, text: `${item.name} ${item.argument}`, byte, line });
		else {
			const text = Buffer.concat(item.pieces).toString('latin1');
			if (kind === 'statement') seen.push({ kind, text, byte, line, terminated: item.terminated });
			else {
				let rows = '';
				for await (const slice of item.rows) rows += slice.toString('latin1');
				seen.push({ kind, text, byte, line, rows });
			}
		}
	}
	return seen;
}

/** What became of any input: its items, or the error. */
async function outcome(dump: Buffer, sizes: readonly number[]): Promise<unknown> {
	try {
		return await split(dump, sizes);
	} catch (error) {
		if (!isBackupError(error)) throw error;
		return [error.code, error.message];
	}
}

async function texts(dump: string): Promise<string[]> {
	return (await split(dump)).map(({ text }) => Buffer.from(text, 'latin1').toString());
}

/** Each is one statement, however many semicolons it holds. */
const ONE_STATEMENT: Record<string, string> = {
	'a string': `SELECT 'a;b', ''';', 'back\\';`,
	'a string with escapes': `SELECT E'it\\'s; \\\\', e'\\';';`,
	'a string with escapes that goes on in the next line': `SELECT E'a\\';'\n  -- why not\n '\\';b';`,
	'other kinds of strings': `SELECT B'01', X'ff', U&'\\0061;', N'n;', U&"a;" ;`,
	'no string with escapes, since the word is longer': `SELECT type'a\\';`,
	'quoted names': `CREATE TABLE "a;b"";'c" ("d--" int);`,
	'a name with line feeds and a backslash': `CREATE TABLE "a\n;\\.\n\\" (i int);`,
	'dollar quotes': `DO $$ BEGIN; $a$ ; END $$;`,
	'dollar quotes with a tag': `DO $t1_ä$ ; $$ ; $t1_a$ ; $t1_ä $t1_ä$;`,
	'a dollar quote within what looks like one': `SELECT $x$;$a$x$;`,
	'parameters and names with dollars': `PREPARE p AS SELECT $1, $2, a$b$c, "x"$$;$$;`,
	'a dollar without an end': `SELECT $a, $b;`,
	'line comments': `SELECT 1 -- ; ' " $$ /*\n;`,
	'nested comments': `SELECT /* ; /* ' */ ; /*/ " */ $$ ; **/ 1;`,
	'comments after operators': `SELECT 1+/* ; */2 *--;\n 3 - - 4 / / 5;`,
	'a rule with several statements': `CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO a VALUES (1); DELETE FROM b;);`,
	'brackets in quotes': `SELECT '(', ")", $$($$ /* ( */ -- (\n;`,
	'too many closing brackets': `SELECT 1));`,
	'a body in standard SQL': `CREATE FUNCTION f(a int) RETURNS int\n  LANGUAGE sql\n  BEGIN ATOMIC\n  SELECT CASE WHEN a > 1 THEN CASE a WHEN 2 THEN 3 END ELSE 4 END;\n  SELECT 2;\nEND;`,
	'the same for a procedure': `create or replace procedure p() begin /* x */ atomic insert into t values (1); end;`,
	'a body that names things "begin" and "end"': `CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT t.begin, t."end" FROM t; END;`,
	'a function that is called "begin"': `CREATE FUNCTION public.begin() RETURNS int LANGUAGE sql AS $_$ SELECT 1; $_$;`,
	'an argument with the type "atomic"': `CREATE FUNCTION f(begin atomic) RETURNS int LANGUAGE sql AS 'SELECT 1;';`,
	'a transaction block outside of a function': `BEGIN;`,
	'the end of one': `END;`,
	'a COPY to the client': `COPY t TO stdout;`,
	'a COPY from a file': `COPY t FROM '/stdin';`,
	'a COPY of a query over a column "stdin"': `COPY (SELECT 1 FROM stdin) TO stdout;`,
	nothing: `;`,
};

describe('the splitter', () => {
	it.each(Object.entries(ONE_STATEMENT))('takes %s for one statement', async (_, statement) => {
		expect(await texts(`SELECT 0;\n${statement}\nSELECT 2;`)).toEqual(['SELECT 0;', statement, 'SELECT 2;']);
	});

	it('leaves out comments and blanks between statements, and says where each statement is', async () => {
		const dump = `\n-- a comment; 'with a quote\n\n/* one ; more */ SELECT 1;\n  SELECT\n 2; -- end\n\tSELECT 3;\n--`;
		expect(await split(dump)).toEqual([
			{ kind: 'statement', text: 'SELECT 1;', line: 4, byte: dump.indexOf('SELECT 1'), terminated: true },
			{ kind: 'statement', text: 'SELECT\n 2;', line: 5, byte: dump.indexOf('SELECT\n'), terminated: true },
			{ kind: 'statement', text: 'SELECT 3;', line: 7, byte: dump.indexOf('SELECT 3'), terminated: true },
		]);
	});

	it('finds the rows of a COPY and their end', async () => {
		const rows = 'a\\.\tb\n\\.a\n\\\\.\n\n\\N\n;--\'"$$\n';
		const dump = `COPY public."a;b" ("from", x) FROM stdin;\n${rows}\\.\n\n\ncopy t from stdin WITH (FORMAT text) ;\r\n\\.\r\nSELECT 1;`;
		expect(await split(dump)).toEqual([
			{ kind: 'copy', text: 'COPY public."a;b" ("from", x) FROM stdin;', rows, line: 1, byte: 0 },
			{
				kind: 'copy',
				text: 'copy t from stdin WITH (FORMAT text) ;',
				rows: '',
				line: 11,
				byte: dump.indexOf('copy t'),
			},
			{ kind: 'statement', text: 'SELECT 1;', line: 13, byte: dump.indexOf('SELECT 1'), terminated: true },
		]);
	});

	it('passes over rows that nobody reads, or not to their end', async () => {
		const dump = Buffer.from(
			`COPY a FROM stdin;\n${'1;\n'.repeat(1000)}\\.\nCOPY b FROM stdin;\n1;\n2;\n\\.\nSELECT 1;`,
		);
		const kinds: string[] = [];
		for await (const item of splitDump(chunked(dump, [7]))) {
			kinds.push(item.kind);
			if (item.kind !== 'copy') continue;
			for await (const slice of item.rows) if (slice.length > 0) break;
		}
		expect(kinds).toEqual(['copy', 'copy', 'statement']);
	});

	it('passes rows on without copying them', async () => {
		const chunk = Buffer.from(`COPY a FROM stdin;\n${'1\n'.repeat(1000)}\\.\n`);
		for await (const item of splitDump(Readable.from([chunk]))) {
			if (item.kind !== 'copy') throw new Error('a COPY was expected');
			for await (const slice of item.rows) expect(slice.buffer).toBe(chunk.buffer);
		}
		expect.hasAssertions();
	});

	it('follows the setting of standard_conforming_strings', async () => {
		const off = `SET standard_conforming_strings = off;`;
		const on = `SET standard_conforming_strings TO 'on';`;
		const dump = [off, `SELECT 'it\\'s;', B'1''\\';', U&'\\0061' ;`, on, `SELECT '\\';`];
		expect(await texts(dump.join('\n'))).toEqual(dump);
	});

	it('gives the text after the last semicolon as a statement that has none', async () => {
		expect(await split('SELECT 1;SELECT 2 -- x')).toMatchObject([{ terminated: true }, { terminated: false }]);
	});

	it.each([
		['a string', `SELECT 'a;`],
		['a quoted name', `SELECT "a;`],
		['a dollar-quoted string', `SELECT $a$;$b$;`],
		['a comment', `/* ; /* */`],
		['a parenthesis', `CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1;`],
		['the body of a function', `CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1;`],
		['the rows of the COPY', `COPY t FROM stdin;\n1\n\\.`],
		['the rows of the COPY', `COPY t FROM stdin;`],
	])('says that a dump is incomplete when it ends inside %s', async (what, dump) => {
		await expect(split(dump)).rejects.toMatchObject({ code: 'incomplete', message: expect.stringContaining(what) });
	});

	it('gives the commands of psql that pg_dump writes', async () => {
		const dump = '\\restrict aBc1\nSELECT 1;\n\n\\unrestrict aBc1\n\\connect "a b"\n\\restrict x\r\n\\unrestrict x';
		expect((await split(dump)).map(({ text, line }) => `${line} ${text}`)).toEqual([
			'1 restrict aBc1',
			'2 SELECT 1;',
			'4 unrestrict aBc1',
			'5 connect "a b"',
			'6 restrict x',
			'7 unrestrict x',
		]);
	});

	it.each([
		['another command', '\\! rm -rf /\n'],
		['a command inside of a statement', 'SELECT 1 \\gexec\n'],
		['a command while it is restricted', '\\restrict a\n\\connect b\n'],
		['another key to end the restriction', '\\restrict a\n\\unrestrict b\n'],
		['text behind a COPY', 'COPY a FROM stdin; SELECT 1;\n\\.\n'],
		['an encoding whose characters can hold a quote', `SET client_encoding = 'SJIS';`],
	])('refuses %s', async (_, dump) => {
		await expect(split(dump)).rejects.toMatchObject({ code: 'unsupported' });
	});

	it('calls a dump with a zero byte in a statement damaged', async () => {
		await expect(split('SELECT \0;')).rejects.toMatchObject({ code: 'damaged' });
	});

	it('refuses a statement that is longer than the limit, and holds no more than that', async () => {
		let taken = 0;
		async function* endless(): AsyncGenerator<Buffer> {
			yield Buffer.from(`SELECT '`);
			for (;;) {
				taken += 1000;
				yield Buffer.alloc(1000, 'x');
			}
		}
		const items = splitDump(endless(), { maxStatementBytes: 1_000_000 });
		await expect(items.next()).rejects.toMatchObject({
			code: 'unsupported',
			message: expect.stringContaining('line 1'),
		});
		expect(taken).toBe(1_000_000);
	});

	it('reads no further than its items are taken, and ends its source when it is left', async () => {
		let taken = 0;
		let closed = false;
		async function* source(): AsyncGenerator<Buffer> {
			try {
				for (;;) {
					taken++;
					yield Buffer.from('SELECT 1;');
				}
			} finally {
				closed = true;
			}
		}
		const items = splitDump(source());
		await items.next();
		await items.next();
		expect(taken).toBe(2);
		await items.return();
		expect(closed).toBe(true);
	});

	it('lets the error of its source through', async () => {
		const source = new Readable({ read() {} });
		source.push('SELECT 1; SELECT');
		const items = splitDump(source);
		expect((await items.next()).value).toMatchObject({ kind: 'statement' });
		const broken = new Error('broken');
		source.destroy(broken);
		await expect(items.next()).rejects.toBe(broken);
	});
});

/** Scraps that mean something to a lexer, so that random sequences of them reach every state. */
const SCRAPS = [
	...`' '' " "" $ $$ $a$ $b$ $1 ; ; ; ( ) -- /* */ / * - \\ \\. \\.\n \n \r\n E' e' U&' U&" B' X' u& & N'`.split(' '),
	...'\n;\n|COPY t FROM stdin;\n|\n\\.\n|\\restrict a\n|\\unrestrict a\n|CREATE FUNCTION |BEGIN ATOMIC | CASE | END | ä| 1|x'.split(
		'|',
	),
	...[
		'SET standard_conforming_strings = off;',
		'SET standard_conforming_strings = on;',
		'\xff',
		'\t',
		'from ',
		'stdin',
	],
];
const garbled = fc
	.array(fc.oneof(fc.constantFrom(...SCRAPS), fc.string({ maxLength: 3 })), { maxLength: 60 })
	.map((scraps) => Buffer.from(scraps.join(''), 'latin1'));
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });

describe('the splitter, whatever it is given', () => {
	it('finds the same, wherever the borders of the chunks are', async () => {
		await fc.assert(
			fc.asyncProperty(garbled, sizes, async (dump, chunks) => {
				expect(await outcome(dump, chunks)).toEqual(await outcome(dump, [dump.length + 1]));
			}),
			{ numRuns: 3000 },
		);
	});

	it('ends, and yields nothing but parts of its input in their order', async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.oneof(
					garbled,
					fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
				),
				sizes,
				async (dump, chunks) => {
					let passed = 0;
					try {
						for await (const item of splitDump(chunked(dump, chunks))) {
							expect(item.byte).toBeGreaterThanOrEqual(passed);
							expect(item.line).toBe(dump.subarray(0, item.byte).toString('latin1').split('\n').length);
							passed = item.byte;
							if (item.kind === 'command') continue;
							const bytes = Buffer.concat(item.pieces);
							expect(dump.subarray(passed, passed + bytes.length).equals(bytes)).toBe(true);
							passed += bytes.length;
							if (item.kind !== 'copy') continue;
							const data = dump.indexOf('\n', passed) + 1;
							const rows: Buffer[] = [];
							for await (const slice of item.rows) rows.push(slice);
							const all = Buffer.concat(rows);
							expect(dump.subarray(data, data + all.length).equals(all)).toBe(true);
							passed = data + all.length;
						}
					} catch (error) {
						if (!isBackupError(error)) throw error;
					}
				},
			),
			{ numRuns: 3000 },
		);
	});

	/** Statements and COPYs that may stand next to each other in any order. */
	const items = fc.array(
		fc.oneof(
			fc.constantFrom(...Object.values(ONE_STATEMENT)),
			fc.string().map((text) => `SELECT '${text.replaceAll("'", "''").replaceAll('\0', '')}';`),
			fc.string().map((text) => `SELECT "${text.replaceAll('"', '""').replaceAll('\0', '')}";`),
			fc.string().map((text) => `DO $q$${text.replaceAll(/[$\0]/g, '')}$q$;`),
			fc
				.array(fc.string().map((text) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')))
				.map((lines) => `COPY t FROM stdin;\n${lines.map((line) => `${line}\n`).join('')}\\.`),
		),
	);
	const glue = fc.constantFrom('\n', '\n\n', '\n--\n-- Name: a; Type: TABLE\n--\n\n', '\n/* ; */ ');

	it('takes statements apart that were put together', async () => {
		await fc.assert(
			fc.asyncProperty(items, glue, sizes, async (parts, between, chunks) => {
				const dump = Buffer.from(parts.map((part) => part + between).join(''));
				const found = await split(dump, chunks);
				const back = found.map(({ text, rows }) => text + (rows === undefined ? '' : `\n${rows}\\.`));
				expect(back).toEqual(parts.map((part) => Buffer.from(part).toString('latin1')));
			}),
			{ numRuns: 500 },
		);
	});
});
