/** A proxy before a real S3 server that lets requests pass, or does to them what networks and servers do on bad days. */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { throttle } from '../../core/base/limits';

const NEVER = new AbortController().signal;

export interface SeenRequest {
	method: string;
	url: string;
	headers: IncomingMessage['headers'];
	/** From 1, over all requests. */
	number: number;
}

export type Fate =
	| 'pass'
	/** Close the connection before the request gets anywhere. */
	| 'cut'
	/** Take nothing, say nothing. */
	| 'hang'
	/** The server does it, but its answer never arrives. */
	| 'lose-answer'
	/** Give so many bytes of the answer's body, then close the connection, or say nothing more. */
	| { cutAfter: number }
	| { hangAfter: number }
	/** Take the request's body no faster than so many bytes per second. */
	| { takes: number }
	/** Answer instead of the server, with this text again and again. */
	| { endless: string; answering: number }
	/** Answer instead of the server. */
	| { status: number; code?: string; headers?: Record<string, string>; body?: string };

export class S3Proxy {
	readonly seen: SeenRequest[] = [];
	/** Endless answers that somebody still takes. */
	endless = 0;
	#fate: (request: SeenRequest) => Fate | Promise<Fate> = () => 'pass';
	readonly #server: http.Server;

	private constructor(private readonly target: URL) {
		this.#server = http.createServer((request, response) => this.#handle(request, response));
	}

	static async start(endpoint: string): Promise<S3Proxy> {
		const proxy = new S3Proxy(new URL(endpoint));
		await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
		return proxy;
	}

	get endpoint(): string {
		return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
	}

	/** What happens to the requests that come from now on; a request waits for what is promised. */
	let(fate: (request: SeenRequest) => Fate | Promise<Fate>): void {
		this.#fate = fate;
	}

	/** Connections that are open now. */
	async connections(): Promise<number> {
		return await new Promise((resolve, reject) =>
			this.#server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
		);
	}

	async stop(): Promise<void> {
		const closed = new Promise((resolve) => this.#server.close(resolve));
		this.#server.closeAllConnections();
		await closed;
	}

	#handle(request: IncomingMessage, response: ServerResponse): void {
		const { method = '', url = '', headers } = request;
		const seen = { method, url, headers, number: this.seen.length + 1 };
		this.seen.push(seen);
		const fate = this.#fate(seen);
		if (fate instanceof Promise) void fate.then((late) => this.#meet(late, request, response));
		else this.#meet(fate, request, response);
	}

	#meet(fate: Fate, request: IncomingMessage, response: ServerResponse): void {
		if (fate === 'hang') return;
		if (fate === 'cut') return void request.socket.destroy();
		if (typeof fate === 'object' && 'endless' in fate) {
			this.endless++;
			response.once('close', () => this.endless--);
			response.writeHead(fate.answering, { 'content-type': 'application/xml' });
			return void Readable.from(repeated(fate.endless)).pipe(response);
		}
		if (typeof fate === 'object' && 'status' in fate) return answer(request, response, fate);
		this.#forward(request, response, fate);
	}

	#forward(request: IncomingMessage, response: ServerResponse, fate: Exclude<Fate, { status: number }>): void {
		const { method, url: path, headers } = request;
		// The Host header stays, because it is signed.
		const upstream = http.request(
			{ host: this.target.hostname, port: this.target.port, method, path, headers },
			(reply) => {
				if (fate === 'lose-answer') {
					reply.resume().once('end', () => request.socket.destroy());
					return;
				}
				// A server that breaks off is one that breaks off to the client as well.
				reply.once('close', () => void (reply.complete || request.socket.destroy()));
				response.writeHead(reply.statusCode ?? 500, reply.headers);
				response.flushHeaders();
				if (typeof fate !== 'object' || 'takes' in fate) return void reply.pipe(response);
				let left = 'cutAfter' in fate ? fate.cutAfter : 'hangAfter' in fate ? fate.hangAfter : 0;
				// An answer with fewer bytes than that passes.
				reply.once('end', () => void (left > 0 && response.end()));
				reply.on('data', (chunk: Buffer) => {
					if (left <= 0) return;
					const isTaken = response.write(chunk.subarray(0, left), () => {
						if (left <= 0 && 'cutAfter' in fate) request.socket.destroy();
					});
					left -= chunk.length;
					// Otherwise all that the reader does not take would lie in memory here.
					if (isTaken) return;
					reply.pause();
					response.once('drain', () => reply.resume());
				});
			},
		);
		upstream.on('error', () => request.socket.destroy());
		request.on('error', () => upstream.destroy());
		response.on('close', () => upstream.destroy());
		if (typeof fate === 'object' && 'takes' in fate) request.pipe(throttle(fate.takes, NEVER)).pipe(upstream);
		else request.pipe(upstream);
	}
}

function* repeated(text: string): Generator<string> {
	for (;;) yield text;
}

function answer(request: IncomingMessage, response: ServerResponse, fate: Extract<Fate, { status: number }>): void {
	request.resume().once('end', () => {
		response.writeHead(fate.status, { 'content-type': 'application/xml', ...fate.headers });
		response.end(fate.body ?? (fate.code ? `<?xml version="1.0"?><Error><Code>${fate.code}</Code></Error>` : ''));
	});
}
