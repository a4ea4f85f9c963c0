/** Code nodes of the workflow templates, run without n8n, and items as our nodes give them. */
import fs from 'node:fs';
import path from 'node:path';
import { compileFunction } from 'node:vm';

export type Json = Record<string, unknown>;
export interface Report {
	ok: boolean;
	subject: string;
	text: string;
	notVerified?: string[];
	[fact: string]: unknown;
}

/** What a node gave: its runs, each a list of outputs, each a list of items. */
export type Runs = Json[][][];

interface Surroundings {
	/** What the other nodes gave. A node that is missing did not run. */
	ran?: Record<string, Runs>;
	/** What n8n remembers for a workflow from one run to the next. */
	memory?: Json;
}

/**
 * Runs a Code node of a template.
 * @param items what reaches it
 */
export function runCode<Result = Report>(
	template: string,
	node: string,
	items: Json[],
	{ ran = {}, memory = {} }: Surroundings = {},
): Result[] {
	const text = fs.readFileSync(path.join(__dirname, '..', '..', 'workflows', `${template}.json`), 'utf8');
	const { nodes } = JSON.parse(text) as { nodes: Array<{ name: string; parameters: { jsCode?: string } }> };
	const { jsCode } = nodes.find(({ name }) => name === node)!.parameters;
	const wrap = (list: Json[] | undefined) => {
		if (!list) throw new Error('there is no such run or output');
		return list.map((json) => ({ json }));
	};
	const of = (name: string) => {
		const all = (output = 0, run = -1) => wrap(ran[name]?.at(run)?.[output]);
		return { isExecuted: name in ran, all, first: (output?: number, run?: number) => all(output, run)[0] };
	};
	const names = ['$input', '$json', '$', '$workflow', '$execution', '$getWorkflowStaticData', '$now'];
	const run = compileFunction(jsCode!, names) as (...args: unknown[]) => Array<{ json: Result }>;
	const input = { all: () => wrap(items), first: () => wrap(items)[0] };
	return run(input, items[0], of, { name: 'w' }, { id: '1' }, () => memory, { zoneName: 'Europe/Vienna' }).map(
		({ json }) => json,
	);
}

/** The one item of a Code node that reports. */
export function report(template: string, node: string, items: Json[], ran: Record<string, Runs> = {}): Report {
	return runCode(template, node, items, { ran })[0]!;
}

export const BACKUP = {
	...{ group: 'postgres/shop', label: '20261120T020000Z-full-k3f9', originalBytes: 2e6, storedBytes: 1e6, tables: 4 },
	...{ seconds: 1.5, location: '/backups', encrypted: true, warnings: [] },
};
export const NAME = { group: BACKUP.group, label: BACKUP.label };
export const PROVED = {
	...NAME,
	...{
		ok: true,
		outcome: 'ok',
		depth: 'restored',
		restoreSeconds: 1.24,
		seconds: 2,
		scratch: 'embedded',
		warnings: [],
	},
	comparison: { ok: true, tables: 4, rows: 30, hashed: 0, largeObjects: 0, differences: [] },
};
export const failedItem = (error: string, details: Json) => ({ error, details: { ...details, hint: 'Do this.' } });
export const failed = (outcome: string, error: string) =>
	failedItem(error, { ...NAME, ok: false, depth: 'restored', outcome });
