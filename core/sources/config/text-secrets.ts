/** Secrets in text without a grammar of ours: comments, commands, programs, directives. Line by line, by the names that stand before them. */
import { type Edit, REMOVED } from './passage.ts';
import { isPlainValue, isSecretName, schemeOf } from './secret-names.ts';

/** A name and what separates it from its value: `name =`, `"name":`, `'name' =>`, `name',` of define(). */
const ASSIGNMENT =
	/(?<![\w$])(["'`]?)([A-Za-z_][\w.-]{0,199})\1\]?[^\S\n]{0,20}(=>|:=|\?=|=|:(?!\/\/)|,(?=[^\S\n]{0,20}["']))[^\S\n]{0,20}/g;
/** `--password value` and `-password value`; an array of arguments has quotes and commas between them. */
const FLAG = /(?<![\w-])--?([A-Za-z][\w-]{1,99})["']?[^\S\n]{0,9},?[^\S\n]{1,9}(?=[^\s-])/g;
/** What well-known programs take without a name. */
const COMMANDS: readonly RegExp[] = [
	/\b(?:mysql|mysqldump|mysqladmin|mariadb|mariadb-\w+)\b[^\n]{0,400}?\s["']?-p(?<value>[^\s"']{1,200}|"[^"]{1,200}"|'[^']{1,200}')/dg,
	/\bsshpass\s{1,9}-p\s{0,9}(?<value>[^\s"']{1,200}|"[^"]{1,200}"|'[^']{1,200}')/dg,
	/\bredis-cli\b[^\n]{0,200}?\s(?:-a|--pass)\s{1,9}["']?(?<value>[^\s"']{1,200})/dg,
	/\b(?:curl|wget|http)\b[^\n]{0,400}?\s(?:-u|--user|--proxy-user)[\s=]{1,9}["']?[^\s:"']{1,100}:(?<value>[^\s"']{1,200})/dg,
	/\bhtpasswd\s{1,9}-\w{0,9}b\w{0,9}\s{1,9}\S{1,200}\s{1,9}\S{1,100}\s{1,9}(?<value>\S{1,200})/dg,
	/\bdocker\s{1,9}login\b[^\n]{0,200}?\s-p\s{1,9}(?<value>\S{1,200})/dg,
	/^[^\S\n]{0,40}stats\s{1,9}auth\s{1,9}[^\s:]{1,100}:(?<value>\S{1,200})/dgm,
	// Elements and attributes of XML.
	/<(?<name>[\w:.-]{1,100})(?:\s[^<>]{0,200})?>(?<value>[^<>]{1,4000})<\/\k<name>>/dg,
	/\b(?:key|name)\s?=\s?["'](?<name>[^"'<>]{1,200})["'][^<>\n]{0,80}?\bvalue\s?=\s?["'](?<value>[^"'<>]{1,4000})["']/dgi,
	// Directives that name what they set: headers and variables.
	/\b(?:proxy_set_header|add_header|more_set_headers|fastcgi_param|uwsgi_param|grpc_set_header|header_up|header_down|set-header|add-header|SetEnv|Define|RequestHeader\s{1,9}\w{1,9}|Header\s{1,9}(?:always\s{1,9})?\w{1,9}|setenv|ENV|ARG|set)\s{1,9}["']?[$]?(?<name>[\w.-]{1,100})["']?\s{1,9}(?<value>"(?:[^"\\]|\\.){1,4000}"|'[^']{1,4000}'|[^\s;]{1,4000}(?:\\ [^\s;]{1,400}){0,8})/dg,
	// Caddy: a user and a hash of a password, as lines of a block; Apache and others keep such lists in files of their own.
	/\bbasic_?auth\b[^\n{]{0,200}\{[^{}]{0,8000}?\}/dg,
	// netrc, msmtp, HAProxy, FreeRADIUS: words in a row, of which one says that the next one is secret.
	/(?<![\w.-])(?<name>(?:insecure-)?password|passwd|passphrase|requirepass|masterauth|bindpw|authpass|secret|psk|PSK|XAUTH|sentinel\s{1,9}auth-pass\s{1,9}\S{1,100}|ldap_bind_password)[^\S\n]{1,20}(?![=:])(?<value>"(?:[^"\\\n]|\\.){1,400}"|'[^'\n]{1,400}'|[^\s;]*[\d!$%&*+/=?@^~_][^\s;]*|[^\s;]{1,400}(?=;?$))/dgm,
	/^[^\S\n]{0,40}(?<name>AuthLDAPBindPassword|SSLProxyMachinePassPhrase|[A-Za-z][\w.-]{0,99})[^\S\n]{1,40}(?<value>"(?:[^"\\\n]|\\.){1,4000}"|'[^'\n]{1,4000}'|[^\s;{}=:"']{1,4000});?$/dgm,
];
/** A value that is looked up when the program runs. */
const LOOKED_UP =
	/^(?:process\.env\.\w+|os\.environ\[[^\]]*\]|os\.getenv\([^,()]*\)|getenv\([^,()]*\)|env\([^,()]*\)|ENV\[[^\]]*\]|\$_(?:ENV|SERVER)\[[^\]]*\]|\$\([^()]*\))[;,)]*$/;

/**
 * The secrets in a text.
 * @param wholeLine a value without quotes after a name and a space goes on to the end of its line, as in comments
 */
export function secretsInText(text: string, wholeLine: boolean): Edit[] {
	// A single word has no name before it.
	if (!/[\s=:<]/.test(text.trim())) return [];
	return [...assignments(text, wholeLine), ...flags(text), ...commands(text)];
}

function assignments(text: string, wholeLine: boolean): Edit[] {
	const found: Edit[] = [];
	let past = 0;
	for (const match of text.matchAll(ASSIGNMENT)) {
		// What looks like a name within a value that goes is a part of it.
		if (match.index < past) continue;
		const name = match[2]!;
		if (!isSecretName(name) || isAttribute(text, name, match.index)) continue;
		const at = match.index + match[0].length;
		const range = valueAt(text, at, match.index, wholeLine && (/\s$/.test(match[0]) || match[3] === ':'));
		const before = found.length;
		add(found, text, name, range);
		if (found.length > before) past = range.end;
	}
	return found;
}

/** Whether a name is that of an element of XML, where it names what stands in another attribute. */
function isAttribute(text: string, name: string, at: number): boolean {
	return /^key$/i.test(name) && /<[\w:.-]+\s[^<>]*$/.test(text.slice(Math.max(0, at - 200), at));
}

function add(found: Edit[], text: string, name: string, range: { start: number; end: number }): void {
	const end = range.end;
	const start = range.start + schemeOf(text.slice(range.start, end)).length;
	const value = text.slice(start, end);
	const fallback = /^\$\{[A-Za-z_]\w*:?[-=+?](.*)\}$/s.exec(value);
	if (fallback) {
		const inner = end - 1 - fallback[1]!.length;
		if (!isPlainValue(name, fallback[1]!)) found.push({ start: inner, end: end - 1, text: REMOVED, where: name });
	} else if (
		value.trim() !== '' &&
		!/^[[{(|>&*]+$/.test(value) &&
		!LOOKED_UP.test(value) &&
		!isPlainValue(name, value)
	) {
		found.push({ start, end, text: REMOVED, where: name });
	}
}

/** Where a value ends that begins at a place. */
function valueAt(text: string, at: number, nameAt: number, toLineEnd: boolean): { start: number; end: number } {
	const newline = text.indexOf('\n', at);
	const lineEnd = newline === -1 ? text.length : newline - (text[newline - 1] === '\r' ? 1 : 0);
	const quote = text[at]!;
	if (at < lineEnd && /["'`]/.test(quote)) {
		for (let end = at + 1; end < lineEnd; end++) {
			if (text[end] === '\\') end++;
			else if (text[end] === quote) {
				// What follows a quote without a space belongs to the value for a shell.
				const glued = /^[^\s,;:)\]}&|<>'"`]+/.exec(text.slice(end + 1, lineEnd));
				return glued ? { start: at, end: end + 1 + glued[0].length } : { start: at + 1, end };
			}
		}
		return { start: at + 1, end: lineEnd };
	}
	let end = toLineEnd ? lineEnd : at + /^[^\s]*/.exec(text.slice(at, lineEnd))![0].length;
	const value = text.slice(at, end);
	const next = value.search(/[,;&]\s?[A-Za-z_][\w.-]{0,60}\s?[=:]/);
	if (next > 0) end = at + next;
	// Within quotes that began before the name, the value ends where they do.
	const lineStart = text.lastIndexOf('\n', nameAt) + 1;
	const before = text.slice(lineStart, at);
	for (const mark of ['"', "'", '`']) {
		const close = text.indexOf(mark, at);
		if (before.split(mark).length % 2 === 1 || close === -1 || close >= lineEnd) continue;
		// `"NAME=a value"` is one word to systemd and to shells.
		if (close < end || text[nameAt - 1] === mark) end = close;
	}
	return { start: at, end: at + trimmed(text.slice(at, end)).length };
}

/** A value without what ends the statement or the list around it. */
function trimmed(value: string): string {
	let end = value.replace(/(?:\*\/|-->)\s*$/, '').length;
	const OPENERS: Readonly<Record<string, string>> = { ')': '(', '}': '{', ']': '[' };
	for (; end > 0; end--) {
		const last = value[end - 1]!;
		const opener = OPENERS[last];
		if (opener === undefined ? !/[\s,;]/.test(last) : value.slice(0, end).includes(opener)) break;
	}
	return value.slice(0, end);
}

function flags(text: string): Edit[] {
	const found: Edit[] = [];
	for (const match of text.matchAll(FLAG)) {
		if (isSecretName(match[1]!)) {
			add(found, text, match[1]!, valueAt(text, match.index + match[0].length, match.index, false));
		}
	}
	return found;
}

function commands(text: string): Edit[] {
	const found: Edit[] = [];
	for (const pattern of COMMANDS) {
		for (const match of text.matchAll(pattern)) {
			const groups = match.groups;
			if (groups === undefined) found.push(...usersOf(match[0], match.index));
			else if (groups.name === undefined || isSecretName(groups.name)) {
				let [start, end] = match.indices!.groups!.value!;
				if (/^(["']).+\1$/s.test(text.slice(start, end))) [start, end] = [start + 1, end - 1];
				add(found, text, groups.name ?? 'password', { start, end });
			}
		}
	}
	return found;
}

/** The second words of the lines of a block. */
function usersOf(block: string, at: number): Edit[] {
	return [...block.matchAll(/^[^\S\n]*[^\s{}#]+[^\S\n]+(?<hash>[^\s{}]+)/dgm)]
		.filter(({ 0: line }) => !/^\s*(?:basic_?auth)\b/.test(line))
		.map((match) => {
			const [start, end] = match.indices!.groups!.hash!;
			return { start: at + start, end: at + end, text: REMOVED, where: 'basic_auth' };
		});
}
