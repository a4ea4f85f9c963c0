/**
 * Which statements of a dump are refused: all that pg_dump (src/bin/pg_dump/pg_dump.c) does not write, and of what it writes
 * what reaches out of the database. Statements are told by their tokens, so that nothing in a text counts. It is no wall
 * around what runs inside of the server: functions of the dump run with the rights of who restores.
 */
import type { Allowance } from './allowances';
import { type Dialect, SqlTokens, type Token } from './sql-tokens';

/** Kinds of objects in a database, by the first word after CREATE, ALTER or COMMENT ON. */
const OBJECTS = new Set(
	`access aggregate cast collation column constraint conversion default domain event extension foreign function index
	language large materialized operator policy procedural procedure publication rule schema sequence server statistics
	subscription table text transform trigger type view`.split(/\s+/),
);
const MODIFIERS = new Set(['or', 'replace', 'unlogged', 'unique', 'constraint', 'trusted', 'recursive']);
const ROLES = new Set(['role', 'user', 'group']);
const OF_THE_SERVER = new Set(['system', 'database', 'tablespace', 'parameter']);

/** At the beginning of a dump, or about the texts of values. No other setting is changed: one can turn a reader against us. */
const SETTINGS = new Set(
	`statement_timeout lock_timeout idle_in_transaction_session_timeout transaction_timeout client_encoding
	standard_conforming_strings escape_string_warning check_function_bodies xmloption client_min_messages row_security
	search_path default_tablespace default_table_access_method default_with_oids datestyle intervalstyle timezone
	lc_monetary lc_numeric extra_float_digits xmlbinary bytea_output array_nulls transform_null_equals
	default_transaction_read_only`.split(/\s+/),
);

/** Whoever splits the dump has to understand them as the server does, and does so in this form only. */
const READ_BY_US: Readonly<Record<string, RegExp>> = {
	standard_conforming_strings: /^(?:on|off)$/,
	client_encoding: /^[\w-]+$/,
};

/** Functions that pg_dump calls, with literals only. */
const CALLS = new Set([
	'setval',
	'lo_create',
	'lo_open',
	'lowrite',
	'lo_close',
	'pg_restore_relation_stats',
	'pg_restore_attribute_stats',
]);

/** Languages whose functions the server holds back. An unknown one counts as one that it does not. */
const TRUSTED_LANGUAGES = new Set('sql plpgsql plperl pltcl plv8 plls plcoffee pllua plrust java'.split(' '));

/** Functions of the server that open files, wherever an expression is computed during a restore. */
const OPENS_FILES =
	/^(?:lo_(?:im|ex)port|pg_read_(?:binary_)?file(?:_all|_off_len.*)?|pg_ls_\w+|pg_stat_file|pg_file_\w+)$/;

/** What has to be read to its end; of all else, the beginning says what it is. */
const WITH_VALUES = /^(?:insert|select)\b/i;

/** @returns what must be allowed for this statement to be executed; null for what a dump needs */
export function needsAllowance({ pieces, dialect }: { pieces: readonly Buffer[]; dialect: Dialect }): Allowance | null {
	const isLong = WITH_VALUES.test(pieces[0]?.toString('latin1', 0, 7) ?? '');
	return ofStatement(new SqlTokens(pieces, dialect, isLong ? Infinity : undefined));
}

function ofStatement(tokens: SqlTokens): Allowance | null {
	switch (tokens.word(0)) {
		case 'create':
			return ofCreate(tokens);
		case 'alter':
			return ofAlter(tokens);
		case 'comment':
		case 'security':
			return ofRemark(tokens);
		case 'grant':
		case 'revoke':
			return ofPrivileges(tokens);
		case 'copy':
			return ofCopy(tokens);
		case 'insert':
			return isPlainInsert(tokens) ? null : 'other-statements';
		case 'set':
		case 'reset':
			return ofSetting(tokens);
		case 'select':
			return isKnownCall(tokens) ? null : (ofExpressions(tokens) ?? 'other-statements');
		case 'refresh':
			return tokens.starts('refresh', 'materialized', 'view') ? null : 'other-statements';
		case 'begin':
		case 'commit':
			return tokens.word(1) === ';' && tokens.list.length === 2 ? null : 'other-statements';
		case 'do':
			return 'code-blocks';
		case 'load':
			return 'c-functions';
		case 'drop':
		case 'reassign':
			return ofAnother(tokens, 1);
	}
	return 'other-statements';
}

