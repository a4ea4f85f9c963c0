/** Values and comments of YAML, by the `yaml` library: it keeps where each one stands, and expands no alias here. */
import {
	type Document,
	isAlias,
	isMap,
	isPair,
	isScalar,
	isSeq,
	Lexer,
	type Pair,
	parseAllDocuments,
	Scalar,
} from 'yaml';
import { type Passage, REMOVED, UnreadableFile } from '../passage.ts';
import { isSecretName } from '../secret-names.ts';
import { siblingName, nameOfArgument } from './siblings.ts';

/** Tokens of the lexer that take no room in the text. */
const MARKS: ReadonlySet<string> = new Set(['\x02', '\x18', '\x1f']);
/** Deeper than any configuration, and less deep than the stack. */
const MAX_DEPTH = 100;

/** @throws UnreadableFile for what is no YAML, or nested too deeply */
export function yamlPassages(text: string): Passage[] {
	let documents: Document[];
	try {
		documents = [
			...parseAllDocuments(text, { uniqueKeys: false, logLevel: 'silent', prettyErrors: false }),
		] as Document[];
	} catch (error) {
		if (error instanceof RangeError) throw new UnreadableFile('is nested too deeply');
		throw error;
	}
	const broken = documents.find(({ errors }) => errors.length > 0);
	if (broken) throw new UnreadableFile('is no YAML that can be read');
	return [...documents.flatMap((document) => new Walk(text, document).passages()), ...comments(text)];
}

class Walk {
	readonly #found: Passage[] = [];
	readonly #anchors = new Map<string, unknown>();
	readonly #followed = new Set<unknown>();

	readonly #text: string;
	readonly #document: Document;

	constructor(text: string, document: Document) {
		this.#text = text;
		this.#document = document;
	}

	passages(): Passage[] {
		this.#walk(this.#document.contents, []);
		return this.#found;
	}

	#walk(node: unknown, keys: string[], named?: string): void {
		if (keys.length > MAX_DEPTH) throw new UnreadableFile('is nested too deeply');
		if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor) this.#anchors.set(node.anchor, node);
		if (isMap(node)) this.#map(node.items, keys, named);
		else if (isSeq(node)) this.#items(node.items, keys, named);
		else if (isPair(node)) this.#map([node], keys, named);
		else if (isAlias(node)) {
			this.#alias(this.#anchors.get(node.source), keys, named);
		} else if (isScalar(node)) this.#scalar(node, keys, named);
	}

	/** What an alias stands for is a secret where one of its names says so. Nothing is looked at more than once more. */
	#alias(target: unknown, keys: string[], named?: string): void {
		if (isScalar(target)) this.#scalar(target, keys, named);
		else if (!this.#followed.has(target) && (named !== undefined || isSecretName(keys.at(-1) ?? ''))) {
			this.#followed.add(target);
			this.#walk(target, keys, named);
		}
	}

	#items(items: readonly unknown[], keys: string[], named?: string): void {
		const said: string[] = [];
		for (const item of items) {
			const text = isScalar(item) ? String(item.value) : '';
			const argument = isScalar(item) && named === undefined ? nameOfArgument(said, text) : null;
			this.#walk(item, keys, argument?.named ?? named);
			const last = this.#found.at(-1);
			if (argument && last) {
				last.start += argument.skip;
				last.text = last.text.slice(argument.skip);
			}
			said.push(text);
		}
	}

	#map(items: readonly Pair[], keys: string[], named?: string): void {
		const values = Object.fromEntries(
			items.flatMap(({ key, value }) =>
				isScalar(key) && isScalar(value) ? [[String(key.value), String(value.value)]] : [],
			),
		) as Record<string, string>;
		const ofSecret = keys.length === 0 && values.kind === 'Secret';
		for (const { key, value } of items) {
			const name = isScalar(key) ? String(key.value) : '?';
			const sibling = siblingName(values, name);
			const ofSibling = sibling !== null && isSecretName(sibling) ? sibling : undefined;
			const isData = ofSecret && (name === 'data' || name === 'stringData');
			this.#walk(value, [...keys, name], named ?? (isData ? 'secret' : ofSibling));
		}
	}

	#scalar(node: Scalar, keys: readonly string[], named?: string): void {
		if (!node.range || node.value === null) return;
		const [start, end] = node.range;
		const raw = this.#text.slice(start, end);
		const flag = named === undefined ? {} : { named };
		const text = typeof node.value === 'string' ? node.value : raw;
		if (node.tag === '!secret' || node.tag === '!env_var' || node.tag === '!include') return;
		if (node.type === Scalar.BLOCK_LITERAL || node.type === Scalar.BLOCK_FOLDED) {
			const kept = raw.slice(raw.trimEnd().length);
			this.#found.push({
				keys,
				start,
				end,
				text,
				...flag,
				free: true,
				whole: { start, end, text: REMOVED + (kept || '') },
			});
		} else if (node.type === Scalar.QUOTE_DOUBLE) {
			this.#found.push({
				keys,
				start: start + 1,
				end: end - 1,
				text,
				...flag,
				escape: (plain) => JSON.stringify(plain).slice(1, -1),
			});
		} else if (node.type === Scalar.QUOTE_SINGLE) {
			this.#found.push({
				keys,
				start: start + 1,
				end: end - 1,
				text,
				...flag,
				escape: (plain) => plain.replaceAll("'", "''"),
			});
		} else this.#found.push({ keys, start, end, text: raw, ...flag });
	}
}

function comments(text: string): Passage[] {
	const found: Passage[] = [];
	let at = 0;
	for (const token of new Lexer().lex(text)) {
		if (MARKS.has(token)) continue;
		if (token === '\ufeff') {
			at += 1;
			continue;
		}
		if (token.startsWith('#')) found.push({ keys: [], start: at, end: at + token.length, text: token, free: true });
		at += token.length;
	}
	return found;
}
