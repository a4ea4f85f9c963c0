/** Values and comments of JSON, also with comments and trailing commas, by `jsonc-parser`, which says where each one stands. */
import { visit } from 'jsonc-parser';
import { type Passage, REMOVED, UnreadableFile } from '../passage.ts';
import { isSecretName } from '../secret-names.ts';
import { nameOfArgument, siblingName } from './siblings.ts';

const MAX_DEPTH = 100;

interface Open {
	members: Record<string, string>;
	/** Values that wait for the names beside them. */
	waiting: Array<{ member: string; passage: Passage }>;
	items: string[];
}

/** @throws UnreadableFile for what is no JSON, or nested too deeply */
export function jsonPassages(text: string): Passage[] {
	const found: Passage[] = [];
	const open: Open[] = [];
	const begin = () => {
		if (open.push({ members: {}, waiting: [], items: [] }) > MAX_DEPTH)
			throw new UnreadableFile('is nested too deeply');
	};
	const end = () => {
		const { members, waiting } = open.pop() ?? { members: {}, waiting: [] };
		for (const { member, passage } of waiting) {
			const name = siblingName(members, member);
			if (name !== null && isSecretName(name)) passage.named = name;
		}
	};
	const from = text.startsWith('\ufeff') ? 1 : 0;
	visit(
		text.slice(from),
		{
			onObjectBegin: begin,
			onObjectEnd: end,
			onArrayBegin: begin,
			onArrayEnd: end,
			onComment(offset, length) {
				const start = offset + from;
				const whole = text.slice(start, start + length);
				const comment = whole.startsWith('/*') ? whole.slice(0, -2) : whole;
				found.push({ keys: [], start, end: start + comment.length, text: comment, free: true });
			},
			onLiteralValue(value, offset, length, _line, _column, pathOf) {
				const path = pathOf();
				const start = offset + from;
				const keys = path.filter((key) => typeof key === 'string');
				const isText = typeof value === 'string';
				const passage: Passage = isText
					? {
							keys,
							start: start + 1,
							end: start + length - 1,
							text: value,
							escape: (plain) => JSON.stringify(plain).slice(1, -1),
						}
					: {
							keys,
							start,
							end: start + length,
							text: text.slice(start, start + length),
							whole: { start, end: start + length, text: `"${REMOVED}"` },
						};
				found.push(passage);
				const here = open.at(-1);
				const member = path.at(-1);
				if (!here || !isText) return;
				if (typeof member === 'string') {
					here.members[member] = value;
					here.waiting.push({ member, passage });
				} else {
					const said = nameOfArgument(here.items, value);
					if (said) {
						passage.named = said.named;
						passage.start += said.skip;
						passage.text = value.slice(said.skip);
					}
					here.items.push(value);
				}
			},
			onError() {
				throw new UnreadableFile('is no JSON that can be read');
			},
		},
		{ allowTrailingComma: true },
	);
	return found;
}
