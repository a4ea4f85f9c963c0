/** What a compose file names: other files, and images. */
import path from 'node:path';
import { isMap, isScalar, isSeq, type Node, parseAllDocuments } from 'yaml';
import type { ConfigKind } from './kinds.ts';
import type { Reference } from './reference.ts';

/** Of one compose file. */
const MAX_REFERENCES = 1000;

/**
 * The files that a compose file includes, extends, takes variables, configs and secrets from, or mounts one by one. None for what is no YAML.
 * @param folder where the compose file lies
 */
export function composeReferences(text: string, folder: string): Reference[] {
	const found: Reference[] = [];
	const add = (name: string | null, kind: ConfigKind | null, required = true) => {
		// What comes from a variable is not known here.
		if (name === null || name === '' || name.includes('$') || /^(?:https?|oci|git):/.test(name)) return;
		if (found.length < MAX_REFERENCES) found.push({ path: path.resolve(folder, name), kind, required });
	};
	for (const root of rootsOf(text)) {
		for (const each of itemsOfNode(get(root, 'include'))) {
			for (const file of isMap(each) ? itemsOfNode(get(each, 'path')) : [each]) add(scalarText(file), 'compose');
			for (const file of itemsOfNode(get(each, 'env_file'))) add(scalarText(file), 'env');
		}
		for (const top of ['configs', 'secrets']) {
			for (const each of membersOf(get(root, top))) add(scalarText(get(each, 'file')), null);
		}
		for (const service of membersOf(get(root, 'services'))) {
			add(scalarText(get(get(service, 'extends'), 'file')), 'compose');
			for (const file of itemsOfNode(get(service, 'env_file'))) {
				add(scalarText(file) ?? scalarText(get(file, 'path')), 'env', scalarText(get(file, 'required')) !== 'false');
			}
			for (const volume of itemsOfNode(get(service, 'volumes'))) add(sourceOf(volume), null);
		}
	}
	return found;
}

/** The images of a compose file, with tags and digests as they are written, by service. */
export function composeImages(text: string): Record<string, string> {
	const images: Array<[string, string]> = [];
	for (const root of rootsOf(text)) {
		const services = get(root, 'services');
		if (!isMap(services)) continue;
		for (const { key, value } of services.items) {
			const image = scalarText(get(value, 'image'));
			if (image !== null) images.push([String(isScalar(key) ? key.value : '?'), image]);
		}
	}
	return Object.fromEntries(images);
}

/** The documents of a YAML file, as far as they parse. */
export function rootsOf(text: string): Node[] {
	try {
		const documents = [...parseAllDocuments(text, { uniqueKeys: false, logLevel: 'silent' })];
		return documents.flatMap(({ contents, errors }) => (contents && errors.length === 0 ? [contents as Node] : []));
	} catch (error) {
		// Nested so deeply that the parser's stack was too small.
		if (error instanceof RangeError) return [];
		throw error;
	}
}

/** What is mounted: a path of the host; null for a volume by name. */
function sourceOf(volume: unknown): string | null {
	const short = scalarText(volume);
	if (short === null) return scalarText(get(volume, 'type')) === 'bind' ? scalarText(get(volume, 'source')) : null;
	const source = short.split(':')[0]!;
	return short.includes(':') && /^[./]/.test(source) ? source : null;
}

/** A member of a map; undefined where there is none. */
export function get(node: unknown, key: string): unknown {
	return isMap(node) ? node.get(key, true) : undefined;
}

/** The items of a list, a single one as a list of it. */
export function itemsOfNode(node: unknown): readonly unknown[] {
	return isSeq(node) ? node.items : node === undefined ? [] : [node];
}

function membersOf(node: unknown): unknown[] {
	return isMap(node) ? node.items.map(({ value }) => value) : [];
}

/** A scalar as text; null for all else. */
export function scalarText(node: unknown): string | null {
	const value = isScalar(node) ? node.value : null;
	return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}
