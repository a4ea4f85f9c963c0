/** Trees of real files: read as lines of text that can be compared, and changed at random. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';

/** A path or name with one character per byte, as `core/sources/files/names.ts` has them. */
type Bytes = string;

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;

export interface TreeOptions {
	/** Say which names are one file. @default true */
	links?: boolean;
	/** Leave entries out, by their path below the root. */
	without?: (path: Bytes) => boolean;
}

/**
 * Everything that a restored tree must have in common with its original: one line per entry, sorted by path, with type, mode, owner,
 * time, size, digest, target, and whether it has holes. The root itself is `.`.
 */
export function treeOf(root: string, { links = true, without }: TreeOptions = {}): string[] {
	const lines: string[] = [];
	const inodes = new Map<string, Bytes>();
	const look = (from: Bytes, path: Bytes) => {
		if (without?.(path)) return;
		const stats = fs.lstatSync(toFs(from), { bigint: true });
		const inode = `${stats.dev}:${stats.ino}`;
		const first = stats.isFile() && stats.nlink > 1n && links ? inodes.get(inode) : undefined;
		inodes.set(inode, first ?? path);
		lines.push(
			`${JSON.stringify(path)} ${describe(from, stats)}${first === undefined ? '' : ` is ${JSON.stringify(first)}`}`,
		);
		if (!stats.isDirectory()) return;
		const fd = fs.openSync(toFs(from), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		try {
			// Through its descriptor, because a path may be longer than the system takes.
			const below = `/proc/self/fd/${fd}`;
			for (const name of fs.readdirSync(`${below}/.`, { encoding: 'latin1' }).sort()) {
				look(`${below}/${name}`, path === '.' ? name : `${path}/${name}`);
			}
		} finally {
			fs.closeSync(fd);
		}
	};
	look(Buffer.from(root).toString('latin1'), '.');
	return lines;
}

function describe(from: Bytes, stats: fs.BigIntStats): string {
	const owner = `${stats.uid}:${stats.gid}`;
	const common = `${(stats.mode & 0o7777n).toString(8)} ${owner} ${stats.mtimeNs}`;
	if (stats.isFile()) return `file ${common} ${stats.size} ${digestOf(from)}${isSparse(stats) ? ' with holes' : ''}`;
	if (stats.isDirectory()) return `directory ${common}`;
	if (stats.isSymbolicLink()) {
		return `symlink ${owner} ${stats.mtimeNs} → ${JSON.stringify(fs.readlinkSync(toFs(from), { encoding: 'latin1' }))}`;
	}
	if (stats.isFIFO()) return `fifo ${common}`;
	if (stats.isSocket()) return `socket ${common}`;
	return `${stats.isBlockDevice() ? 'block' : 'character'} ${common} ${stats.rdev}`;
}

/** Of a hole that is smaller than this, a file system may make a block of zeros. */
const HOLE_BYTES = 64n * 1024n;

function isSparse({ blocks, size }: fs.BigIntStats): boolean {
	return blocks * 512n + HOLE_BYTES < size;
}

/** Used again and again: new memory for each file takes longer than reading it. */
const buffer = Buffer.allocUnsafe(1024 * 1024);

function digestOf(from: Bytes): string {
	const fd = fs.openSync(toFs(from), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	try {
		const hash = createHash('sha1');
		for (;;) {
			const count = fs.readSync(fd, buffer);
			if (count === 0) return hash.digest('hex').slice(0, 12);
			hash.update(buffer.subarray(0, count));
		}
	} finally {
		fs.closeSync(fd);
	}
}

/** Expects a tree as it was; times may differ by the microsecond that Node cannot tell apart. */
export function expectAlike(found: readonly string[], expected: readonly string[]): void {
	const TIME = / (-?\d{10,})(?= |$)/;
	const timesOf = (lines: readonly string[]) => lines.map((line) => Number(TIME.exec(line)?.[1] ?? 0));
	const others = (lines: readonly string[]) => lines.map((line) => line.replace(TIME, ' …'));
	expect(others(found)).toEqual(others(expected));
	const times = timesOf(expected);
	for (const [at, time] of timesOf(found).entries()) expect(Math.abs(time - times[at]!)).toBeLessThan(1000);
}

/** Bytes as functions of `node:fs` take them. */
export function toFs(bytes: Bytes): Buffer {
	return Buffer.from(bytes, 'latin1');
}

/** Numbers that are drawn from a seed: the same seed, the same numbers (mulberry32). */
export class Random {
	#state: number;

	constructor(readonly seed: number) {
		this.#state = seed >>> 0;
	}

	/** A whole number below `end`. */
	below(end: number): number {
		this.#state = (this.#state + 0x6d2b79f5) >>> 0;
		let bits = this.#state;
		bits = Math.imul(bits ^ (bits >>> 15), bits | 1);
		bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
		return ((bits ^ (bits >>> 14)) >>> 0) % end;
	}

	pick<T>(values: readonly T[]): T {
		return values[this.below(values.length)]!;
	}

	bytes(count: number): Buffer {
		const bytes = Buffer.alloc(count);
		for (let at = 0; at < count; at++) bytes[at] = this.below(256);
		return bytes;
	}
}

/** Names that sort differently with a slash, that look like options, or that are no text. */
const NAMES: readonly Bytes[] = [
	'a',
	'a!',
	'a-',
	'a.b',
	'A',
	'b',
	'-rf',
	'ü',
	'\xff\xfe',
	'new\nline',
	'tab\t',
	' ',
	'0',
	'x'.repeat(255),
];
const SIZES = [0, 1, 511, 512, 513, 4096, 70_000];
/** Two before the epoch of the other one's clock, and with nanoseconds. */
const TIMES = [-1_000_000_000.25, 0, 1_700_000_000.123456, 5_000_000_000.5];

/** Changes a tree at random: new files, folders, links; changed, renamed, removed and exchanged ones. */
export class RandomTree {
	readonly #random: Random;

	/** @param root an existing folder */
	constructor(
		private readonly root: string,
		seed: number,
	) {
		this.#random = new Random(seed);
	}

	/** Makes so many changes. */
	change(count: number): void {
		for (let done = 0; done < count; done++) this.#changeOnce();
	}

	#changeOnce(): void {
		const random = this.#random;
		const all = this.#all();
		const folders = [this.root, ...all.filter((path) => isFolder(path))];
		const files = all.filter((path) => fs.lstatSync(toFs(path)).isFile());
		const into = `${random.pick(folders)}/${random.pick(NAMES)}`;
		const one = all.length > 0 ? random.pick(all) : null;
		const file = files.length > 0 ? random.pick(files) : null;
		const isFree = fs.lstatSync(toFs(into), { throwIfNoEntry: false }) === undefined;
		switch (random.below(14)) {
			case 0:
			case 1:
			case 2:
				if (isFree) this.#write(into);
				break;
			case 3:
			case 4:
				if (isFree) fs.mkdirSync(toFs(into));
				break;
			case 5:
				if (isFree) fs.symlinkSync(toFs(random.pick(['nowhere', '/etc', '..', 'a', '\xff'])), toFs(into));
				break;
			case 6:
				if (isFree && file) fs.linkSync(toFs(file), toFs(into));
				break;
			case 7:
				if (isFree && one && !`${into}/`.startsWith(`${one}/`)) fs.renameSync(toFs(one), toFs(into));
				break;
			case 8:
				if (one) fs.rmSync(toFs(one), { recursive: true });
				break;
			case 9:
				// Something else of the same name.
				if (one) {
					const wasFolder = isFolder(one);
					fs.rmSync(toFs(one), { recursive: true });
					if (wasFolder || random.below(2) === 0) this.#write(one);
					else fs.mkdirSync(toFs(one));
				}
				break;
			case 10:
				if (one && !fs.lstatSync(toFs(one)).isSymbolicLink()) {
					fs.chmodSync(toFs(one), random.pick([0o755, 0o700, 0o4711, 0o1777, 0o600]) | 0o600);
				}
				break;
			case 11:
				if (one) fs.lutimesSync(toFs(one), 0, random.pick(TIMES));
				break;
			case 12:
				if (file) fs.appendFileSync(toFs(file), random.bytes(random.pick(SIZES)));
				break;
			case 13:
				if (isFree) this.#writeSparse(into);
				break;
		}
	}

	#write(path: Bytes): void {
		const size = this.#random.pick(SIZES);
		// Sometimes what others hold as well.
		fs.writeFileSync(toFs(path), this.#random.below(3) === 0 ? Buffer.alloc(size, 'same') : this.#random.bytes(size));
	}

	#writeSparse(path: Bytes): void {
		const fd = fs.openSync(toFs(path), 'wx');
		fs.ftruncateSync(fd, this.#random.pick([100_000, 1_000_000, 3_000_000]));
		for (let extents = this.#random.below(3); extents > 0; extents--) {
			fs.writeSync(fd, this.#random.bytes(100), 0, 100, this.#random.below(900_000));
		}
		fs.closeSync(fd);
	}

	/** Paths of everything below the root. */
	#all(): Bytes[] {
		const found: Bytes[] = [];
		const look = (folder: Bytes) => {
			for (const entry of fs.readdirSync(toFs(folder), { encoding: 'latin1', withFileTypes: true })) {
				const path = `${folder}/${entry.name}`;
				found.push(path);
				if (entry.isDirectory()) look(path);
			}
		};
		look(this.root);
		return found.sort();
	}
}

function isFolder(path: Bytes): boolean {
	return fs.lstatSync(toFs(path)).isDirectory();
}
