/** Finds the configuration of a server: what lies below some folders, and what these files name. */
import { constants, type Stats } from 'node:fs';
import { lstat, open, readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { abortError, BackupError } from '../../base/errors';
import { matchesGlob } from '../../base/glob';
import { type CertificateFacts, certificates } from './certificates';
import { composeReferences } from './compose';
import { type ConfigKind, kindOf } from './kinds';
import { MAX_FILE_BYTES, secretKeys } from './sanitise';

/** One file that was found. */
export interface ConfigFinding {
	kind: ConfigKind;
	/** Absolute, without links. */
	path: string;
	/** Bytes. */
	size: number;
	/** The names of its secrets, without values; null where nobody can say, because it is no text or does not parse. */
	secrets: string[] | null;
	/** Of a file with certificates. */
	certificates: CertificateFacts[];
	/** Files that it names and that are not there. */
	missing: string[];
	/** Why its contents could not be looked at. */
	problem?: string;
}

/** How far a search goes. */
export interface DiscoverOptions {
	/** Folders below a root; 12 when absent. */
	maxDepth?: number;
	/** Files and folders looked at in all; 200,000 when absent. */
	maxEntries?: number;
	signal?: AbortSignal;
	/** Is told what was passed over, and why. */
	skipped?: (path: string, reason: string) => void;
}

/** Never configuration, and often very large. */
const PASSED_OVER: ReadonlySet<string> = new Set(
	'node_modules .git .hg .svn .cache .npm .venv venv __pycache__ proc sys dev lost+found overlay2'.split(' '),
);

/**
 * Gives every file of configuration below some folders, each once. Links are followed to what lies below the folders, and no further.
 * @param roots folders
 * @throws BackupError 'not-found' for a root that is missing, 'invalid-input' when there is more below the roots than allowed
 */
export async function* discover(roots: readonly string[], options: DiscoverOptions = {}): AsyncIterable<ConfigFinding> {
	const real: string[] = [];
	for (const root of roots) real.push(await realRoot(root));
	const search = new Search(real, options);
	for (const root of real) yield* search.folder(root, 0);
}

async function realRoot(root: string): Promise<string> {
	try {
		const found = await realpath(root);
		await readdir(found);
		return found;
	} catch (error) {
		throw new BackupError('not-found', `cannot look into ${root} (${codeOf(error)})`, {
			hint: 'Name folders that exist here and that this user may read; a container sees only what is mounted into it.',
			cause: error,
		});
	}
}

class Search {
	readonly #seen = new Set<string>();
	#entries = 0;

	constructor(
		private readonly roots: readonly string[],
		private readonly options: DiscoverOptions,
	) {}

	async *folder(folder: string, depth: number): AsyncIterable<ConfigFinding> {
		const { maxDepth = 12, skipped } = this.options;
		if (this.#seen.has(folder)) return;
		this.#seen.add(folder);
		if (depth > maxDepth) {
			skipped?.(folder, `is deeper than ${maxDepth} folders`);
			return;
		}
		for (const name of await this.#names(folder)) {
			this.#count();
			const file = path.join(folder, name);
			const stat = await statOf(file);
			if (stat?.isDirectory()) {
				if (!PASSED_OVER.has(name)) yield* this.folder(file, depth + 1);
			} else if (stat?.isSymbolicLink() || stat?.isFile()) {
				const kind = kindOf(file);
				if (kind !== null) yield* this.file(file, kind);
			}
		}
	}

	/** A file, and what it names. */
	async *file(named: string, kind: ConfigKind): AsyncIterable<ConfigFinding> {
		const file = await this.#inside(named);
		if (file === null || this.#seen.has(file)) return;
		this.#seen.add(file);
		const stat = await statOf(file);
		if (!stat?.isFile()) return;
		const finding: ConfigFinding = { kind, path: file, size: stat.size, secrets: null, certificates: [], missing: [] };
		const bytes = await contentsOf(file, stat.size);
		if (typeof bytes === 'string') {
			yield { ...finding, problem: bytes };
			return;
		}
		finding.secrets = secretKeys({ path: file, bytes });
		if (kind === 'certificate' || kind === 'key') finding.certificates = certificates(bytes);
		const others = await this.#named(file, kind, bytes, finding);
		yield finding;
		for (const [other, otherKind] of others) yield* this.file(other, otherKind);
	}

	/** The files that one names, as far as they are there; those that are not are noted. */
	async #named(
		file: string,
		kind: ConfigKind,
		bytes: Buffer,
		finding: ConfigFinding,
	): Promise<Array<[string, ConfigKind]>> {
		const found: Array<[string, ConfigKind]> = [];
		const text = bytes.toString('utf8');
		if (kind === 'compose') {
			for (const each of composeReferences(text, path.dirname(file))) {
				const stat = await statOf(each.path);
				if (stat?.isFile() || stat?.isSymbolicLink())
					found.push([each.path, each.kind ?? kindOf(each.path) ?? 'settings']);
				else if (!stat && each.required) finding.missing.push(each.path);
			}
		} else if (kind === 'nginx') {
			for (const [, pattern] of text.matchAll(/^\s*include\s+["']?([^\s;"'#]{1,1000})["']?\s*;/gm)) {
				const from = await this.#nginxFolder(file);
				for (const each of await this.#matching(path.resolve(from, pattern!))) found.push([each, 'nginx']);
			}
		}
		return found;
	}

	/** Names in nginx's files are relative to the folder of nginx.conf, wherever they are written. */
	async #nginxFolder(file: string): Promise<string> {
		for (let folder = path.dirname(file); this.#isInside(folder); folder = path.dirname(folder)) {
			if (await statOf(path.join(folder, 'nginx.conf'))) return folder;
			if (folder === path.dirname(folder)) break;
		}
		return path.dirname(file);
	}

	/** Files by a pattern whose last part may have wildcards. */
	async #matching(pattern: string): Promise<string[]> {
		if (!/[*?]/.test(pattern)) return [pattern];
		const folder = await this.#inside(path.dirname(pattern));
		if (folder === null) return [];
		const names = await this.#names(folder);
		return names.filter((name) => matchesGlob(name, path.basename(pattern))).map((name) => path.join(folder, name));
	}

	async #names(folder: string): Promise<string[]> {
		try {
			return (await readdir(folder)).sort();
		} catch (error) {
			this.options.skipped?.(folder, `cannot be read (${codeOf(error)})`);
			return [];
		}
	}

	/** Where a path really is; null where that is outside of the roots, or nowhere. */
	async #inside(file: string): Promise<string | null> {
		try {
			const real = await realpath(file);
			if (this.#isInside(real)) return real;
			this.options.skipped?.(file, 'lies outside of the folders that are searched');
		} catch (error) {
			this.options.skipped?.(file, `cannot be read (${codeOf(error)})`);
		}
		return null;
	}

	#isInside(real: string): boolean {
		return this.roots.some(
			(root) => real === root || real.startsWith(root.endsWith(path.sep) ? root : root + path.sep),
		);
	}

	#count(): void {
		const { signal, maxEntries = 200_000 } = this.options;
		if (signal?.aborted) throw abortError(signal);
		if (++this.#entries > maxEntries) {
			throw new BackupError(
				'invalid-input',
				`more than ${maxEntries} files and folders lie below ${this.roots.join(', ')}`,
				{
					hint: 'Name the folders that hold configuration, such as /etc or those of the compose projects.',
				},
			);
		}
	}
}

/** What is at a path, links not followed; null where there is nothing, or nothing that may be seen. */
async function statOf(file: string): Promise<Stats | null> {
	try {
		return await lstat(file);
	} catch {
		return null;
	}
}

/** The contents of a small file, or why there are none. */
async function contentsOf(file: string, size: number): Promise<Buffer | string> {
	if (size > MAX_FILE_BYTES) return 'is larger than 512 KiB';
	try {
		const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
		try {
			// One byte more than it had: a file that grows is not followed.
			const buffer = Buffer.alloc(Math.min(size, MAX_FILE_BYTES) + 1);
			const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
			return buffer.subarray(0, bytesRead);
		} finally {
			await handle.close();
		}
	} catch (error) {
		return `cannot be read (${codeOf(error)})`;
	}
}

function codeOf(error: unknown): string {
	return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
}
