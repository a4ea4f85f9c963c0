/**
 * The cage of the embedded database: what a dump makes its loader do must reach nothing of this machine. The loader is
 * made to evaluate JavaScript of libraries, and SQL can make it load a library that the SQL itself has written.
 *
 * The walls of the process are here: no JavaScript from strings, no files but its own, no other process, no environment.
 * Node has none for the network; {@link file://./seal.ts} takes away what reaches it.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { BackupError } from '../../../../base/errors';

/** From the sources in tests, from the built files in use. */
const EXTENSION = path.extname(__filename);
const OWN_FILES = ['child', 'messages', 'seal', 'watch'].map((name) => path.join(__dirname, `${name}${EXTENSION}`));

/** In, out, what it complains of, and a pipe that ends with this process and says nothing before. */
const STDIO = ['pipe', 'pipe', 'pipe', 'pipe'] as const;

/** Of V8, which has nothing to do with the database's own memory, MB. */
const HEAP_MB = 256;

/** O_CLOEXEC (open(2)), which Node does not name. */
const CLOSE_ON_EXEC = 0o2000000;

export interface CageOptions {
	/** Where it may write; a real path. */
	folder: string;
	/** Where the program is that it may read; a real path. */
	program: string;
}

export type CagedProcess = ChildProcessByStdio<Writable, Readable, Readable>;

/** Starts the database's process. It takes and gives frames, and begins with what it finds in the first one. */
export function spawnCaged(options: CageOptions): CagedProcess {
	return spawn(process.execPath, cageArguments(options), {
		// Also none of NODE_OPTIONS.
		env: {},
		cwd: options.folder,
		stdio: [...STDIO],
		windowsHide: true,
	});
}

/** @throws BackupError 'unsupported' for paths that would open the cage */
export function cageArguments({ folder, program }: CageOptions): string[] {
	return [
		'--permission',
		...[...OWN_FILES, program, folder].map((place) => `--allow-fs-read=${literal(place)}`),
		`--allow-fs-write=${literal(folder)}`,
		// For the thread that ends it with this process; the right to make another is dropped before the database starts.
		'--allow-worker',
		'--disallow-code-generation-from-strings',
		'--disable-sigusr1',
		`--max-old-space-size=${HEAP_MB}`,
		// V8 optimizes some of PostgreSQL's functions with 600 MB of memory and seconds of processor time, which pays off only
		// for dumps near the limit.
		'--liftoff-only',
		// On allow-worker, and in tests on sources whose kind must be looked for.
		'--no-warnings',
		OWN_FILES[0]!,
	];
}

/**
 * Descriptors that a new process gets from this one, for it to close. Node's own files are not among them, but who started
 * this process, or a library in it, may have left some open.
 */
export function inheritedDescriptors(): number[] {
	if (process.platform !== 'linux') return [];
	const folder = '/proc/self/fdinfo';
	return fs.readdirSync(folder).flatMap((name) => {
		try {
			const flags = /^flags:\s*(\d+)/m.exec(fs.readFileSync(path.join(folder, name), 'latin1'))![1]!;
			return parseInt(flags, 8) & CLOSE_ON_EXEC ? [] : [Number(name)];
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []; // that of the folder itself
			throw error;
		}
	});
}

/** In these options a star stands for everything that follows. */
function literal(place: string): string {
	if (!place.includes('*')) return place;
	throw new BackupError('unsupported', `the embedded database cannot be shut in where a path has a star: ${place}`, {
		hint: 'Name another temporary folder in TMPDIR, or use a scratch database on a server.',
	});
}
