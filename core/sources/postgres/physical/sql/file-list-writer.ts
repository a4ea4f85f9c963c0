/** The list of the files of a base backup, as a server writes it (PostgreSQL manual, "Backup Manifest Format"). */
import { createHash } from 'node:crypto';
import type { LogPoint } from '../base/base-backup';

/** All that it says besides the files. */
export interface ListFacts {
	/** Of the server: 18. */
	major: number;
	systemIdentifier: string;
	start: LogPoint;
	end: LogPoint;
}

/** Collects the lines while the files pass. */
export class FileListWriter {
	readonly #lines: string[] = [];

	/** @param mtime seconds since 1970 */
	add({ path, size, mtime, crc32c }: { path: string; size: number; mtime: number; crc32c: number }): void {
		const changed = new Date(mtime * 1000).toISOString().replace('T', ' ').replace(/\..*/, ' GMT');
		// As it lies in the memory of a server.
		const checksum = Buffer.alloc(4);
		checksum.writeUInt32LE(crc32c);
		this.#lines.push(
			`{ "Path": ${JSON.stringify(path)}, "Size": ${size}, "Last-Modified": "${changed}", "Checksum-Algorithm": "CRC32C", "Checksum": "${checksum.toString('hex')}" }`,
		);
	}

	/** Gives the text; its last line is the digest of all before. */
	*text({ major, systemIdentifier, start, end }: ListFacts): Generator<Buffer> {
		const hash = createHash('sha256');
		const told = (text: string) => {
			const bytes = Buffer.from(text);
			hash.update(bytes);
			return bytes;
		};
		const of =
			major >= 17
				? `{ "PostgreSQL-Backup-Manifest-Version": 2,\n"System-Identifier": ${systemIdentifier},\n`
				: '{ "PostgreSQL-Backup-Manifest-Version": 1,\n';
		yield told(`${of}"Files": [\n`);
		for (let at = 0; at < this.#lines.length; at += LINES_AT_ONCE) {
			const lines = this.#lines.slice(at, at + LINES_AT_ONCE).join(',\n');
			yield told(at + LINES_AT_ONCE < this.#lines.length ? `${lines},\n` : `${lines}\n`);
		}
		yield told(
			`],\n"WAL-Ranges": [\n{ "Timeline": ${start.timeline}, "Start-LSN": "${start.lsn}", "End-LSN": "${end.lsn}" }\n],\n`,
		);
		yield Buffer.from(`"Manifest-Checksum": "${hash.digest('hex')}"}\n`);
	}
}

const LINES_AT_ONCE = 1000;
