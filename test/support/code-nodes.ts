/** Code nodes and conditions of the workflow templates, run without n8n. */
import fs from 'node:fs';
import path from 'node:path';
import { compileFunction } from 'node:vm';

export type Json = Record<string, unknown>;
/** What a node gave: its runs, each a list of outputs, each a list of items. */
export type Runs = Json[][][];

interface Surroundings {
	/** What the other nodes gave. A node that is missing did not run. */
	ran?: Record<string, Runs>;
}

/**
 * Runs a Code node of a template.
 * @param items what reaches it
 */
export function runCode<Result>(
	template: string,
	node: string,
	items: Json[],
	{ ran = {} }: Surroundings = {},
): Result[] {
	const { jsCode } = nodeOf<{ jsCode: string }>(template, node);
	const wrap = (list: Json[] | undefined) => {
		if (!list) throw new Error('there is no such run or output');
		return list.map((json) => ({ json }));
	};
	const of = (name: string) => {
		const all = (output = 0, run = -1) => wrap(ran[name]?.at(run)?.[output]);
		return { isExecuted: name in ran, all, first: (output?: number, run?: number) => all(output, run)[0] };
	};
	const names = ['$input', '$json', '$'];
	const run = compileFunction(jsCode, names) as (...args: unknown[]) => Array<{ json: Result }>;
	const input = { all: () => wrap(items), first: () => wrap(items)[0] };
	return run(input, items[0], of).map(({ json }) => json);
}

/** What the first condition of a node says. @param surroundings what n8n gives expressions, by name */
export function evaluate(template: string, node: string, surroundings: Json): unknown {
	type Condition = { leftValue: string };
	const { conditions } = nodeOf<{ conditions: { conditions: Condition[] } }>(template, node);
	const [, expression] = /^=\{\{(.*)\}\}$/s.exec(conditions.conditions[0]!.leftValue)!;
	const run = compileFunction(`return (${expression});`, Object.keys(surroundings)) as (...args: unknown[]) => unknown;
	return run(...Object.values(surroundings));
}

function nodeOf<Parameters>(template: string, name: string): Parameters {
	const text = fs.readFileSync(path.join(__dirname, '..', '..', 'workflows', `${template}.json`), 'utf8');
	const { nodes } = JSON.parse(text) as { nodes: Array<{ name: string; parameters: Parameters }> };
	return nodes.find((node) => node.name === name)!.parameters;
}
