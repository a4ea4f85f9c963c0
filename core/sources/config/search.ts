/** Walks folders for configuration, follows what the files name, and looks at each file once. */
import { constants, type Stats } from 'node:fs';
import { lstat, open, readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { abortError, BackupError } from '../../base/errors';
import { matchesGlob } from '../../base/glob';
import { excluder } from '../files/archive/excludes.ts';
import { fromText } from '../files/names.ts';
import type { CertificateFacts } from './certificates.ts';
import type { Inspected } from './inspect.ts';
import type { Inspector } from './inspector.ts';
import { type ConfigKind, kindOfFile } from './kinds.ts';
import { referencesOf } from './references.ts';
import { MAX_FILE_BYTES, secretNames } from './sanitise.ts';

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
	/** Files that it needs and that are not there. */
	missing: string[];
	/** Why its contents could not be looked at. */
	problem?: string;
}

/** A file that was found, and what is known of its contents; null where they could not be looked at. */
export interface FoundFile {
	finding: ConfigFinding;
	looked: { bytes: Buffer; inspected: Inspected } | null;
}

/** How far a search goes. */
export interface SearchOptions {
	/** Folders below a root; 12 when absent. */
	maxDepth?: number;
	/** Files and folders looked at in all; 200,000 when absent. */
	maxEntries?: number;
	/** Take files that are of no known kind as well, as `settings`. */
	everything?: boolean;
	/** Patterns in gitignore's syntax, relative to the root of the file system. */
	exclude?: readonly string[];
	/** Called with each root, and with where its links lead, before it is looked into. */
	assertAllowed?: (path: string, real: string) => void;
	/** Asked before a folder or a file is read; path without links. */
	isBlocked?: (path: string) => boolean;
	signal?: AbortSignal;
	/** Is told what was passed over, and why. */
	skipped?: (path: string, reason: string) => void;
	/** Is told of each link that leads to a file of configuration. */
	link?: (path: string) => void;
}

/** Never configuration, and often very large. */
const PASSED_OVER: ReadonlySet<string> = new Set(
	'node_modules .git .hg .svn .cache .npm .venv venv __pycache__ proc sys dev lost+found overlay2'.split(' '),
);

/** One search. A file that is found in two ways is given once. */
export class Search {
	readonly #seen = new Set<string>();
	readonly #isExcluded: ReturnType<typeof excluder>;
	#entries = 0;

	private constructor(
		private readonly roots: readonly string[],
		private readonly inspector: Inspector,
		private readonly options: SearchOptions,
	) {
		this.#isExcluded = excluder(options.exclude ?? []);
	}

	/**
	 * Gives every file of configuration below some folders, and files that are named themselves.
	 * @param roots folders and files; links are followed to what lies below them, and no further
	 * @throws BackupError 'not-found' for a root that is missing, 'invalid-input' when there is more below the roots than allowed; those of
	 * `assertAllowed`
	 */
	static async *below(
		roots: readonly string[],
		inspector: Inspector,
		options: SearchOptions,
	): AsyncIterable<FoundFile> {
		const real: string[] = [];
		for (const root of roots) real.push(await realRoot(root, options));
		const search = new Search(real, inspector, options);
		for (const root of real) {
			if ((await statOf(root))?.isDirectory()) yield* search.#folder(root, 0);
			else yield* search.#file(root, kindOfFile(root) ?? 'settings');
		}
	}

