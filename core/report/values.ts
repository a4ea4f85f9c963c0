/** Reading of items, which any node can make: what is missing or of another type becomes nothing, never an error. */

export type Facts = Readonly<Record<string, unknown>>;

/** Of one text of an item, characters. A server may say megabytes. */
const LONGEST = 2000;
/** Of one name: PostgreSQL allows 63 bytes, and a group has several parts. */
const LONGEST_NAME = 400;
/** Of one list of an item. */
const MOST = 100_000;

/** Escape codes and what turns the direction of writing would change how all the rest looks. */
// eslint-disable-next-line no-control-regex
const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Secrets that somebody else's text may hold; ours hold none. */
const SECRETS: ReadonlyArray<readonly [RegExp, string]> = [
	[/AGE-SECRET-KEY-[0-9A-Z-]+/gi, 'AGE-SECRET-KEY-***'],
	[/-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?/g, '*** private key ***'],
	[/(:\/\/[^\s:/@]{0,200}:)[^\s/@]{1,500}@/g, '$1***@'],
	[/\b(Bearer|Basic) [\w.~+/=-]{8,}/gi, '$1 ***'],
	[/\b(password|passphrase|secret|token)(=|["']\s{0,3}:\s{0,3})[^\s,;&]+/gi, '$1$2***'],
];

/**
 * Codes of Node, in words. n8n exchanges the whole message of an error that has one of them in it for a sentence of its own,
 * which names nothing (`COMMON_ERRORS` in n8n-workflow's node.error).
 */
const CODES: ReadonlyArray<readonly [RegExp, string]> = [
	[/\b(?:connect )?ECONNREFUSED\b/g, 'connection refused:'],
	[/\b(?:read |write )?(?:ECONNRESET|ECONNABORTED)\b/g, 'connection lost'],
	[/\b(?:getaddrinfo )?(?:ENOTFOUND|EAI_AGAIN)\b/g, 'no such host:'],
	[/\b(?:connect )?ETIMEDOUT\b/g, 'no answer:'],
	[/\b(?:connect )?(?:EHOSTUNREACH|EADDRNOTAVAIL)\b/g, 'no way to the host:'],
	[/\bENOENT\b/g, 'not found'],
	[/\b(?:EACCES|EPERM)\b/g, 'not allowed'],
	[/\b(?:EISDIR|ENOTDIR|EEXIST)\b/g, 'something else is there'],
];

/** The fields of an object; none of anything else. */
export function factsOf(value: unknown): Facts {
	return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Facts) : {};
}

/** A list; of anything else, and of what lies beyond any sense, nothing. */
export function listOf(value: unknown): readonly unknown[] {
	return Array.isArray(value) ? value.slice(0, MOST) : [];
}

/** A finite number, or null. */
export function numberOf(value: unknown): number | null {
	return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** A count or a size: 0 where there is none. */
export function amountOf(value: unknown): number {
	return Math.max(numberOf(value) ?? 0, 0);
}

/** A text, without secrets, control characters and codes of Node, in one piece of at most 2,000 characters; '' where there is none. */
export function textOf(value: unknown): string {
	if (typeof value !== 'string') return '';
	const shown = value.slice(0, LONGEST * 2).replace(INVISIBLE, ' ');
	return shortened(
		[...SECRETS, ...CODES].reduce((text, [found, instead]) => text.replace(found, instead), shown),
		LONGEST,
	);
}

/** A text in one line, for names: a name with a line break could pretend to be a line of the report. */
export function nameOf(value: unknown): string {
	return shortened(textOf(value).replace(/\s+/g, ' ').trim(), LONGEST_NAME);
}

/** The texts in a list, each in one line. */
export function textsOf(value: unknown): string[] {
	return listOf(value)
		.map((each) => textOf(each).replace(/\s+/g, ' ').trim())
		.filter((text) => text !== '');
}

/** What an error is about in words. n8n's nodes write it as a text or as an object. */
export function errorText(error: unknown): string {
	const text = typeof error === 'string' ? error : factsOf(error).message;
	return textOf(text).trim();
}

/** At most so many characters, an ellipsis included. Never half of a character. */
export function shortened(text: string, limit: number): string {
	if (text.length <= limit) return text;
	const kept = text.slice(0, limit - 1);
	return `${/[\ud800-\udbff]$/.test(kept) ? kept.slice(0, -1) : kept}…`;
}
