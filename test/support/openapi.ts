/** docs/openapi.yaml as a judge of real answers. What it does not describe is wrong too: a member that nobody documented, a status, a type. */
import fs from 'node:fs';
import path from 'node:path';
import { type Schema, Validator } from '@cfworker/json-schema';
import { parse } from 'yaml';

type Json = Record<string, unknown>;

export const openApi = parse(fs.readFileSync(path.resolve(__dirname, '../../docs/openapi.yaml'), 'utf8')) as Json;

/** What a call answered. */
export interface ApiAnswer {
	status: number;
	headers: Headers;
	text: string;
	json: unknown;
}

/**
 * What is wrong with an answer; empty when it is as described.
 * @param operation method and path, e.g. "GET /list"
 */
export function problemsOf(operation: string, { status, headers, text, json }: ApiAnswer): string[] {
	const [method = '', route = ''] = operation.split(' ');
	const { responses } = at(openApi, 'paths', route, method.toLowerCase());
	// What is no call at all, or the wrong method of one, is a problem like any other.
	const described = at(responses, String(status));
	const found = resolved(status >= 400 && !described.content ? PROBLEM : described);
	if (!found.content) return [`${operation} may not answer with ${status}`];
	const [type = ''] = (headers.get('content-type') ?? '').split(';');
	const schema = at(found.content, type).schema as Schema | undefined;
	if (!schema) return [`${operation}, ${status}: may not answer with ${type}: ${text.slice(0, 500)}`];
	const value: unknown = type.endsWith('json') ? json : text;
	const whole = { ...schema, components: strict(openApi.components) } as Schema;
	const { valid, errors } = new Validator(strict(whole) as Schema, '2020-12', false).validate(value);
	return valid
		? []
		: errors.map(({ instanceLocation, error }) => `${operation}, ${status}: ${instanceLocation}: ${error}`);
}

const PROBLEM = { $ref: '#/components/responses/Problem' };

function resolved(node: Json): Json {
	return typeof node.$ref === 'string' ? at(openApi, ...node.$ref.slice(2).split('/')) : node;
}

/** What lies below a path of names; an empty object where there is nothing. */
function at(node: unknown, ...names: string[]): Json {
	return names.reduce<Json>((found, name) => (found[name] ?? {}) as Json, (node ?? {}) as Json);
}

/** The same schemas, where an object has no more members than are described. */
function strict(node: unknown): unknown {
	if (Array.isArray(node)) return node.map(strict);
	if (typeof node !== 'object' || node === null) return node;
	const copy = Object.fromEntries(Object.entries(node).map(([name, value]) => [name, strict(value)]));
	const isObject = copy.properties !== undefined && copy.type !== undefined;
	return isObject && copy.additionalProperties === undefined ? { ...copy, additionalProperties: false } : copy;
}
