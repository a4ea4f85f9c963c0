/** The parts of an upload: how large each one is, and its bytes while they wait for the server. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { abortError } from '../../base/errors';

/** Memory comes in blocks of this size, used again and again. */
const BLOCK = 1024 * 1024;
/** Handed to the socket at once: small enough for the stall time-out to see every bit of progress. */
const SLICE = 64 * 1024;
/** S3 takes no larger part. */
const MAX_PART = 5 * 1024 ** 3;

/**
 * Size in bytes of part `number` (from 1) of an object whose size nobody knows yet. It doubles after every tenth of the
 * allowed parts: 10,000 parts that start with 8 MiB hold 7.8 TiB, more than the 5 TiB that S3 allows, and up to 8 GiB
 * need no more memory than the first part.
 */
export function partSizeOf(number: number, partSize: number, maxParts: number): number {
	return Math.min(MAX_PART, partSize * 2 ** Math.floor((number - 1) / (maxParts / 10)));
}

/** Limits how many bytes of parts wait in memory, and reuses that memory. */
export class PartMemory {
	/** Most bytes ever held at once. */
	peakBytes = 0;
	#held = 0;
	readonly #free: Buffer[] = [];
	readonly #waiting: (() => void)[] = [];

	/** @param limit bytes; two parts are always allowed, one to fill while the other one is sent */
	constructor(private readonly limit: number) {}

	/** Waits until there is room for a part of `size` bytes. */
	async reserve(size: number): Promise<void> {
		while (this.#held > 0 && this.#held + size > Math.max(this.limit, 2 * size)) {
			await new Promise<void>((resolve) => this.#waiting.push(resolve));
		}
		this.#held += size;
		this.peakBytes = Math.max(this.peakBytes, this.#held);
	}

	release(size: number, blocks: Buffer[]): void {
		this.#held -= size;
		const spare = Math.floor((this.limit - this.#held) / BLOCK) - this.#free.length;
		this.#free.push(...blocks.slice(0, Math.max(0, spare)));
		for (const wake of this.#waiting.splice(0)) wake();
	}

	block(): Buffer {
		return this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK);
	}
}

/** One part: filled once, sent as often as it takes. */
export class Part {
	size = 0;
	readonly #blocks: Buffer[] = [];
	readonly #md5 = createHash('md5');
	#digest: Buffer | undefined;

	constructor(
		readonly number: number,
		readonly capacity: number,
		private readonly memory: PartMemory,
		private readonly onMoved?: () => void,
	) {}

	get isFull(): boolean {
		return this.size === this.capacity;
	}

	/** Copies what there is room for. @returns the number of bytes taken */
	append(chunk: Uint8Array): number {
		const taken = chunk.subarray(0, this.capacity - this.size);
		for (let at = 0; at < taken.length; ) {
			const offset = this.size % BLOCK;
			if (offset === 0) this.#blocks.push(this.memory.block());
			const piece = taken.subarray(at, at + BLOCK - offset);
			this.#blocks.at(-1)?.set(piece, offset);
			this.size += piece.length;
			at += piece.length;
		}
		// While they arrive, so that hashing a whole part never holds up the event loop.
		this.#md5.update(taken);
		return taken.length;
	}

	/** Of the whole part: nothing can be appended afterwards. S3's ETag of a part, and its Content-MD5. */
	get md5(): Buffer {
		return (this.#digest ??= this.#md5.digest());
	}

	/**
	 * The bytes, to be sent.
	 * @param signal stops the stream while bytes are left to hand out, and not after the last one
	 */
	stream(signal?: AbortSignal): Readable {
		const stop = () => signal && stream.destroy(abortError(signal));
		const done = () => signal?.removeEventListener('abort', stop);
		const stream = Readable.from(this.#slices(done), { objectMode: false, highWaterMark: SLICE });
		stream.once('close', done);
		if (signal?.aborted) stop();
		else signal?.addEventListener('abort', stop, { once: true });
		return stream;
	}

	*#slices(onLast: () => void): Generator<Buffer> {
		for (let at = 0; at < this.size; at += SLICE) {
			if (at + SLICE >= this.size) onLast();
			const block = this.#blocks[Math.floor(at / BLOCK)];
			// Asked for when the socket has taken what was before it.
			if (at > 0) this.onMoved?.();
			if (block) yield block.subarray(at % BLOCK, Math.min((at % BLOCK) + SLICE, this.size - at + (at % BLOCK)));
		}
	}

	/** Gives the memory back. The part is gone. */
	release(): void {
		this.memory.release(this.capacity, this.#blocks.splice(0));
	}
}

/**
 * Cuts a body into parts; the first one comes even when the body is empty. Whoever takes a part must release it.
 * @param capacityOf bytes of the part of that number; may throw when there can be no such part
 * @param onMoved called while a part is sent
 */
export async function* intoParts(
	bytes: AsyncIterable<Uint8Array>,
	capacityOf: (number: number) => number,
	memory: PartMemory,
	onMoved?: () => void,
): AsyncGenerator<Part, void> {
	const next = async (number: number) => {
		const capacity = capacityOf(number);
		await memory.reserve(capacity);
		return new Part(number, capacity, memory, onMoved);
	};
	let part: Part | undefined = await next(1);
	let number = 1;
	try {
		for await (const chunk of bytes) {
			for (let at = 0; at < chunk.length; ) {
				part ??= await next(++number);
				at += part.append(at === 0 ? chunk : chunk.subarray(at));
				if (!part.isFull) continue;
				const full: Part = part;
				part = undefined;
				yield full;
			}
		}
		const last = part;
		part = undefined;
		if (last) yield last;
	} finally {
		part?.release();
	}
}
