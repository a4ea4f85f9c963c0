/** A TCP proxy on 127.0.0.1 that does to connections what networks do on bad days. */
import net from 'node:net';

export interface ProxyOptions {
	/** Changes what the server says. */
	rewrite?: (chunk: Buffer) => Buffer;
	/** Changes what clients say. */
	rewriteRequests?: (chunk: Buffer) => Buffer;
	/** Messages of a PostgreSQL server, of all connections together, after which nothing moves any more and nobody is told. */
	muteAfter?: number;
}

export class TcpProxy {
	readonly #server: net.Server;
	readonly #sockets = new Set<net.Socket>();
	/** The first letter of each message that was passed on, where messages are counted. */
	readonly passed: string[] = [];
	#paused = false;
	#closing = false;

	private constructor(port: number, { rewrite = same, rewriteRequests = same, muteAfter }: ProxyOptions) {
		this.#server = net.createServer((client) => {
			if (this.#closing) return client.destroy(); // paused, it would never hear that its client has gone
			const upstream = net.connect(port, '127.0.0.1');
			this.#join(client, upstream, rewriteRequests);
			this.#join(upstream, client, muteAfter === undefined ? rewrite : this.#counted(muteAfter));
		});
	}

	static async start(port: number, options: ProxyOptions = {}): Promise<TcpProxy> {
		const proxy = new TcpProxy(port, options);
		await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
		return proxy;
	}

	get port(): number {
		return (this.#server.address() as net.AddressInfo).port;
	}

	/** From now on nothing moves in either direction, and nobody is told. */
	pause(): void {
		this.#paused = true;
		for (const socket of this.#sockets) socket.pause();
	}

	/** Breaks every connection. */
	cut(): void {
		for (const socket of this.#sockets) socket.resetAndDestroy();
	}

	async close(): Promise<void> {
		this.#closing = true;
		this.cut();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	/** Whole messages, as long as there may be more. A message is a letter and a length that counts itself. */
	#counted(muteAfter: number): (chunk: Buffer) => Buffer {
		let rest = Buffer.alloc(0);
		return (chunk) => {
			rest = Buffer.concat([rest, chunk]);
			let end = 0;
			while (rest.length - end >= 5 && this.passed.length < muteAfter) {
				const length = rest.readUInt32BE(end + 1) + 1;
				if (rest.length - end < length) break;
				this.passed.push(String.fromCharCode(rest[end]!));
				end += length;
			}
			const whole = rest.subarray(0, end);
			rest = rest.subarray(end);
			if (this.passed.length >= muteAfter) this.pause();
			return whole;
		};
	}

	#join(from: net.Socket, to: net.Socket, rewrite: (chunk: Buffer) => Buffer): void {
		this.#sockets.add(from);
		if (this.#paused) from.pause();
		from.on('data', (chunk) => {
			const bytes = rewrite(chunk);
			if (bytes.length === 0 || to.write(bytes)) return;
			from.pause();
			to.once('drain', () => this.#paused || from.resume());
		});
		from.on('end', () => to.end());
		from.on('close', () => {
			this.#sockets.delete(from);
			to.destroy();
		});
		from.on('error', () => to.resetAndDestroy());
	}
}

function same(chunk: Buffer): Buffer {
	return chunk;
}
