/** Whom each SQLSTATE blames, as docs/design.md says it. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { blameFor, type RefusedStatement } from '../../../../core/sources/postgres/replay/verdict';

const page = readFileSync(path.join(__dirname, '../../../../docs/design.md'), 'utf8');
const [, section] = /### What a refused statement proves\n([^]*?)\nTwo things/.exec(page)!;
/** The rows of the table: SQLSTATEs in words, and the outcome. */
const rows = [...section!.matchAll(/^\| (.+?) +\| (bad|environment|bad, or environment) +\|/gm)].map(
	([, codes, outcome]) => ({
		codes: codes!,
		outcome: outcome!,
	}),
);

const STATEMENT: RefusedStatement = {
	...{ sqlState: '', message: 'refused', statement: 'ALTER TABLE a ADD b int', serverAge: 'same' },
	...{ isPart: false, missing: null, differs: [] },
};
const isEnvironment = (refusal: Partial<RefusedStatement>) => blameFor({ ...STATEMENT, ...refusal }).environment;

/** Each class and code that a row begins with; a class stands for a code of it that no other row has. */
const codesOf = (text: string) =>
	(/^[0-9A-Z, ]+/.exec(text)?.[0] ?? '')
		.split(', ')
		.filter(Boolean)
		.map((code) => code.trim().padEnd(5, 'Z'));

it.each(rows.filter(({ codes }) => /^[0-9A-Z]/.test(codes) && !/ (?:of|that|,? ?written) /.test(codes)))(
	'$codes: $outcome',
	({ codes, outcome }) => {
		for (const sqlState of codesOf(codes)) {
			expect([sqlState, isEnvironment({ sqlState })]).toEqual([sqlState, outcome === 'environment']);
		}
	},
);

it('what values and constraints make of rows is no proof where encoding, locale or time zone are not the original’s', () => {
	const differs = ['the locale de_DE'];
	for (const sqlState of ['22P02', '22007', '23505', '23514', 'P0001']) {
		expect([isEnvironment({ sqlState }), isEnvironment({ sqlState, differs })]).toEqual([false, true]);
	}
	for (const sqlState of ['22001', '22P04', '23502', '23503']) expect(isEnvironment({ sqlState, differs })).toBe(false);
});

it('what is unknown is no proof on a server of another version, or where only a part is restored', () => {
	for (const sqlState of ['42601', '42883', '22023', '3F000']) {
		expect(isEnvironment({ sqlState })).toBe(false);
		for (const other of [{ serverAge: 'older' }, { serverAge: 'newer' }, { isPart: true }] as const) {
			expect(isEnvironment({ sqlState, ...other })).toBe(true);
		}
	}
});

it('a name that the dump itself brings is proof on every version, and the hint says what to change', () => {
	for (const sqlState of ['42P01', '42883', '42704']) {
		for (const missing of ['search path', 'later'] as const) {
			for (const serverAge of ['older', 'newer', 'same', 'unknown'] as const) {
				const { environment, hint } = blameFor({ ...STATEMENT, sqlState, missing, serverAge });
				expect([environment, hint]).toEqual([false, expect.stringContaining('make a new backup')]);
			}
		}
	}
});

it.each([
	['role', 'ALTER TABLE a OWNER TO b', 'role "b" does not exist'],
	['extension', 'CREATE EXTENSION postgis', 'extension "postgis" is not available'],
	['tablespace', "SET default_tablespace = 'fast'", 'tablespace "fast" does not exist'],
	['locale', "CREATE COLLATION de (locale = 'de_DE')", 'could not create locale'],
	['setting', 'CREATE INDEX i ON t (f(x))', 'unrecognized configuration parameter "app.x"'],
])('%s: nothing that the dump of a database brings', (_, statement, message) => {
	expect(isEnvironment({ sqlState: '42704', statement, message })).toBe(true);
});

it('the table has all of its rows', () => {
	expect(rows.length).toBe(12);
	expect(isEnvironment({ sqlState: '99999' })).toBe(false);
});
