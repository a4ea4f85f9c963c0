/** Where statements of a dump name roles, and how they name others instead. */
import type { SqlTokens, Token } from './sql-tokens';

/** Words in the place of a role that are none. */
const NO_ROLES = new Set(['public', 'current_user', 'current_role', 'session_user', 'default', 'none']);

/** ALTER … OWNER TO role; */
export function isOwnership(tokens: SqlTokens): boolean {
	return tokens.isWhole && tokens.word(0) === 'alter' && tokens.follow(tokens.list.length - 4, 'owner', 'to');
}

export function isPrivilege(tokens: SqlTokens): boolean {
	return tokens.starts('grant') || tokens.starts('revoke') || tokens.starts('alter', 'default', 'privileges');
}

/** pg_dump writes it around privileges that somebody else than the owner gave, and for owners when asked to. */
export function isSessionAuthorization(tokens: SqlTokens): boolean {
	return tokens.starts('set', 'session', 'authorization') || tokens.starts('reset', 'session', 'authorization');
}

/** The tokens that name a role. */
export function rolesIn(tokens: SqlTokens): Token[] {
	return places(tokens).filter(
		(token) => token.kind === 'name' || token.kind === 'string' || (token.kind === 'word' && !NO_ROLES.has(token.text)),
	);
}

function places(tokens: SqlTokens): Token[] {
	const { list } = tokens;
	if (isOwnership(tokens)) return list.slice(-2, -1);
	if (isSessionAuthorization(tokens)) return list.slice(3, 4);
	if (tokens.starts('create', 'user', 'mapping', 'for')) return list.slice(4, 5);
	if (tokens.starts('create', 'policy')) return listed(tokens, tokens.find('to'));
	if (!isPrivilege(tokens)) return [];
	const who = tokens.find('revoke') < 0 ? tokens.find('to') : tokens.find('from');
	const creator = tokens.follow(3, 'for', 'role') || tokens.follow(3, 'for', 'user') ? listed(tokens, 4) : [];
	const grantor = tokens.find('granted', who);
	return [...creator, ...listed(tokens, who), ...(grantor < 0 ? [] : list.slice(grantor + 2, grantor + 3))];
}

/** What stands behind a word, with commas between. */
function listed(tokens: SqlTokens, word: number): Token[] {
	if (word < 0) return [];
	const found: Token[] = [];
	for (let at = word + 1; at < tokens.list.length; at += 2) {
		found.push(tokens.list[at]!);
		if (tokens.word(at + 1) !== ',') break;
	}
	return found;
}

/**
 * The statement with other roles.
 * @returns the same pieces when it names none of those that are mapped
 */
export function mapRoles(
	pieces: readonly Buffer[],
	tokens: SqlTokens,
	roles: Readonly<Record<string, string>>,
): readonly Buffer[] {
	const mapped = rolesIn(tokens).filter(({ text }) => Object.hasOwn(roles, text));
	if (mapped.length === 0) return pieces;
	const text = Buffer.concat(pieces);
	const parts: Buffer[] = [];
	let at = 0;
	for (const token of mapped) {
		parts.push(text.subarray(at, token.start), Buffer.from(quoted(roles[token.text]!)));
		at = token.end;
	}
	return [...parts, text.subarray(at)];
}

/** A name for SQL in ASCII, whatever the encoding of the dump (PostgreSQL manual, "Identifiers with Unicode Escapes"). */
function quoted(name: string): string {
	const text = name.replaceAll('"', '""');
	if (/^[\x20-\x7e]*$/.test(text)) return `"${text}"`;
	const escaped = [...text.replaceAll('\\', '\\\\')].map((character) =>
		/[\x20-\x7e]/.test(character) ? character : `\\+${character.codePointAt(0)!.toString(16).padStart(6, '0')}`,
	);
	return `U&"${escaped.join('')}"`;
}
