/**
 * Whether a text of roles is one that {@link readGlobals} writes. It is executed with all the rights of who restores, so nothing
 * but its own forms is: a role that does not exist yet, with attributes, comment and settings of its own, and memberships.
 */
import { Readable } from 'node:stream';
import { BackupError } from '../../../base/errors';
import { splitDump } from '../replay/sql-splitter';
import { type Dialect, SqlTokens } from '../replay/sql-tokens';

const DIALECT: Dialect = { serverMajor: null, encoding: 'UTF8', standardStrings: true };

/** A form: lower-case words and symbols with blanks between, `N` for a name, `S` for a text. */
function form(text: string): RegExp {
	const name = String.raw`(?:"|[a-z_\x80-\uffff][\w$\x80-\uffff]*)`;
	const pattern = text
		.trim()
		.replaceAll(/[.]/g, '\\.')
		.replaceAll(/\bN\b/g, name)
		.replaceAll(/\bS\b/g, "'")
		.replaceAll(/\s+/g, ' ');
	return new RegExp(`^${pattern}$`);
}

const SETTING = String.raw`(?: begin (?:perform pg_catalog . set_config \( S , S , true \) ; alter role N set N(?: . N)* from current|alter role N set N to S) ;
	exception when others then raise warning S , sqlerrm ; end ;)*`;
const ATTRIBUTES =
	'(?: with(?: superuser| createdb| createrole| noinherit| login| replication| bypassrls| connection limit (?:- )?[0-9]+| valid until S| password S)+)?';
const ROLE = form(
	String.raw`begin if not exists \( select from pg_catalog . pg_roles where rolname = S \) then
	create role N${ATTRIBUTES} ;(?: comment on role N is S ;)?${SETTING} end if ; end`,
);
const BOOLEAN = '(?:true|false)';
const MEMBERSHIP = form(
	`begin grant N to N(?: with admin option| with admin ${BOOLEAN} , inherit ${BOOLEAN} , set ${BOOLEAN})? ;
	exception when undefined_object then raise warning S , sqlerrm ; end`,
);
const SETTINGS = [form('set client_encoding = S ;'), form('set standard_conforming_strings = on ;')];
const BLOCK = form('do S ;');

/** What a text of roles makes, as far as it gives more than a name. */
export interface Globals {
	superusers: string[];
	/** Roles that somebody becomes a member of. */
	granted: string[];
	/** Names of settings that roles have. */
	settings: string[];
}

/** @throws BackupError 'damaged' naming the line of what is none of our forms */
export async function parseGlobals(text: string): Promise<Globals> {
	const globals: Globals = { superusers: [], granted: [], settings: [] };
	for await (const item of splitDump(Readable.from([Buffer.from(text)]))) {
		if (item.kind !== 'statement' || !isOurs(new SqlTokens(item.pieces, DIALECT, Infinity), globals)) {
			throw new BackupError('damaged', `the roles of the backup hold something else than roles, at line ${item.line}`, {
				hint: 'This program writes no such thing: find out who changed it. Restore without the roles, and create those that are needed by hand.',
			});
		}
	}
	return globals;
}

function isOurs(tokens: SqlTokens, globals: Globals): boolean {
	const shape = shapeOf(tokens);
	if (SETTINGS.some((each) => each.test(shape))) return true;
	if (!BLOCK.test(shape)) return false;
	const body = new SqlTokens([Buffer.from(tokens.list[1]!.text)], DIALECT, Infinity);
	const block = shapeOf(body);
	if (MEMBERSHIP.test(block)) {
		globals.granted.push(body.list[2]!.text);
		return true;
	}
	if (!ROLE.test(block)) return false;
	// All of it is about the role that is not there yet.
	const name = body.list.find(({ kind }) => kind === 'string')!.text;
	const isNamed = (at: number) => body.word(at - 1) === 'role' && /^(?:create|on|alter)$/.test(body.word(at - 2));
	const named = body.list.filter((_, at) => isNamed(at)).map(({ text }) => text);
	for (const [at, { text }] of body.list.entries()) {
		if (text === 'set_config') globals.settings.push(body.list[at + 2]!.text);
	}
	if (body.find('superuser') >= 0) globals.superusers.push(name);
	return named.every((each) => each === name);
}

function shapeOf({ list }: SqlTokens): string {
	return list.map(({ kind, text }) => ({ string: "'", name: '"', word: text, symbol: text })[kind]).join(' ');
}
