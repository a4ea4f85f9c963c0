/** Values and comments of TOML, by `toml-eslint-parser`, which says where each one stands. */
import { type AST, getStaticTOMLValue, parseTOML, traverseNodes } from 'toml-eslint-parser';
import { type Passage, REMOVED, UnreadableFile } from '../passage.ts';

/** @throws UnreadableFile for what is no TOML */
export function tomlPassages(text: string): Passage[] {
	const from = text.startsWith('\ufeff') ? 1 : 0;
	let program: AST.TOMLProgram;
	try {
		program = parseTOML(text.slice(from));
	} catch {
		throw new UnreadableFile('is no TOML that can be read');
	}
	const found: Passage[] = [];
	traverseNodes(program, {
		enterNode(node) {
			if (node.type === 'TOMLValue') found.push(passageOf(node, text, from));
		},
		leaveNode() {},
	});
	const comments = program.comments.map(({ range: [start, end] }): Passage => {
		return { keys: [], start: start + from, end: end + from, text: text.slice(start + from, end + from), free: true };
	});
	return [...found, ...comments];
}

function passageOf(node: AST.TOMLContentNode, text: string, from: number): Passage {
	const [start, end] = [node.range[0] + from, node.range[1] + from];
	const raw = text.slice(start, end);
	const keys = keysOf(node);
	const whole = { start, end, text: `"${REMOVED}"` };
	if (node.type !== 'TOMLValue' || node.kind !== 'string') return { keys, start, end, text: raw, whole };
	const quotes = /^(?:"""|'''|"|')/.exec(raw)![0].length;
	const escape = raw.startsWith('"') ? { escape: (plain: string) => JSON.stringify(plain).slice(1, -1) } : {};
	return { keys, start: start + quotes, end: end - quotes, text: node.value, ...escape };
}

function keysOf(node: AST.TOMLNode): string[] {
	const keys: string[] = [];
	for (let each: AST.TOMLNode | null = node; each; each = each.parent as AST.TOMLNode | null) {
		if (each.type === 'TOMLKeyValue' || each.type === 'TOMLTable') {
			keys.unshift(...each.key.keys.map((key) => String(getStaticTOMLValue(key))));
		}
	}
	return keys;
}
