/** How SSH puts values into bytes (RFC 4251, section 5), and bytes into text: what is read must fit to the last byte. */
import type { BackupError } from '../../base/errors';

/** As ssh-keygen breaks its lines. */
const LINE = 70;

/** A value with its length before it. */
export function sshString(value: Buffer | string): Buffer {
	const bytes = Buffer.from(value);
	return Buffer.concat([uint32(bytes.length), bytes]);
}

export function uint32(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32BE(value);
	return bytes;
}

/** Reads one value after the other, and throws what `broken` makes as soon as one does not fit. */
export class SshReader {
	#at = 0;

	constructor(
		private readonly bytes: Buffer,
		private readonly broken: () => BackupError,
	) {}

	take(length: number): Buffer {
		if (length > this.bytes.length - this.#at) throw this.broken();
		return this.bytes.subarray(this.#at, (this.#at += length));
	}

	uint32(): number {
		return this.take(4).readUInt32BE();
	}

	string(): Buffer {
		return this.take(this.uint32());
	}

	/** For names, which are ASCII: any other byte becomes a character that no name has. */
	name(): string {
		return this.string().toString('latin1');
	}

	rest(): Buffer {
		return this.take(this.bytes.length - this.#at);
	}

	/** Says that nothing may follow. */
	end(): void {
		if (this.rest().length > 0) throw this.broken();
	}
}

/** The bytes of base64 in its only correct spelling, with padding and without white space; else null. */
export function decodeBase64(text: string): Buffer | null {
	const bytes = Buffer.from(text, 'base64');
	return bytes.length > 0 && bytes.toString('base64') === text ? bytes : null;
}

/** @param label e.g. "SSH SIGNATURE" */
export function toArmor(label: string, bytes: Buffer): string {
	const base64 = bytes.toString('base64');
	const lines = Array.from({ length: Math.ceil(base64.length / LINE) }, (_, n) =>
		base64.slice(n * LINE, (n + 1) * LINE),
	);
	return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
