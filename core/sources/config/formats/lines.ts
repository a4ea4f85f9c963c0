/** Files of `name = value` lines: env files, INI, systemd units, PostgreSQL's configuration. Quotes and lines that go on are kept together. */
import { type Passage, UnreadableFile } from '../passage.ts';

const LINE =
	/^(?<indent>[^\S\n]*)(?:(?<comment>[#;!].*)|\[(?<section>[^\]\n]{0,200})\][^\n]*|(?<name>(?:export[^\S\n]+)?[^\s=:#;[\]][^=:\n]{0,200}?)(?<separator>[^\S\n]*[=:][^\S\n]*)(?<value>[^\n]*)|(?<rest>[^\n]*))$/;

/**
 * @param env quotes may hold several lines, as in env files
 * @throws UnreadableFile where a quote of an env file does not end
 */
export function linePassages(text: string, env: boolean): Passage[] {
	const found: Passage[] = [];
	let section: string[] = [];
	let at = 0;
	while (at < text.length) {
		const lineEnd = endOf(text, at);
		const line = text
			.slice(at, lineEnd)
			.replace(/^\ufeff/, ' ')
			.replace(/\r$/, '');
		const {
			comment,
			section: name,
			name: key,
			separator,
			value,
			rest,
			indent,
		} = LINE.exec(line)?.groups ?? { rest: line };
		let next = lineEnd + 1;
		if (comment !== undefined || (rest ?? '').trim() !== '') {
			found.push({ keys: [], start: at, end: at + line.length, text: line, free: true });
		} else if (name !== undefined) section = [name];
		else if (key !== undefined) {
			const start = at + (indent?.length ?? 0) + key.length + separator!.length;
			const end =
				env && /^["'`]/.test(value!) ? quotedEnd(text, start) : continuedEnd(text, start, indent?.length ?? 0, env);
			next = endOf(text, end) + 1;
			const keys = [...section, key.replace(/^export\s+/, '').trim()];
			found.push(...valuePassages(text, keys, start, end));
			const tail = text.slice(end, next - 1);
			if (tail.trim() !== '') found.push({ keys: [], start: end, end: end + tail.length, text: tail, free: true });
		}
		at = next;
	}
	return found;
}

function endOf(text: string, at: number): number {
	const end = text.indexOf('\n', at);
	return end === -1 ? text.length : end;
}

/** The end of a value in quotes, with what follows without a space: shells put both together. */
function quotedEnd(text: string, start: number): number {
	const quote = text[start]!;
	for (let at = start + 1; at < text.length; at++) {
		if (text[at] === '\\' && quote !== "'") at++;
		else if (text[at] === quote) {
			const glued = /^(?:[^\s#][^\r\n]*)?/.exec(text.slice(at + 1, endOf(text, at)))!;
			return at + 1 + glued[0].length;
		}
	}
	throw new UnreadableFile('has a quote without an end');
}

/** The end of a value with the lines that go on: after a backslash, in three quotes, or further indented than their name. */
function continuedEnd(text: string, start: number, indent: number, env: boolean): number {
	if (!env && text.startsWith('"""', start)) {
		const close = text.indexOf('"""', start + 3);
		if (close !== -1) return close + 3;
	}
	let end = endOf(text, start);
	for (;;) {
		const line = text.slice(text.lastIndexOf('\n', end - 1) + 1, end).replace(/\r$/, '');
		const following = text.slice(end + 1, endOf(text, end + 1));
		const goesOn =
			line.endsWith('\\') || (!env && /^[^\S\n]+[^\s#;]/.test(following) && following.search(/\S/) > indent);
		if (!goesOn || end >= text.length) break;
		end = endOf(text, end + 1);
	}
	const last = text.slice(start, end);
	// A comment has a space on both sides of its mark; without, it may be a part of the value.
	const comment = /[^\S\n][#;] [^\n]*$/.exec(last);
	const value = comment && !/^\s*["'`]/.test(last) ? last.slice(0, comment.index) : last;
	return start + value.trimEnd().length;
}

function valuePassages(text: string, keys: string[], start: number, end: number): Passage[] {
	const raw = text.slice(start, end);
	const quote = /^("""|["'`])/.exec(raw)?.[0];
	if (
		quote !== undefined &&
		raw.length >= 2 * quote.length &&
		raw.endsWith(quote) &&
		!raw.slice(quote.length, -quote.length).replaceAll(/\\./g, '').includes(quote)
	) {
		return [
			{ keys, start: start + quote.length, end: end - quote.length, text: raw.slice(quote.length, -quote.length) },
		];
	}
	return [{ keys, start, end, text: raw }];
}
