/** The other files that a file of configuration names, by what it is for. */
import path from 'node:path';
import { composeReferences, get, itemsOfNode, rootsOf, scalarText } from './compose.ts';
import type { ConfigKind } from './kinds.ts';
import type { Reference } from './reference.ts';

/** A file that names others. */
interface Naming {
	path: string;
	text: string;
	/** Finds the folder above it that holds a file of a name; its own folder where none does. */
	folderWith: (name: string) => Promise<string>;
}

/** Of one file. */
const MOST = 1000;

/** Says which files one names. Relative paths begin where the program that reads it begins. */
export async function referencesOf(kind: ConfigKind, naming: Naming): Promise<Reference[]> {
	return ((await READERS[kind]?.(naming)) ?? []).slice(0, MOST);
}

const READERS: Partial<Record<ConfigKind, (naming: Naming) => Promise<Reference[]>>> = {
	compose: async ({ path: file, text }) => composeReferences(text, path.dirname(file)),
	// Names are relative to the folder of nginx.conf, wherever they are written.
	nginx: async ({ text, folderWith }) =>
		named(text, /^\s*include\s+["']?([^\s;"'#]{1,1000})["']?\s*;/gm, await folderWith('nginx.conf'), 'nginx'),
	// https://caddyserver.com/docs/caddyfile/directives/import: relative to the file that imports; or the name of a snippet.
	caddy: async ({ path: file, text }) =>
		named(text, /^\s*import\s+"?([^\s"#{(]{1,1000})"?/gm, path.dirname(file), 'caddy').map((each) => ({
			...each,
			required: each.required && /[./]/.test(each.path.slice(path.dirname(file).length + 1)),
		})),
	// https://httpd.apache.org/docs/2.4/mod/core.html#include: relative to ServerRoot, on most systems the folder of the main file.
	apache: async ({ text, folderWith }) => {
		const root = /^\s*ServerRoot\s+"?([^"\s]+)"?/im.exec(text)?.[1];
		const folder = root?.startsWith('/') ? root : await folderWith('apache2.conf');
		return [
			...named(text, /^[^\S\n]*Include[^\S\n]+"?([^\s"]{1,1000})"?/gim, folder, 'apache'),
			...named(text, /^[^\S\n]*IncludeOptional[^\S\n]+"?([^\s"]{1,1000})"?/gim, folder, 'apache', false),
			...named(text, /^[^\S\n]*SSLCertificateFile[^\S\n]+"?([^\s"]{1,1000})"?/gim, folder, 'certificate', false),
		];
	},
	traefik: async ({ path: file, text }) => (file.endsWith('.toml') ? [] : traefikReferences(text, path.dirname(file))),
	prometheus: async ({ path: file, text }) =>
		rootsOf(text).flatMap((root) =>
			itemsOfNode(get(root, 'rule_files')).flatMap((each) =>
				at(scalarText(each), path.dirname(file), 'prometheus', false),
			),
		),
	alertmanager: async ({ path: file, text }) =>
		rootsOf(text).flatMap((root) =>
			itemsOfNode(get(root, 'templates')).flatMap((each) =>
				at(scalarText(each), path.dirname(file), 'alertmanager', false),
			),
		),
	// systemd.exec(5): a dash before the path says that the file may be missing.
	systemd: async ({ text }) =>
		[...text.matchAll(/^\s*EnvironmentFile\s*=\s*(-?)(\/\S{1,1000})\s*$/gm)].flatMap(([, dash, file]) =>
			at(file!, '/', 'env', dash === ''),
		),
};

/** Files of dynamic configuration, from the static one. @see https://doc.traefik.io/traefik/providers/file/ */
function traefikReferences(text: string, folder: string): Reference[] {
	return rootsOf(text).flatMap((root) => {
		const provider = get(get(root, 'providers'), 'file');
		const below = scalarText(get(provider, 'directory'));
		return [
			...at(scalarText(get(provider, 'filename')), folder, 'traefik', false),
			...(below === null ? [] : at(path.join(below, '*'), folder, 'traefik', false)),
		];
	});
}

function named(text: string, pattern: RegExp, folder: string, kind: ConfigKind, required = true): Reference[] {
	return [...text.matchAll(pattern)].flatMap(([, name]) => at(name!, folder, kind, required));
}

/** What comes from a variable is not known here. */
function at(name: string | null, folder: string, kind: ConfigKind, required: boolean): Reference[] {
	if (name === null || name === '' || /[${}\0]/.test(name)) return [];
	return [{ path: path.resolve(folder, name), kind, required: required && !/[*?]/.test(name) }];
}
