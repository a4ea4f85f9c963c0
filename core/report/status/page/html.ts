/** HTML in which every value is escaped, unless it is HTML of ours itself. */

/** HTML that needs no escape any more. */
export class Html {
	constructor(readonly text: string) {}
}

type Value = string | number | null | undefined | false | Html | readonly Value[];

/** A template of HTML. Texts and numbers in it are escaped; null, undefined and false are nothing; lists are joined. */
export function html(strings: TemplateStringsArray, ...values: Value[]): Html {
	// Indentation is for who reads the source.
	const parts = strings.map((text) => text.replace(/\s*\n\s*/g, '\n'));
	return new Html(parts.map((text, at) => text + (at < values.length ? rendered(values[at]) : '')).join(''));
}

function rendered(value: Value): string {
	if (value === null || value === undefined || value === false) return '';
	if (value instanceof Html) return value.text;
	if (typeof value === 'object') return value.map(rendered).join('');
	return escaped(String(value));
}

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
/** Control characters, and those that turn the direction of what follows. */
const INVISIBLE = /[^\P{Cc}\n\t]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

function escaped(text: string): string {
	return text.replace(INVISIBLE, '\ufffd').replace(/[&<>"']/g, (char) => ESCAPES[char]!);
}
