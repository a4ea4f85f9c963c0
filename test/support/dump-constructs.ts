/** Random dumps of which is known what they consist of: for fast-check, to ask the splitter whether it finds the same. */
import fc from 'fast-check';
import type { SplitItem } from './splitter-thread';

/** A part of a dump, and what the splitter should find in it. */
export interface Construct {
	text: string;
	items: Array<Pick<SplitItem, 'kind' | 'text' | 'rows'>>;
}

/** Text with much of what means something in SQL; one character per byte, none of them zero. */
const scrap = fc
	.array(
		fc.oneof(
			{
				weight: 3,
				arbitrary: fc.constantFrom(...`' '' " "" $ $$ $a$ ; ( ) -- /* */ \\ \\. \\N E' \n \r \t`.split(/ /)),
			},
			{
				weight: 1,
				arbitrary: fc.constantFrom('\n\\.\n', '\n;\n', ' COPY t FROM stdin;\n', ' BEGIN ATOMIC ', ' END ', '\n'),
			},
			{
				weight: 2,
				arbitrary: fc.string({
					unit: fc.integer({ min: 1, max: 255 }).map((c) => String.fromCharCode(c)),
					maxLength: 6,
				}),
			},
		),
		{ maxLength: 8 },
	)
	.map((parts) => parts.join(''));

const tag = fc.constantFrom('', 'a', '_', 'body1', 'q\xe4', 'A_very_long_tag_of_a_function_body');

/** Expressions: nothing in them ends a statement. */
const expression = fc.oneof(
	scrap.map((text) => `'${text.replaceAll("'", "''")}'`),
	scrap.map((text) => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`),
	scrap.map((text) => `E'a'\n  '${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`),
	scrap.map((text) => `"${text.replaceAll('"', '""')}"`),
	scrap.map((text) => `U&'${text.replaceAll("'", "''")}'`),
	fc.tuple(scrap, tag).map(([text, name]) => `$${name}$${text.replaceAll('$', '')}$${name}$`),
	fc.tuple(scrap, scrap).map(([a, b]) => `/* ${plain(a)} /* ${plain(b)} */ */`),
	scrap.map((text) => `-- ${text.replaceAll(/[\n\r]/g, ' ')}\n`),
	scrap.map((text) => `(SELECT '${text.replaceAll("'", "''")}'; DELETE FROM x; )`),
	fc.constantFrom(
		'1',
		'$1',
		'a$b',
		'stdin',
		'from',
		'<>',
		'- 1',
		'::text[]',
		', ',
		'begin',
		'end',
		'case',
		'[1:2]',
		'N',
		'%',
		'/ 2',
	),
);

/** A comment must not open or close one of its own by accident. */
function plain(text: string): string {
	return text.replaceAll(/[/*]/g, '.');
}

function one(text: string): Construct {
	return { text, items: [{ kind: 'statement', text }] };
}

/** Joined by an operator: two strings on two lines without one would be a single string. */
const statement = fc
	.tuple(
		fc.constantFrom(
			'SELECT',
			'INSERT INTO t VALUES',
			'COMMENT ON TABLE a IS',
			'DO',
			'ALTER TABLE ONLY x',
			'GRANT ALL ON x TO',
		),
		fc.array(expression, { minLength: 1, maxLength: 6 }),
	)
	.map(([verb, parts]) => one(`${verb} ${parts.join(' || ')};`));

/** With the setting off, a backslash in '…' hides what follows. */
const oldStrings = fc.array(scrap, { maxLength: 3 }).map((texts): Construct => {
	const statements = texts.map((text) => `SELECT '${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}';`);
	const all = ['SET standard_conforming_strings = off;', ...statements, 'SET standard_conforming_strings = on;'];
	return { text: all.join('\n'), items: all.flatMap((text) => one(text).items) };
});

const routine = fc
	.tuple(
		fc.constantFrom('FUNCTION', 'PROCEDURE'),
		fc.boolean(),
		fc.array(fc.tuple(expression, fc.nat({ max: 3 })), { maxLength: 4 }),
	)
	.map(([kind, replace, lines]) => {
		const body = lines.map(([text, depth]) => {
			// The words of a body are counted, and a body has no loose ones.
			const value = /^(?:begin|end|case)$/.test(text) ? '1' : text;
			return `SELECT ${'CASE WHEN '.repeat(depth)}${value}${' THEN 1 END'.repeat(depth)};`;
		});
		return one(`CREATE ${replace ? 'OR REPLACE ' : ''}${kind} f() BEGIN ATOMIC\n${body.join('\n')}\nEND;`);
	});

const copy = fc
	.tuple(expression, fc.array(scrap, { maxLength: 6 }), fc.constantFrom('\n', '\r\n'))
	.filter(([column]) => column.startsWith('"'))
	.map(([column, values, end]): Construct => {
		const text = `COPY public.t (${column}) FROM stdin;`;
		// As COPY writes them: no row is the end of rows, for every backslash is doubled.
		const rows = values
			.map((value) => `${value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r')}\n`)
			.join('');
		return { text: `${text}${end}${rows}\\.${end}`, items: [{ kind: 'copy', text, rows }] };
	});

const restricted = fc.tuple(fc.stringMatching(/^[A-Za-z0-9]{1,20}$/), statement).map(
	([key, inner]): Construct => ({
		text: `\\restrict ${key}\n${inner.text}\n\\unrestrict ${key}\n`,
		items: [
			{ kind: 'command', text: `restrict ${key}` },
			...inner.items,
			{ kind: 'command', text: `unrestrict ${key}` },
		],
	}),
);

const comment = fc.oneof(
	scrap.map((text) => `--\n-- Name: ${text.replaceAll(/[\n\r]/g, ' ')}; Type: TABLE\n--\n`),
	scrap.map((text) => `/* ${plain(text)} */`),
);

const nothing = comment.map((text): Construct => ({ text, items: [] }));

/** A dump of up to a dozen constructs. */
export const randomDump = fc
	.array(
		fc.tuple(
			fc.oneof(statement, statement, copy, oldStrings, routine, restricted, nothing),
			fc.constantFrom('\n', '\n\n\n', '\n \t\n'),
		),
		{
			maxLength: 12,
		},
	)
	.map((parts) => ({
		bytes: Buffer.from(parts.map(([construct, glue]) => construct.text + glue).join(''), 'latin1'),
		items: parts.flatMap(([construct]) => construct.items),
	}));
