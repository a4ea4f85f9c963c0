/** Every secret in the text of a file: by the names of values, by the words before them, by their form. */
import { linePassages } from './formats/lines.ts';
import { columnPassages } from './formats/columns.ts';
import { jsonPassages } from './formats/json.ts';
import { tomlPassages } from './formats/toml.ts';
import { yamlPassages } from './formats/yaml.ts';
import type { ConfigFormat } from './kinds.ts';
import { type Edit, type Passage, REMOVED } from './passage.ts';
import { isPlainValue, isSecretName, isStrongName, schemeOf } from './secret-names.ts';
import { shapesIn } from './secret-shapes.ts';
import { secretsInText } from './text-secrets.ts';

/**
 * The places of a file that may hold a secret.
 * @throws UnreadableFile when it does not parse
 */
function passagesOf(text: string, format: ConfigFormat): Passage[] {
	switch (format) {
		case 'yaml':
			return yamlPassages(text);
		case 'json':
			return jsonPassages(text);
		case 'toml':
			return tomlPassages(text);
		case 'env':
			return linePassages(text, true);
		case 'lines':
			return linePassages(text, false);
		case 'pgpass':
			return columnPassages(text, 4);
		case 'htpasswd':
			return columnPassages(text, 1);
		case 'text':
			return [{ keys: [], start: 0, end: text.length, text, free: true }];
	}
}

/**
 * The replacements that make a text safe, in their order, none over another.
 * @throws UnreadableFile when it does not parse
 */
export function findSecrets(text: string, format: ConfigFormat): Edit[] {
	const passages = passagesOf(text, format);
	const named = passages.flatMap((passage) => editsOf(passage, text));
	const edits = [...named, ...shapesIn(text)];
	return inOrder([...edits, ...repeated(text, named)], text);
}

function editsOf(passage: Passage, text: string): Edit[] {
	const { keys, start, end, whole } = passage;
	const where = keys.join('.');
	if (isSecret(passage)) {
		const inner = fallbackOf(passage, text);
		if (inner === null) return [];
		if (inner) return [inner];
		if (whole) return [{ ...whole, where }];
		return [{ start: start + schemeOf(text.slice(start, end)).length, end, text: REMOVED, where }];
	}
	const raw = text.slice(start, end);
	const inRaw = passage.text === raw || passage.escape === undefined || passage.free;
	if (inRaw) {
		const found = secretsInText(raw, passage.free === true);
		return found.map((edit) => ({
			...edit,
			start: start + edit.start,
			end: start + edit.end,
			where: where || edit.where,
		}));
	}
	const found = inOrder([...secretsInText(passage.text, true), ...shapesIn(passage.text)], passage.text);
	if (found.length === 0) return [];
	return [{ start, end, text: passage.escape!(applied(passage.text, found)), where }];
}

/** Whether the whole value is a secret, by the names that lead to it. */
function isSecret({ keys, text, named }: Passage): boolean {
	if (named !== undefined) return !isPlainValue(named, text);
	const name = keys.at(-1);
	if (name === undefined) return false;
	const above = keys.slice(0, -1);
	// Services name their secrets in lists, and Kubernetes by references; the secrets themselves lie elsewhere.
	if (keys[0] === 'services' && keys.includes('secrets')) return false;
	if (/(?:ref|selector)$/i.test(above.at(-1) ?? '')) return false;
	const within = above.some((key) => isStrongName(key) || /^(?:auths|keys|creds)$/i.test(key));
	const isUser = name === 'users' && above.some((key) => /^basic_?auth$/i.test(key));
	return (within || isUser || isSecretName(name)) && !isPlainValue(name, text);
}

/** The part of `${NAME:-fallback}` that is a secret; null when there is none, undefined when the value is no such reference. */
function fallbackOf({ keys, start, end }: Passage, text: string): Edit | null | undefined {
	const found = /^\$\{[A-Za-z_]\w*(?::?[-=+?])([^{}]*)\}$/.exec(text.slice(start, end));
	if (!found) return undefined;
	const value = found[1]!;
	if (isPlainValue(keys.at(-1) ?? '', value)) return null;
	return { start: end - 1 - value.length, end: end - 1, text: REMOVED, where: keys.join('.') };
}

/** Values that cannot be ordinary words and stand elsewhere in the file as well, in a comment perhaps. */
function repeated(text: string, named: readonly Edit[]): Edit[] {
	const values = new Map(
		named
			.filter((edit) => edit.text === REMOVED)
			.map(({ start, end, where }) => [text.slice(start, end).trim(), where]),
	);
	// Each value goes once through the text: so many that it takes no more than a second.
	return [...values].slice(0, Math.ceil(200_000_000 / (text.length + 1))).flatMap(([value, where]) => {
		if (value.length < 8 || !/\d/.test(value) || !/[A-Za-z]/.test(value) || /[\n]/.test(value)) return [];
		const found: Edit[] = [];
		for (let at = text.indexOf(value); at !== -1; at = text.indexOf(value, at + value.length)) {
			found.push({ start: at, end: at + value.length, text: REMOVED, where });
		}
		return found;
	});
}

/** Sorted; of those that overlap, the one that begins first takes in the others. */
function inOrder(edits: readonly Edit[], text: string): Edit[] {
	const sorted = edits
		.filter(({ start, end, text: instead }) => end > start && text.slice(start, end) !== instead)
		.sort((one, other) => one.start - other.start || other.end - one.end);
	const kept: Edit[] = [];
	for (const edit of sorted) {
		const last = kept.at(-1);
		if (!last || edit.start >= last.end) kept.push({ ...edit });
		else if (edit.end > last.end) last.end = edit.end;
	}
	return kept;
}

/** A text with its replacements. */
export function applied(text: string, edits: readonly Edit[]): string {
	let at = 0;
	const parts = edits.map(({ start, end, text: instead }) => {
		const part = text.slice(at, start) + instead;
		at = end;
		return part;
	});
	return parts.join('') + text.slice(at);
}
