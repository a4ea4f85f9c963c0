/** The bytes of a running pg_dump as a stream whose end is proof that all of them were there. */
import { Readable } from 'node:stream';
import { BackupError } from '../../errors';
import type { DumpFormat } from './engine';

/** How pg_dump ends a plain dump (src/bin/pg_dump/pg_backup_archiver.c); the key of \unrestrict is there since 2025. */
const TRAILER = /(?:^|\n)--\n-- PostgreSQL database dump complete\n--\n\n(?:\\unrestrict \w{1,80}\n\n)?$/;
/** More than the longest trailer. */
const TAIL_BYTES = 256;
const CUSTOM_MAGIC = 'PGDMP';
/** Enough for the engines to run ahead of a consumer that pauses briefly. */
const BUFFER_BYTES = 1024 * 1024;

export interface BodyOptions {
	format: DumpFormat;
	/** The consumer wants more: let the engine go on. */
	resume(): void;
	/** Ends the engine, with success behind it or not; resolves when nothing of it is left. */
	stop(): Promise<void>;
}

export class DumpBody extends Readable {
	#head = Buffer.alloc(0);
	#tail = Buffer.alloc(0);
	readonly #options: BodyOptions;

	constructor(options: BodyOptions) {
		super({ highWaterMark: BUFFER_BYTES });
		this.#options = options;
	}

	/** @returns whether the engine may go on at once; otherwise `resume` says when */
	offer(chunk: Buffer): boolean {
		if (this.destroyed) return false;
		if (this.#head.length < CUSTOM_MAGIC.length) {
			this.#head = Buffer.concat([this.#head, chunk.subarray(0, CUSTOM_MAGIC.length)]);
		}
		// A copy, because the chunk belongs to the consumer from now on.
		this.#tail =
			chunk.length >= TAIL_BYTES
				? Buffer.from(chunk.subarray(-TAIL_BYTES))
				: Buffer.concat([this.#tail, chunk]).subarray(-TAIL_BYTES);
		return this.push(chunk);
	}

	/** The engine ended and says that it succeeded. The stream ends if its bytes say so too, and fails otherwise. */
	complete(): void {
		const whole =
			this.#options.format === 'plain'
				? TRAILER.test(this.#tail.toString('latin1'))
				: this.#head.subarray(0, CUSTOM_MAGIC.length).equals(Buffer.from(CUSTOM_MAGIC));
		if (whole) this.push(null);
		else {
			this.destroy(
				new BackupError('incomplete', 'pg_dump reported success, but its output is not whole', {
					hint: 'Run the backup again. If it happens again, choose the other engine and report it.',
				}),
			);
		}
	}

	override _read(): void {
		this.#options.resume();
	}

	override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
		this.#options.stop().then(
			() => done(error),
			(stopError: Error) => done(error ?? stopError),
		);
	}
}
