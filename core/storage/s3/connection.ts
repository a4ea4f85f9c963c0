/**
 * The `minio` client, with what it lacks: cancellation, time-outs for connecting and stalling, errors that keep the
 * server's reason, and sockets that can be closed. All through the transport it lets us replace.
 */
import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Client } from 'minio';
import { abortError, BackupError } from '../../base/errors';
import { refusalOf } from './errors';
import { MachineRole } from './role';

export interface S3ConnectionOptions {
	/** "http://host:port" or "https://host:port"; Amazon S3 when absent. */
	endpoint?: string;
	/** @default 'us-east-1', which servers without regions accept as well */
	region?: string;
	accessKey: string;
	secretKey: string;
	sessionToken?: string;
	/** Takes the keys of the role that this machine has on AWS; the others are empty. @default false */
	fromRole?: boolean;
	/** Bucket in the path instead of in the host name. Amazon S3 is always asked by host name. @default true */
	pathStyle?: boolean;
	/** Certificate authorities in PEM. Only these are trusted then. */
	ca?: string;
	/** @default 10_000 */
	connectTimeoutMs?: number;
	/** Milliseconds in which at least one byte must move, or the other side must answer. @default 60_000 */
	stallTimeoutMs?: number;
}

const DEFAULT_REGION = 'us-east-1';
/** Longest error answer that is read; real ones have a few hundred bytes. */
const MAX_ERROR_BYTES = 64 * 1024;

export class S3Connection {
	readonly region: string;
	readonly #options: S3ConnectionOptions;
	readonly #url: URL;
	readonly #agent: http.Agent;
	readonly #role: MachineRole | null;

	/** @throws BackupError 'invalid-input' */
	constructor(options: S3ConnectionOptions) {
		this.#options = options;
		this.#role = options.fromRole ? new MachineRole() : null;
		this.region = options.region ?? DEFAULT_REGION;
		this.#url = parseEndpoint(options.endpoint ?? 'https://s3.amazonaws.com');
		this.#agent = this.#isSecure
			? new https.Agent({ keepAlive: true, ca: options.ca })
			: new http.Agent({ keepAlive: true });
	}

	/**
	 * A client whose requests all end when the signal aborts. It is cheap: sockets are shared.
	 * The region is fixed, because finding it out needs a permission (s3:GetBucketLocation) of its own. The client's own
	 * retries are off: they repeat any request, print to the console and drop the server's reason.
	 */
	async client(signal?: AbortSignal): Promise<Client> {
		// Loaded by who needs it: it takes 0.1 s, which a backup into a folder need not wait for.
		const { Client } = await import('minio');
		const { pathStyle = true } = this.#options;
		const { accessKey, secretKey, sessionToken } = this.#role ? await this.#role.keys(signal) : this.#options;
		return new Client({
			endPoint: this.#url.hostname.replace(/^\[|\]$/g, ''),
			port: this.#url.port === '' ? undefined : Number(this.#url.port),
			useSSL: this.#isSecure,
			region: this.region,
			accessKey,
			secretKey,
			sessionToken,
			pathStyle,
			transportAgent: this.#agent,
			transport: { request: this.#transport(signal) },
			retryOptions: { disableRetry: true },
		});
	}

	/** Ends all requests and closes all sockets. */
	close(): void {
		this.#agent.destroy();
	}

	get #isSecure(): boolean {
		return this.#url.protocol === 'https:';
	}

	#transport(signal?: AbortSignal): typeof http.request {
		const { connectTimeoutMs = 10_000, stallTimeoutMs = 60_000 } = this.#options;
		const send = this.#isSecure ? https.request : http.request;
		const host = this.#url.host;
		return ((options: https.RequestOptions, onResponse: (response: IncomingMessage) => void): ClientRequest => {
			const request = send(options);
			request.once('response', (response) => {
				const status = response.statusCode ?? 0;
				if (status >= 200 && status < 300) onResponse(response);
				else void refuse(request, response, status);
			});
			watch(request, {
				signal,
				connectTimeoutMs,
				stallTimeoutMs,
				host,
				connected: this.#isSecure ? 'secureConnect' : 'connect',
			});
			return request;
		}) as typeof http.request;
	}
}

/** minio listens for the request's errors: that is the way to hand it one that it does not parse itself. */
async function refuse(request: ClientRequest, response: IncomingMessage, status: number): Promise<void> {
	try {
		let body = '';
		for await (const chunk of response.setEncoding('utf8')) {
			body += chunk;
			// Leaving the loop ends the answer: some never end by themselves.
			if (body.length >= MAX_ERROR_BYTES) break;
		}
		request.emit('error', refusalOf(status, body, response.headers));
	} catch (error) {
		request.emit('error', error);
	}
}

interface Watch {
	signal?: AbortSignal;
	connectTimeoutMs: number;
	stallTimeoutMs: number;
	host: string;
	/** The event by which a new socket says that it can be used. */
	connected: 'connect' | 'secureConnect';
}

/** Ends a request, or its response once there is one, when it is cancelled or nothing moves. */
function watch(request: ClientRequest, { signal, connectTimeoutMs, stallTimeoutMs, host, connected }: Watch): void {
	let response: IncomingMessage | undefined;
	let socket: Socket | undefined;
	let connecting: NodeJS.Timeout | undefined;
	const fail = (error: BackupError) => void (response ?? request).destroy(error);
	const onAbort = () => signal && fail(abortError(signal));
	const onIdle = () => {
		// Bytes that wait here were not asked for yet: the reader is slow, not the server. The timer ran out, set it again.
		if (response && response.readableLength > 0) socket?.setTimeout(stallTimeoutMs);
		else fail(stalled(host, stallTimeoutMs));
	};
	const onConnected = () => {
		clearTimeout(connecting);
		socket?.setTimeout(stallTimeoutMs);
	};

	request.once('response', (incoming) => (response = incoming));
	request.once('socket', (assigned) => {
		socket = assigned;
		socket.on('timeout', onIdle);
		if (!socket.connecting) return onConnected();
		connecting = setTimeout(() => fail(unreachable(host, connectTimeoutMs)), connectTimeoutMs);
		socket.once(connected, onConnected);
	});
	// Comes before the socket is given to the next request.
	request.once('close', () => {
		clearTimeout(connecting);
		signal?.removeEventListener('abort', onAbort);
		socket?.off('timeout', onIdle).off(connected, onConnected).setTimeout(0);
	});
	if (signal?.aborted) onAbort();
	else signal?.addEventListener('abort', onAbort, { once: true });
}

function stalled(host: string, ms: number): BackupError {
	return new BackupError('stalled', `${host} neither took nor gave a byte for ${ms / 1000} s`, {
		hint: 'Check the server’s load and disks, and the network in between.',
	});
}

function unreachable(host: string, ms: number): BackupError {
	return new BackupError('unreachable', `${host} did not answer within ${ms / 1000} s`, {
		hint: 'Check the endpoint’s host and port, and that no firewall drops the packets.',
	});
}

/** @throws BackupError 'invalid-input' */
function parseEndpoint(endpoint: string): URL {
	const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
	const isPlain = url && url.pathname === '/' && !url.search && !url.hash && !url.username && !url.password;
	if (!isPlain || !['http:', 'https:'].includes(url.protocol)) {
		throw new BackupError('invalid-input', 'the S3 endpoint cannot be used', {
			hint: 'Write it as http://host:port or https://host:port, without a path and without keys.',
		});
	}
	return url;
}
