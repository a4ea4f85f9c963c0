/** A TCP proxy on 127.0.0.1 that does to connections what networks do on bad days. */
import net from 'node:net';

export interface ProxyOptions {
	/** Changes what the server says. */
	rewrite?: (chunk: Buffer) => Buffer;
	/** Changes what clients say. */
	rewriteRequests?: (chunk: Buffer) => Buffer;
}

export class TcpProxy {
	readonly #server: net.Server;
	readonly #sockets = new Set<net.Socket>();
	#paused = false;

	private constructor(port: number, { rewrite = same, rewriteRequests = same }: ProxyOptions) {
		this.#server = net.createServer((client) => {
			const upstream = net.connect(port, '127.0.0.1');
			this.#join(client, upstream, rewriteRequests);
			this.#join(upstream, client, rewrite);
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
		this.cut();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	#join(from: net.Socket, to: net.Socket, rewrite: (chunk: Buffer) => Buffer): void {
		this.#sockets.add(from);
		if (this.#paused) from.pause();
		from.on('data', (chunk) => {
			if (to.write(rewrite(chunk))) return;
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
