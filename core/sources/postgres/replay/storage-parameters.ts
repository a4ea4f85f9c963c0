/**
 * Storage parameters in the statements of a dump: WITH (…) of tables, indexes and constraints, SET (…) of tables, indexes
 * and columns. Without them a database holds the same.
 */
import type { SqlTokens, Token } from './sql-tokens';

/**
 * What servers since the minor releases of November 2026 keep among the options of a column for themselves. Their own
 * pg_dump leaves it out; older ones write it down, and every older server refuses it.
 */
export const COLUMN_VERSION = 'pg_attver';

const MODIFIERS = new Set(['unlogged', 'foreign', 'unique']);

interface ParameterList {
	/** SET or WITH. */
	readonly word: Token;
	readonly open: Token;
	readonly close: Token;
	readonly parameters: ReadonlyArray<{ readonly name: string; readonly start: number; readonly end: number }>;
}

/** The names of the storage parameters that a statement sets, with their namespace: `toast.autovacuum_enabled`. */
export function parametersOf(tokens: SqlTokens): string[] {
	return listIn(tokens)?.parameters.map(({ name }) => name) ?? [];
}

/**
 * A statement without some of its storage parameters.
 * @returns the same pieces where it sets none of them; null where it did nothing else than to set them
 */
export function withoutParameters(
	pieces: readonly Buffer[],
	tokens: SqlTokens,
	isUnwanted: (name: string) => boolean,
): readonly Buffer[] | null {
	const list = listIn(tokens);
	const kept = list?.parameters.filter(({ name }) => !isUnwanted(name));
	if (!list || !kept || kept.length === list.parameters.length) return pieces;
	const { word, open, close } = list;
	const text = Buffer.concat(pieces);
	if (kept.length === 0) {
		return word.text === 'set' ? null : [text.subarray(0, word.start), text.subarray(close.end)];
	}
	const between = kept.flatMap(({ start, end }, index) => [
		...(index > 0 ? [Buffer.from(', ')] : []),
		text.subarray(start, end),
	]);
	return [text.subarray(0, open.end), ...between, text.subarray(close.start)];
}

/** Those of a view are none of storage: they say who sees what. */
function listIn(tokens: SqlTokens): ParameterList | null {
	const { list, isWhole } = tokens;
	if (!isWhole || !isOfRelation(tokens)) return null;
	const at = list.findIndex(
		({ depth }, index) =>
			depth === 0 &&
			(tokens.follow(index, 'set', '(') || tokens.follow(index, 'with', '(')) &&
			tokens.word(index - 1) !== 'values', // the bounds of a partition
	);
	const end = list.findIndex(({ depth }, index) => at > 0 && index > at && depth === 0 && tokens.word(index) === ')');
	if (at < 0 || end < 0) return null;
	return { word: list[at]!, open: list[at + 1]!, close: list[end]!, parameters: parameters(list.slice(at + 2, end)) };
}

function isOfRelation(tokens: SqlTokens): boolean {
	if (tokens.word(0) !== 'create' && tokens.word(0) !== 'alter') return false;
	if (tokens.follow(1, 'materialized', 'view')) return true;
	const kind = tokens.word(MODIFIERS.has(tokens.word(1)) ? 2 : 1);
	return kind === 'table' || kind === 'index';
}

function parameters(tokens: readonly Token[]): Array<{ name: string; start: number; end: number }> {
	const found: Array<{ name: string; start: number; end: number }> = [];
	let item: Token[] = [];
	const take = () => {
		const equals = item.findIndex(({ kind, text }) => kind === 'symbol' && text === '=');
		const name = (equals < 0 ? item : item.slice(0, equals)).map(({ text }) => text).join('');
		if (item.length > 0) found.push({ name, start: item[0]!.start, end: item.at(-1)!.end });
		item = [];
	};
	for (const token of tokens) {
		if (token.kind === 'symbol' && token.text === ',' && token.depth === 1) take();
		else item.push(token);
	}
	take();
	return found;
}
