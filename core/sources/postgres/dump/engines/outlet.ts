/**
 * Where a program's standard output arrives when it is a lot. pg_dump writes pieces of a few KB, and `child_process`
 * hands each of them on in 64 KB of its own: 100,000 for 870 MB, which every filter behind has to handle one by one.
 * This one lets the system write into large chunks, and leaves the pieces in the kernel for a moment until reading is
 * worth while. It is a TCP connection of this process to itself, because the kernel keeps megabytes for one: of a Unix
 * socket or a pipe, which hold 200 and 64 KB, the program had to wait for us most of the time. A dump of 806 MB took 7.4 s
 * instead of 9.4, with less work for the processor.
 */
import net from 'node:net';
import { CHUNK_BYTES, CHUNK_PATIENCE_MS, memoryOf } from '../../../../streams/chunk';

/** Less than this is not worth a read by itself. */
const SMALL_BYTES = 256 * 1024;
/** In which a fast program writes about a megabyte: short enough to go unnoticed. */
const PATIENCE_MS = 8;

const HOST = '127.0.0.1';

export interface Outlet {
	/** The program's standard output: pass it to spawn(), then destroy it here. */
	readonly writeEnd: net.Socket;
	/** The next bytes are wanted, after `take` returned false. */
	resume(): void;
	/** Takes a chunk back, to fill it again. */
	recycle(chunk: Buffer): void;
	/** Resolves when the program has closed its end and everything was taken, or after destroy(). */
	readonly ended: Promise<void>;
	destroy(): void;
}

/**
 * @param take is given bytes that are its own until it gives them back; returns whether it wants more at once
 */
export async function openOutlet(take: (bytes: Buffer) => boolean): Promise<Outlet> {
	const server = net.createServer({ pauseOnConnect: true });
	await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, HOST, resolve));
	const { port } = server.address() as net.AddressInfo;

	const chunks = new Chunks(take);
	let wanted = true;
	let waiting = false;
	const readEnd = net.connect({
		host: HOST,
		port,
		onread: {
			// Asked for after each read, where the next one shall go.
			buffer: () => chunks.space,
			callback(count) {
				wanted = chunks.filledBy(count);
				if (wanted && count >= SMALL_BYTES) return true;
				waiting = wanted;
				if (waiting) setTimeout(() => ((waiting = false), wanted && readEnd.resume()), PATIENCE_MS);
				return false;
			},
		},
	});
	const ended = new Promise<void>((resolve, reject) => readEnd.once('error', reject).once('close', () => resolve()));
	const accepted = new Promise<net.Socket>((resolve) => {
		server.on('connection', (socket) => {
			// Any program of this machine can connect. Ours is the one whose address is that of the other end.
			if (socket.remotePort === readEnd.localPort) resolve(socket);
			else socket.destroy();
		});
	});
	// It cannot take our connection, for want of descriptors.
	server.on('error', (error) => readEnd.destroy(error));
	let writeEnd: net.Socket;
	try {
		writeEnd = await Promise.race([accepted, ended.then(() => Promise.reject(new Error('closed at once')))]);
	} finally {
		server.close();
	}
	return {
		writeEnd,
		resume() {
			wanted = true;
			if (!waiting) readEnd.resume();
		},
		recycle: (chunk) => chunks.recycle(chunk),
		ended: ended.then(() => chunks.end()),
		destroy() {
			writeEnd.destroy();
			readEnd.destroy();
		},
	};
}

/** One chunk that is being filled, and the memory of others that came back. */
class Chunks {
	readonly #take: (bytes: Buffer) => boolean;
	readonly #free: ArrayBuffer[] = [];
	#memory = new ArrayBuffer(CHUNK_BYTES);
	#filled = 0;
	#lastTaken = performance.now();

	constructor(take: (bytes: Buffer) => boolean) {
		this.#take = take;
	}

	get space(): Uint8Array {
		return new Uint8Array(this.#memory, this.#filled);
	}

	/** @returns whether more is wanted at once */
	filledBy(count: number): boolean {
		this.#filled += count;
		const isDue = this.#filled === CHUNK_BYTES || performance.now() - this.#lastTaken >= CHUNK_PATIENCE_MS;
		return isDue ? this.#handOn() : true;
	}

	end(): void {
		if (this.#filled > 0) this.#handOn();
	}

	recycle(chunk: Buffer): void {
		const memory = memoryOf(chunk);
		if (memory) this.#free.push(memory);
	}

	#handOn(): boolean {
		const bytes = Buffer.from(this.#memory, 0, this.#filled);
		this.#memory = this.#free.pop() ?? new ArrayBuffer(CHUNK_BYTES);
		this.#filled = 0;
		this.#lastTaken = performance.now();
		return this.#take(bytes);
	}
}
