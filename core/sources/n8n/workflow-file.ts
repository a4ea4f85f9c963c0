/** A workflow of n8n as a file to keep in git: always written the same way, without its secrets. */
import { BackupError } from '../../base/errors';
import { sanitise } from '../config/sanitise';

/** What a file holds of a workflow. All else changes by itself, belongs to people, or is data that came in: pinned data, static data, versions. */
const KEPT = ['id', 'name', 'description', 'active', 'isArchived', 'settings', 'nodes', 'connections', 'tags'] as const;

/** n8n's own identifiers are letters and digits; older ones are numbers. */
const ID = /^[A-Za-z0-9_-]{1,64}$/;
const MAX_NAME = 60;

/** An expression without a text of its own: it says where a value comes from, and holds none. */
const REFERENCE = /^=\{\{[^'"`]*\}\}$/;
/** Parameters whose names sound secret, and which n8n gives to the outputs of a node. */
const NEVER_SECRET = new Set(['outputKey']);

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** One workflow as a file. */
export interface WorkflowFile {
	id: string;
	/** Of the workflow, as its user calls it. */
	title: string;
	/** Of the file: the title in small letters and the id, so that both can be found. */
	name: string;
	text: string;
	/** Where secrets were replaced: node and path of the parameter. */
	removed: string[];
}

/**
 * Makes the file of a workflow. Values of parameters that are or may be secrets are replaced; expressions that only name where a value comes
 * from stay. Credentials are named by n8n with id and name alone.
 * @param workflow as n8n's API and `n8n export:workflow` give it
 * @throws BackupError 'invalid-input' where it is none
 */
export function workflowFile(workflow: unknown): WorkflowFile {
	if (!isObject(workflow) || !Array.isArray(workflow.nodes) || !isObject(workflow.connections))
		throw none('it has no nodes');
	const { id, name: title } = workflow;
	if (typeof title !== 'string' || title === '') throw none('it has no name');
	if ((typeof id !== 'string' && typeof id !== 'number') || !ID.test(String(id))) throw none('it has no id', title);
	const removed: string[] = [];
	const nodes = workflow.nodes.map((node) => withoutSecrets(node, removed)).sort(byId);
	const entries = KEPT.flatMap((key) => (workflow[key] === undefined ? [] : [[key, workflow[key]] as const]));
	const kept: Json = { ...Object.fromEntries(entries), nodes };
	if (Array.isArray(workflow.tags)) kept.tags = workflow.tags.map(tagName).sort();
	return {
		...{ id: String(id), title, removed },
		name: `${slug(title)}-${id}.json`,
		text: `${JSON.stringify(sorted(kept), null, 2)}\n`,
	};
}

/** Whether a file of this name is that of the workflow with this id, whatever the workflow was called then. */
export function isFileOf(name: string, id: string): boolean {
	return name.endsWith(`-${id}.json`);
}

function withoutSecrets(node: Json, removed: string[]): Json {
	if (!isObject(node) || !isObject(node.parameters)) return node;
	const where = typeof node.name === 'string' ? node.name : 'a node';
	const done = sanitise({ path: '/parameters.json', bytes: Buffer.from(JSON.stringify(node.parameters)) });
	if (done.leftOut !== undefined) {
		removed.push(`${where}: all parameters, because what they hold ${done.leftOut}`);
		return { ...node, parameters: {} };
	}
	const parameters = withReferences(node.parameters, JSON.parse(done.bytes.toString()) as Json, [], (path) =>
		removed.push(`${where}: ${path.join('.')}`),
	);
	return { ...node, parameters };
}

/** The safe value, in which expressions without a text of their own are as they were. */
function withReferences(from: Json, safe: Json, path: string[], onRemoved: (path: string[]) => void): Json {
	if (Array.isArray(from) && Array.isArray(safe)) {
		return safe.map((each, at) => withReferences(from[at] ?? null, each, [...path, String(at)], onRemoved));
	}
	if (isObject(from) && isObject(safe)) {
		const entries = Object.entries(safe).map(
			([key, value]) => [key, withReferences(from[key] ?? null, value, [...path, key], onRemoved)] as const,
		);
		return Object.fromEntries(entries);
	}
	if (from === safe) return safe;
	if (typeof from === 'string' && (REFERENCE.test(from) || NEVER_SECRET.has(path.at(-1) ?? ''))) return from;
	onRemoved(path);
	return safe;
}

/** By name, in whatever order they came; arrays whose order means something stay as they are. */
function sorted(value: Json): Json {
	if (Array.isArray(value)) return value.map(sorted);
	if (!isObject(value)) return value;
	const keys = Object.keys(value).sort();
	return Object.fromEntries(keys.map((key) => [key, sorted(value[key]!)]));
}

/** n8n writes nodes in the order in which they were touched last. */
function byId(one: Json, other: Json): number {
	const [a, b] = [idOf(one), idOf(other)];
	return a < b ? -1 : a > b ? 1 : 0;
}

function idOf(node: Json): string {
	if (!isObject(node)) return '';
	return [node.id, node.name].find((each) => typeof each === 'string') ?? '';
}

function tagName(tag: Json): string {
	return isObject(tag) && typeof tag.name === 'string' ? tag.name : JSON.stringify(tag);
}

function slug(title: string): string {
	const words = title
		.normalize('NFKD')
		.replace(/\p{M}/gu, '')
		.toLowerCase()
		.replace(/[^a-z0-9]+/g, '-');
	return words.slice(0, MAX_NAME).replace(/^-+|-+$/g, '') || 'workflow';
}

function isObject(value: unknown): value is { [key: string]: Json } {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function none(why: string, title?: string): BackupError {
	const what = title === undefined ? 'this is no workflow of n8n' : `“${title}” is no workflow that n8n has stored`;
	return new BackupError('invalid-input', `${what}: ${why}`, {
		hint: 'Give what n8n’s API or “n8n export:workflow --all” gives for a workflow.',
	});
}
