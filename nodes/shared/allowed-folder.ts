/**
 * Folders that n8n lets nodes use. A running node can ask n8n; a credential's test and the lists of fields cannot, so for
 * them n8n's rule is carried out here, from the same settings (n8n-core's file-system-helper-functions, 2.40).
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BackupError } from '../../core/base/errors';

/** What n8n allows where `N8N_RESTRICT_FILE_ACCESS_TO` is not set. */
const STOCK_FOLDER = '~/.n8n-files';
const STOCK_PATTERNS = '^(?:[^/]*/)*\\.git(?:/.*)?$';

/** Settings that name folders or files of n8n's own, with what separates several. */
const OWN_PLACES: ReadonlyArray<[name: string, separator: string]> = [
	['N8N_CONFIG_FILES', ','],
	['N8N_CUSTOM_EXTENSIONS', ';'],
	['N8N_BINARY_DATA_STORAGE_PATH', '\0'],
	['N8N_UM_EMAIL_TEMPLATES_INVITE', '\0'],
	['N8N_UM_EMAIL_TEMPLATES_PWRESET', '\0'],
];

/**
 * The folder as it is called without links; "~" is the home of n8n's user. One that n8n does not allow is refused in the
 * same words whether it exists or not.
 * @param isBlocked n8n's own answer where there is one
 * @throws BackupError 'access-denied'
 */
export async function allowedFolder(folder: string, isBlocked = isBlockedByN8n): Promise<string> {
	const full = path.resolve(folder.replace(/^~(?=\/|$)/, os.homedir()));
	const resolved = await withoutLinks(full);
	assertAllowed(folder, resolved, isBlocked);
	return resolved;
}

/**
 * @param folder as the user wrote it
 * @param resolved without links
 * @throws BackupError 'access-denied' for a folder that n8n does not allow
 */
export function assertAllowed(folder: string, resolved: string, isBlocked = isBlockedByN8n): void {
	if (!isBlocked(resolved)) return;
	const { allowed } = rules();
	throw new BackupError('access-denied', `n8n may not use the folder ${folder}`, {
		hint:
			allowed.length > 0
				? `Use a folder in ${allowed.join(' or ')}, or set N8N_RESTRICT_FILE_ACCESS_TO in n8n’s environment to a list of folders, separated by ";", that includes this one, and restart n8n.`
				: 'It belongs to n8n itself, or is blocked by N8N_BLOCK_FILE_PATTERNS. Use another folder.',
	});
}

/**
 * What lies in a folder that is read whole, and belongs to n8n itself: its settings, its database, its key.
 * @param resolved without links
 * @throws BackupError 'access-denied'
 */
export function assertHoldsNothingOfN8n(resolved: string): void {
	const own = rules().own.find((place) => fs.existsSync(place) && contains(resolved, fs.realpathSync(place)));
	if (own === undefined) return;
	throw new BackupError('access-denied', `${resolved} holds ${own}, which n8n lets no node read`, {
		hint: 'Name the folders beside it. To back up n8n itself, set N8N_BLOCK_FILE_ACCESS_TO_N8N_FILES=false in its environment, and restart n8n.',
	});
}

/** Whether n8n would refuse this path, which has no links in it. */
export function isBlockedByN8n(resolved: string): boolean {
	const { own, patterns, allowed } = rules();
	if (own.some((folder) => contains(folder, resolved))) return true;
	if (patterns.some((pattern) => matches(pattern, resolved))) return true;
	return allowed.length > 0 && !allowed.some((folder) => contains(folder, resolved));
}

function rules(): { own: string[]; patterns: string[]; allowed: string[] } {
	const home = process.env.N8N_USER_FOLDER ?? process.env.HOME ?? process.cwd();
	const named = OWN_PLACES.flatMap(([name, separator]) => process.env[name]?.split(separator) ?? []);
	const own = [path.join(home, '.n8n'), path.join(home, '.cache/n8n/public'), ...named.filter((place) => place !== '')];
	return {
		own: process.env.N8N_BLOCK_FILE_ACCESS_TO_N8N_FILES === 'false' ? [] : own,
		patterns: listOf('N8N_BLOCK_FILE_PATTERNS', STOCK_PATTERNS),
		allowed: listOf('N8N_RESTRICT_FILE_ACCESS_TO', STOCK_FOLDER).map((each) => each.replace(/^~/, os.homedir())),
	};
}

/** A setting, from the environment or from the file that `<NAME>_FILE` names, as n8n reads it. */
function listOf(name: string, otherwise: string): string[] {
	const file = process.env[`${name}_FILE`];
	const value = process.env[name] ?? (file ? fs.readFileSync(file, 'utf8') : otherwise);
	const text = value.trim().replace(/^(['"])(.*)\1$/, '$2');
	return text
		.split(';')
		.map((part) => part.trim())
		.filter((part) => part !== '');
}

function contains(folder: string, inner: string): boolean {
	const outer = path.resolve(folder);
	return inner === outer || inner.startsWith(outer + path.sep);
}

/** A pattern that is no regular expression blocks everything, as in n8n. */
function matches(pattern: string, resolved: string): boolean {
	try {
		return new RegExp(pattern, 'mi').test(path.posix.normalize(resolved.replace(/\\/g, '/')));
	} catch {
		return true;
	}
}

/** The real path of what exists of it, and the rest as it was written. */
async function withoutLinks(full: string): Promise<string> {
	try {
		return await fs.promises.realpath(full);
	} catch {
		// Missing, or not to be looked at: whoever opens it says which.
		const parent = path.dirname(full);
		return parent === full ? full : path.join(await withoutLinks(parent), path.basename(full));
	}
}
