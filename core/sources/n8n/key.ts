/** n8n's key in an archive of files: in its own settings file, or in the file that gives it to n8n. */
import { BackupError } from '../../base/errors';
import { linePassages } from '../config/formats/lines';
import { yamlPassages } from '../config/formats/yaml';
import { REMOVED, UnreadableFile } from '../config/passage';
import { assertFiles } from '../files/entries-of';
import { readSmallFiles } from '../files/read-small-files';
import type { OpenBackup } from '../source';
import { configFilesOf, keyOfConfig } from './user-folder';

/** Of compose files, and of what else may name it. */
const MAX_BYTES = 512 * 1024;
const VARIABLE = 'N8N_ENCRYPTION_KEY';

/** The key, or why there is none: lower case, for people, without a word of what is in the file. */
export type FoundKey = { key: string } | { missing: string };

/**
 * Takes the key out of an archive.
 * @param file a path in it, of a settings file, an env or compose file, or one that holds the key alone; n8n's own `config` when absent
 * @throws BackupError those of reading the archive; 'invalid-input' where it holds several keys that differ
 */
export async function keyFrom(
	backup: OpenBackup,
	{ file, signal }: { file?: string; signal: AbortSignal },
): Promise<FoundKey> {
	assertFiles(backup);
	const { group, label } = backup.manifest;
	const wanted = file === undefined ? configFilesOf(backup.contents.roots.map(({ path }) => path)) : [file];
	const found = await readSmallFiles(backup, { paths: wanted, maxBytes: MAX_BYTES, signal });
	const keys = [...found].map(([path, bytes]) => keyIn(path, bytes.toString('utf8'), file !== undefined));
	const known = [...new Set(keys.flatMap((each) => ('key' in each ? [each.key] : [])))];
	if (known.length > 1) {
		throw new BackupError('invalid-input', `${group}/${label} holds ${known.length} different keys of n8n`, {
			hint: 'Name the file with the right one: "N8n Key File" in the node, --n8n-key-file on the command line.',
		});
	}
	if (known.length === 1) return { key: known[0]! };
	const [reason] = keys.flatMap((each) => ('missing' in each ? [each.missing] : []));
	return { missing: reason ?? `${group}/${label} has no ${file ?? 'file "config" of n8n, which holds it'}` };
}

/** @param isNamed somebody has said that the key is in this file */
function keyIn(path: string, text: string, isNamed: boolean): FoundKey {
	const key = keyOfConfig(text) ?? (isNamed ? (variableIn(path, text) ?? aloneIn(text)) : null);
	if (key === null) return { missing: `${path} holds no key of n8n` };
	if (key === REMOVED) return { missing: `${path} was archived without its secrets` };
	if (key.includes('${')) return { missing: `${path} takes the key from elsewhere: name that file` };
	return { key };
}

/** What an env or compose file gives to n8n. */
function variableIn(path: string, text: string): string | null {
	try {
		const passages = /\.ya?ml$/i.test(path) ? yamlPassages(text) : linePassages(text, true);
		for (const { keys, text: value, free } of passages) {
			if (free) continue;
			if (keys.at(-1) === VARIABLE && value !== '') return value;
			if (value.startsWith(`${VARIABLE}=`)) return value.slice(VARIABLE.length + 1);
		}
		return null;
	} catch (error) {
		if (error instanceof UnreadableFile) return null;
		throw error;
	}
}

/** A file as N8N_ENCRYPTION_KEY_FILE names it holds nothing else. */
function aloneIn(text: string): string | null {
	return /^\s*([^\s=:{}]{8,512}=*)\s*$/.exec(text)?.[1] ?? null;
}
