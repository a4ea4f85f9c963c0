/** The bytes of a running pg_dump as a stream whose end is proof that all of them were there. */
import { Readable } from 'node:stream';
import { BackupError } from '../../../../base/errors';
import { ARCHIVE_MAGIC } from '../custom-archive';
import { DumpTail } from '../trailer';
import { Definitions } from './definitions';
import type { DumpFormat } from './engine';

/** Enough for the engines to run ahead of a consumer that pauses briefly. */
const BUFFER_BYTES = 1024 * 1024;

export interface BodyOptions {
	format: DumpFormat;
	/** The database, for messages. */
	of: string;
	/** The consumer wants more: let the engine go on. */
	resume(): void;
	/** Ends the engine, with success behind it or not; resolves when nothing of it is left. */
	stop(): Promise<void>;
}

export class DumpBody extends Readable {
	#head = Buffer.alloc(0);
	readonly #tail = new DumpTail();
	readonly #options: BodyOptions;
	/** null where the format cannot be read on the way. */
	readonly #definitions: Definitions | null;

	constructor(options: BodyOptions) {
		super({ highWaterMark: BUFFER_BYTES });
		this.#options = options;
		this.#definitions = options.format === 'plain' ? new Definitions() : null;
		// The program may fail before somebody reads: that must not end this process. A reader finds the stream broken.
		this.on('error', () => undefined);
	}

	/** @returns whether the engine may go on at once; otherwise `resume` says when */
	offer(chunk: Buffer): boolean {
		if (this.destroyed) return false;
		if (this.#head.length < ARCHIVE_MAGIC.length) {
			this.#head = Buffer.concat([this.#head, chunk.subarray(0, ARCHIVE_MAGIC.length)]);
		}
		this.#tail.add(chunk);
		const bytes = this.#definitions?.take(chunk) ?? chunk;
		// Nothing of it, as long as all is held back: whoever waits for bytes still does.
		return bytes.length === 0 || this.push(bytes);
	}

	/** The engine ended and says that it succeeded. The stream ends if its bytes say so too, and fails otherwise. */
	complete(): void {
		const whole =
			this.#options.format === 'plain'
				? this.#tail.isComplete()
				: this.#head.subarray(0, ARCHIVE_MAGIC.length).equals(Buffer.from(ARCHIVE_MAGIC));
		if (whole) {
			this.push(this.#definitions?.end() ?? null);
			this.push(null);
		} else {
			this.destroy(
				new BackupError('incomplete', `pg_dump of ${this.#options.of} reported success, but its output is not whole`, {
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