function ofCreate(tokens: SqlTokens): Allowance | null {
	let at = 1;
	while (MODIFIERS.has(tokens.word(at))) at++;
	const kind = tokens.word(at);
	if (kind === 'user' && tokens.word(at + 1) === 'mapping') return null;
	switch (kind) {
		case 'function':
		case 'procedure':
			return ofLanguage(tokens);
		case 'language':
		case 'procedural':
			return 'untrusted-languages';
		case 'subscription':
			return holds(tokens, 'connect', '=', 'false') ? null : 'other-statements';
		case 'foreign':
		case 'server':
			return readsFiles(tokens) ? 'programs-and-files' : null;
		case 'view':
			return null;
		case 'table':
			// What a query finds is never part of a definition.
			return tokens.find('as') < 0 ? ofExpressions(tokens) : 'other-statements';
		// UNIQUE INDEX and CONSTRAINT TRIGGER have lost their first word.
		case 'index':
		case 'trigger':
			return ofExpressions(tokens);
	}
	return ofAnother(tokens, at) ?? ofExpressions(tokens);
}

function ofAlter(tokens: SqlTokens): Allowance | null {
	const kind = tokens.word(1);
	const isOwnership = tokens.follow(tokens.list.length - 4, 'owner', 'to');
	// An extension brings its own objects; only an upgrade of the server puts others into it.
	if (kind === 'extension') return 'other-statements';
	if (kind === 'subscription') return isOwnership ? null : 'other-statements';
	if ((kind === 'foreign' || kind === 'server') && readsFiles(tokens)) return 'programs-and-files';
	if (tokens.starts('alter', 'user', 'mapping')) return null;
	return ofAnother(tokens, 1) ?? ofExpressions(tokens);
}

/** COMMENT ON, SECURITY LABEL [FOR provider] ON */
function ofRemark(tokens: SqlTokens): Allowance | null {
	const on = tokens.find('on');
	return on < 0 ? 'other-statements' : ofAnother(tokens, on + 1);
}

/** @param at of the kind of object that a statement is about */
function ofAnother(tokens: SqlTokens, at: number): Allowance | null {
	const kind = tokens.word(at);
	if (ROLES.has(kind) || kind === 'owned') return 'roles';
	if (OF_THE_SERVER.has(kind)) return 'server';
	if (tokens.word(0) === 'drop') return 'other-statements';
	return OBJECTS.has(kind) ? null : 'other-statements';
}

/** Without ON, a role is given to another one. */
function ofPrivileges(tokens: SqlTokens): Allowance | null {
	const on = tokens.find('on');
	const to = tokens.find(tokens.word(0) === 'grant' ? 'to' : 'from');
	if (on < 0 || (to >= 0 && to < on)) return 'roles';
	return OF_THE_SERVER.has(tokens.word(on + 1)) ? 'server' : null;
}

/** COPY table [(columns)] FROM stdin; nothing else, neither options nor a condition. */
function ofCopy(tokens: SqlTokens): Allowance | null {
	const at = afterColumns(tokens, 1);
	if (tokens.follow(at, 'from', 'stdin', ';') && tokens.list.length === at + 3) return null;
	const direction = tokens.list.findIndex(({ depth, text }) => depth === 0 && (text === 'from' || text === 'to'));
	const place = tokens.list[direction + 1];
	const isOutside = place?.kind === 'string' || place?.text === 'program';
	return direction > 0 && isOutside ? 'programs-and-files' : 'other-statements';
}

/** The index behind `table (columns)`. */
function afterColumns(tokens: SqlTokens, from: number): number {
	const at = tokens.relation(from)?.next ?? from;
	if (tokens.word(at) !== '(') return at;
	return tokens.list.findIndex(({ text, depth }, index) => index > at && text === ')' && depth === 0) + 1;
}