	async *#folder(folder: string, depth: number): AsyncIterable<FoundFile> {
		const { maxDepth = 12, skipped, everything } = this.options;
		if (this.#seen.has(folder)) return;
		this.#seen.add(folder);
		if (this.#isBlocked(folder)) return;
		if (depth > maxDepth) {
			skipped?.(folder, `is deeper than ${maxDepth} folders`);
			return;
		}
		for (const name of await this.#names(folder)) {
			this.#count();
			const file = path.join(folder, name);
			const stat = await statOf(file);
			if (stat === null) this.options.skipped?.(file, 'cannot be read, or has a name that is not UTF-8');
			if (this.#isExcluded(fromText(file.slice(1)), stat?.isDirectory() ?? false)) continue;
			if (stat?.isDirectory()) {
				if (!PASSED_OVER.has(name)) yield* this.#folder(file, depth + 1);
			} else if (stat?.isSymbolicLink() || stat?.isFile()) {
				const kind = kindOfFile(file) ?? (everything ? 'settings' : null);
				if (kind !== null) yield* this.#file(file, kind);
			}
		}
	}

	/** A file, and what it names. */
	async *#file(named: string, kind: ConfigKind): AsyncIterable<FoundFile> {
		const file = await this.#inside(named);
		if (file === null) return;
		const stat = await statOf(file);
		if (!stat?.isFile()) return;
		if ((await statOf(named))?.isSymbolicLink()) this.options.link?.(named);
		if (this.#seen.has(file)) return;
		this.#seen.add(file);
		if (this.#isBlocked(file)) return;
		const finding: ConfigFinding = { kind, path: file, size: stat.size, secrets: null, certificates: [], missing: [] };
		const bytes = await contentsOf(file, stat.size);
		if (typeof bytes === 'string') {
			yield { finding: { ...finding, problem: bytes }, looked: null };
			return;
		}
		const inspected = await this.inspector.inspect({ path: file, bytes });
		finding.secrets = secretNames(inspected.sanitised);
		if (kind === 'certificate' || kind === 'key') finding.certificates = inspected.certificates;
		const others = await this.#named(file, kind, bytes, finding);
		yield { finding, looked: { bytes, inspected } };
		for (const [other, otherKind] of others) yield* this.#file(other, otherKind);
	}

	/** The files that one names, as far as they are there; those that are not are noted. */
	async #named(file: string, kind: ConfigKind, bytes: Buffer, finding: ConfigFinding) {
		const found: Array<[string, ConfigKind]> = [];
		const folderWith = async (name: string) => await this.#folderWith(file, name);
		for (const each of await referencesOf(kind, { path: file, text: bytes.toString('utf8'), folderWith })) {
			for (const place of await this.#matching(each.path)) {
				const stat = await statOf(place);
				if (stat?.isFile() || stat?.isSymbolicLink()) found.push([place, each.kind ?? kindOfFile(place) ?? 'settings']);
				else if (!stat && each.required) finding.missing.push(place);
			}
		}
		return found;
	}

	async #folderWith(file: string, name: string): Promise<string> {
		for (let folder = path.dirname(file); this.#isInside(folder); folder = path.dirname(folder)) {
			if (await statOf(path.join(folder, name))) return folder;
			if (folder === path.dirname(folder)) break;
		}
		return path.dirname(file);
	}

	/** Paths by a pattern, of which folders outside of the roots are not read. */
	async #matching(pattern: string): Promise<string[]> {
		let places = ['/'];
		for (const segment of pattern.split('/').filter((each) => each !== '')) {
			if (!/[*?]/.test(segment)) {
				places = places.map((place) => path.join(place, segment));
				continue;
			}
			const below: string[] = [];
			for (const place of places) {
				const folder = await this.#inside(place);
				const names = folder === null ? [] : await this.#names(folder);
				below.push(...names.filter((name) => matchesGlob(name, segment)).map((name) => path.join(place, name)));
			}
			places = below;
			this.#count(places.length);
		}
		return places;
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

	#isBlocked(real: string): boolean {
		if (!this.options.isBlocked?.(real)) return false;
		this.options.skipped?.(real, 'may not be read');
		return true;
	}

	#isInside(real: string): boolean {
		return this.roots.some(
			(root) => real === root || real.startsWith(root.endsWith(path.sep) ? root : root + path.sep),
		);
	}

	#count(entries = 1): void {
		const { signal, maxEntries = 200_000 } = this.options;
		if (signal?.aborted) throw abortError(signal);
		this.#entries += entries;
		if (this.#entries <= maxEntries) return;
		throw new BackupError(
			'invalid-input',
			`more than ${maxEntries} files and folders lie below ${this.roots.join(', ')}`,
			{ hint: 'Name the folders that hold configuration, such as /etc or those of the compose projects.' },
		);
	}
}

async function realRoot(root: string, { assertAllowed }: SearchOptions): Promise<string> {
	if (!path.isAbsolute(root) || root.includes('\0')) {
		throw new BackupError('invalid-input', `"${root}" is not an absolute path`, {
			hint: 'Write it from the root on, e.g. /etc.',
		});
	}
	try {
		const real = await realpath(root);
		assertAllowed?.(path.resolve(root), real);
		const stat = await lstat(real);
		if (stat.isDirectory()) await readdir(real);
		return real;
	} catch (error) {
		if (error instanceof BackupError) throw error;
		assertAllowed?.(path.resolve(root), path.resolve(root));
		throw new BackupError('not-found', `cannot look into ${root} (${codeOf(error)})`, {
			hint: 'Name folders that exist here and that this user may read; a container sees only what is mounted into it.',
			cause: error,
		});
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
