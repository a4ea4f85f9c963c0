/** Names in a temporary file, each with a NUL behind it, as `xargs -0` takes them. */
import fs from 'node:fs';
import type { Bytes } from '../files/names';
import { writingTemporary } from '../files/thread-faults';

const BUFFER_CHARACTERS = 256 * 1024;

/** Writes names. */
export class NameList {
	#fd: number | null;
	#buffer = '';

	constructor(file: string) {
		this.#fd = writingTemporary(() => fs.openSync(file, 'wx', 0o600));
	}

	add(name: Bytes): void {
		this.#buffer += `${name}\0`;
		if (this.#buffer.length >= BUFFER_CHARACTERS) this.#flush();
	}

	/** Writes what is left. Safe to call again. */
	close(): void {
		if (this.#fd === null) return;
		try {
			this.#flush();
		} finally {
			fs.closeSync(this.#fd);
			this.#fd = null;
		}
	}

	#flush(): void {
		const bytes = Buffer.from(this.#buffer, 'latin1');
		this.#buffer = '';
		const fd = this.#fd!;
		writingTemporary(() => {
			for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done);
		});
	}
}