function ofSetting(tokens: SqlTokens): Allowance | null {
	if (tokens.follow(1, 'session', 'authorization')) return null; // who may, loses rights by it
	const name = tokens.word(1);
	if (ROLES.has(name)) return 'roles';
	const values = tokens.list.slice(3, -1);
	const isAssignment = tokens.starts('set') && tokens.word(2) === '=' && areValues(values);
	const isKnown = READ_BY_US[name]?.test(values.map(({ text }) => text).join(' ')) ?? SETTINGS.has(name);
	return isAssignment && isKnown ? null : 'other-statements';
}

/** SELECT pg_catalog.setval('public.s', 5, true); */
function isKnownCall(tokens: SqlTokens): boolean {
	const { list } = tokens;
	if (!tokens.isWhole || !tokens.follow(1, 'pg_catalog', '.') || tokens.word(4) !== '(') return false;
	if (!tokens.follow(list.length - 2, ')', ';') || !areLiterals(list.slice(5, -2))) return false;
	if (CALLS.has(tokens.word(3))) return true;
	const setting = list[5];
	const name = setting?.kind === 'string' ? setting.text.toLowerCase() : '';
	return tokens.word(3) === 'set_config' && SETTINGS.has(name) && !Object.hasOwn(READ_BY_US, name);
}

/** INSERT INTO table [(columns)] [OVERRIDING SYSTEM VALUE] VALUES (literals), … [ON CONFLICT DO NOTHING]; */
function isPlainInsert(tokens: SqlTokens): boolean {
	const head = afterColumns(tokens, 2);
	const values = tokens.word(head) === 'overriding' ? head + 3 : head;
	if (!tokens.isWhole || !tokens.starts('insert', 'into') || tokens.word(values) !== 'values') return false;
	const conflict = tokens.find('on', values);
	if (conflict >= 0 && !tokens.follow(conflict, 'on', 'conflict', 'do', 'nothing', ';')) return false;
	const rows = tokens.list.slice(values + 1, conflict < 0 ? -1 : conflict);
	const between = rows.filter(({ depth }) => depth === 0);
	const inside = rows.filter(({ depth }) => depth > 0);
	return between.every(({ kind, text }) => kind === 'symbol' && /^[(),]$/.test(text)) && areLiterals(inside);
}

/** Values of a setting: no list of them can call anything. */
function areValues(tokens: readonly Token[]): boolean {
	return tokens.every(({ kind, text }) => kind !== 'symbol' || /^[-,.]$/.test(text));
}

/** Numbers, texts, true, false, null, default, casts to a type, arrays of none. */
function areLiterals(tokens: readonly Token[]): boolean {
	return tokens.every(
		({ kind, text }) =>
			kind === 'string' || (kind === 'symbol' ? /^[-+,.:[\]]$/.test(text) : kind === 'word' || kind === 'name'),
	);
}

/** The language that a function is written in stands before its body. */
function ofLanguage(tokens: SqlTokens): Allowance | null {
	const { list } = tokens;
	const clause = list.findIndex(
		({ kind, text, depth }, at) =>
			kind === 'word' && text === 'language' && depth === 0 && tokens.word(at - 1) !== '.' && at + 1 < list.length,
	);
	const language = list[clause + 1];
	if (clause < 0 || language === undefined || language.kind === 'symbol') return 'other-statements';
	const name = language.text.toLowerCase();
	if (name === 'c' || name === 'internal') return 'c-functions';
	return TRUSTED_LANGUAGES.has(name) ? null : 'untrusted-languages';
}

/** A foreign table of a file, or of what a program prints. */
function readsFiles(tokens: SqlTokens): boolean {
	return tokens.list.some(
		({ kind, text }, at) =>
			kind !== 'string' && /^(?:filename|program)$/i.test(text) && tokens.list[at + 1]?.kind === 'string',
	);
}

function ofExpressions({ list }: SqlTokens): Allowance | null {
	const opens = list.some(
		({ kind, text }, at) =>
			(kind === 'word' || kind === 'name') && OPENS_FILES.test(text) && list[at + 1]?.text === '(',
	);
	return opens ? 'programs-and-files' : null;
}

function holds(tokens: SqlTokens, ...words: string[]): boolean {
	return tokens.list.some((_, at) => tokens.follow(at, ...words));
}
