/** Looks whether what was restored is what the index says. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { lookAt } from '../archive/folder.ts';
import { nanosecondsText, typeOf } from '../archive/attributes.ts';
import type { Entry } from '../entry.ts';
import { type Bytes, toDisplay, toFs } from '../names.ts';
import type { AttributeSetter } from './attributes.ts';
import type { RestoreSummary } from './messages.ts';
import type { Target } from './target.ts';

const MAX_NAMED = 100;
/** Node takes times as floating-point seconds: exact to a quarter of a microsecond in this century. */
const TIME_SLACK_SECONDS = 1e-6;

/** Compares entries, and notes what differs. */
export class Comparer {
	readonly #target: Target;
	readonly #attributes: AttributeSetter;
	readonly #readBack: boolean;
	readonly #summary: RestoreSummary;
	readonly #buffer = Buffer.allocUnsafe(1024 * 1024);

	/** @param readBack whether contents are read back as well */
	constructor(target: Target, attributes: AttributeSetter, readBack: boolean, summary: RestoreSummary) {
		this.#target = target;
		this.#attributes = attributes;
		this.#readBack = readBack;
		this.#summary = summary;
	}

	compare(entry: Entry): void {
		if (entry.type === 'fifo' || entry.type === 'character' || entry.type === 'block') return;
		const at = this.#placeOf(entry.path);
		const stats = at === null ? null : lookAt(at);
		if (at === null || !stats) {
			// Why it could not be made is told by itself.
			if (entry.type !== 'link') this.#differs(entry, entry.type, 'nothing');
			return;
		}
		const type = entry.type === 'link' ? 'file' : entry.type;
		const found = typeOf(stats) ?? 'something else';
		if (found !== type) {
			this.#differs(entry, type, found);
			return;
		}
		if (entry.type === 'symlink') {
			const target = fs.readlinkSync(toFs(at), { encoding: 'latin1' });
			this.#expect(entry, 'a link to ', toDisplay(entry.target!), toDisplay(target));
			return;
		}
		if (entry.type === 'link') {
			const first = this.#placeOf(entry.target!);
			const isSame = first !== null && lookAt(first)?.ino === lookAt(this.#placeOf(entry.path)!)?.ino;
			if (!isSame) this.#differs(entry, `a link to ${toDisplay(entry.target!)}`, 'a file of its own');
			return;
		}
		if (entry.type === 'file') this.#expect(entry, '', `${entry.size} bytes`, `${stats.size} bytes`);
		const mode = this.#attributes.modeOf({ ...entry, type });
		this.#expect(entry, 'mode ', mode.toString(8), Number(stats.mode & 0o7777n).toString(8));
		const owner = this.#attributes.ownerOf(entry);
		if (owner) this.#expect(entry, 'owner ', `${owner.uid}:${owner.gid}`, `${stats.uid}:${stats.gid}`);
		const time = nanosecondsText(stats.mtimeNs);
		if (Math.abs(Number(time) - Number(entry.mtime)) > TIME_SLACK_SECONDS)
			this.#differs(entry, `time ${entry.mtime}`, time);
		if (entry.type === 'file' && this.#readBack) this.#expect(entry, 'SHA-256 ', entry.sha256!, this.#digest(at));
	}

	/** Where an entry is; null when not even its folder is there. */
	#placeOf(path: Bytes): Bytes | null {
		try {
			const { folder, name } = this.#target.folderOf(path, false);
			return folder.at(name);
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
			throw error;
		}
	}

	#digest(at: string): string {
		const fd = fs.openSync(toFs(at), fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
		try {
			const digest = createHash('sha256');
			for (;;) {
				const count = fs.readSync(fd, this.#buffer, 0, this.#buffer.length, null);
				if (count === 0) return digest.digest('hex');
				digest.update(this.#buffer.subarray(0, count));
			}
		} finally {
			fs.closeSync(fd);
		}
	}

	#expect(entry: Entry, what: string, expected: string, found: string): void {
		if (expected !== found) this.#differs(entry, `${what}${expected}`, `${what}${found}`);
	}

	#differs({ path }: Entry, expected: string, found: string): void {
		this.#summary.differencesCount++;
		if (this.#summary.differences.length < MAX_NAMED) {
			this.#summary.differences.push({ item: toDisplay(path), expected, found });
		}
	}
}
