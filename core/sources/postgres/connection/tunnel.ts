/**
 * A way to a database through an SSH server. Each tunnel has an SSH connection of its own that ends with it: n8n's
 * shared ones are ended after five minutes without a new request, which a long dump would not survive.
 */
import net from 'node:net';
import { Duplex } from 'node:stream';
import type { Client, ClientChannel, ClientErrorExtensions } from 'ssh2';
import { BackupError, abortError, messageOf } from '../../../base/errors';
import { cleanText } from './errors';
import type { DatabaseTarget, SshTunnel } from './target';

/** A dead SSH connection is noticed after this time without an answer, three times in a row. */
const KEEPALIVE_MS = 20_000;

/** A target that names an SSH server. */
export type TunnelTarget = DatabaseTarget & { ssh: SshTunnel };

/**
 * Opens a stream to the target's host and port, as the SSH server sees them. Destroying it ends the SSH connection.
 * @throws BackupError 'unreachable', 'wrong-credentials', 'access-denied', each saying that it is about the SSH server
 */
export async function openTunnel(
	target: TunnelTarget,
	options: { signal: AbortSignal; timeoutMs: number },
): Promise<Duplex> {
	const { ssh } = target;
	// Loaded by who needs it: most databases are reached without.
	const { Client } = await import('ssh2');
	const client = new Client();
	const { promise, resolve, reject } = Promise.withResolvers<ClientChannel>();
	const onAbort = () => reject(abortError(options.signal));
	options.signal.addEventListener('abort', onAbort, { once: true });
	client.on('error', (error) => reject(sshError(error, target)));
	client.on('close', () => reject(sshError(new Error('the server closed the connection'), target)));
	client.on('ready', () => {
		// Or every short question waits for the acknowledgement of what was sent before it: about 40 ms.
		client.setNoDelay(true);
		client.forwardOut('127.0.0.1', 0, target.host, target.port, (error, channel) => {
			if (error) reject(forwardError(error, target));
			else resolve(channel);
		});
	});
	try {
		options.signal.throwIfAborted();
		client.connect({
			host: ssh.host,
			port: ssh.port,
			username: ssh.user,
			password: ssh.password,
			privateKey: ssh.privateKey,
			passphrase: ssh.passphrase,
			readyTimeout: options.timeoutMs,
			keepaliveInterval: KEEPALIVE_MS,
		});
		const tunnel = new Tunnel(client, await promise, () => sshError(new Error('the server closed the tunnel'), target));
		client.on('error', (error) => tunnel.destroy(sshError(error, target)));
		return tunnel;
	} catch (error) {
		client.destroy();
		if (options.signal.aborted) throw abortError(options.signal);
		throw error instanceof BackupError ? error : keyError(error, target);
	} finally {
		options.signal.removeEventListener('abort', onAbort);
	}
}

/** A channel as an ordinary stream: ssh2's own forgets the error it is destroyed with. Owns the SSH connection. */
class Tunnel extends Duplex {
	readonly #client: Client;
	readonly #channel: ClientChannel;

	/** @param lost what to say when the tunnel closes before the other side said that it is done */
	constructor(client: Client, channel: ClientChannel, lost: () => Error) {
		super();
		this.#client = client;
		this.#channel = channel;
		let ended = false;
		const onClose = () => {
			if (!ended) this.destroy(lost());
			// What has arrived is still to be read.
			else if (!this.readableEnded) this.once('end', () => this.destroy());
			else this.destroy();
		};
		channel.on('data', (chunk: Buffer) => this.push(chunk) || channel.pause());
		channel.on('end', () => {
			ended = true;
			this.push(null);
		});
		channel.on('close', onClose);
		channel.on('error', (error: Error) => this.destroy(error));
		client.on('close', onClose);
	}

	override _read(): void {
		this.#channel.resume();
	}

	override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
		this.#channel.write(chunk, done);
	}

	override _final(done: (error?: Error | null) => void): void {
		this.#channel.end(done);
	}

	override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
		this.#channel.close();
		this.#client.end();
		done(error);
	}
}

/** A local port for programs that cannot use a stream: every connection to it gets a tunnel of its own. */
export interface Forwarder {
	/** On 127.0.0.1. */
	readonly port: number;
	/** Why the last tunnel could not be opened or broke. */
	readonly failure: BackupError | undefined;
	close(): void;
}

/** Listens on a free local port and passes what arrives there to the target, through its SSH server. */
export async function forwardLocally(
	target: TunnelTarget,
	options: { signal: AbortSignal; timeoutMs: number },
): Promise<Forwarder> {
	let failure: BackupError | undefined;
	const sockets = new Set<Duplex>();
	const server = net.createServer((local) => {
		sockets.add(local.on('close', () => sockets.delete(local)));
		const fail = (error: unknown) => {
			if (error instanceof BackupError) failure = error;
			local.destroy();
		};
		local.on('error', fail);
		openTunnel(target, options).then((remote) => {
			if (local.destroyed) return remote.destroy();
			sockets.add(remote.on('close', () => (sockets.delete(remote), local.destroy())));
			remote.on('error', fail);
			local.on('close', () => remote.destroy());
			local.pipe(remote).pipe(local);
			return undefined;
		}, fail);
	});
	await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
	return {
		port: (server.address() as net.AddressInfo).port,
		get failure() {
			return failure;
		},
		close() {
			server.close();
			for (const socket of sockets) socket.destroy();
		},
	};
}

function sshError(error: Error & Partial<ClientErrorExtensions>, target: TunnelTarget): BackupError {
	const where = `SSH server ${target.ssh.host}:${target.ssh.port}`;
	const said = cleanText(messageOf(error) || String((error as NodeJS.ErrnoException).code), target);
	if (error.level === 'client-authentication') {
		return new BackupError('wrong-credentials', `${where}: user "${target.ssh.user}" was not let in: ${said}`, {
			hint: 'Check the SSH user and its password or private key in the credential.',
			cause: error,
		});
	}
	const lost = error.level === undefined || (error as NodeJS.ErrnoException).code === 'ECONNRESET';
	return new BackupError(lost ? 'connection-lost' : 'unreachable', `${where}: ${said}`, {
		hint: 'Check the SSH host and port in the credential, and that no firewall is in between.',
		cause: error,
	});
}

/** The SSH server let us in, but did not connect us to the database. */
function forwardError(error: Error & { reason?: unknown }, target: TunnelTarget): BackupError {
	const prohibited = error.reason === 1 || /prohibited/i.test(error.message);
	return new BackupError(
		prohibited ? 'access-denied' : 'unreachable',
		`SSH server ${target.ssh.host}:${target.ssh.port} could not connect to ${target.host}:${target.port}: ${cleanText(error.message, target)}`,
		{
			hint: prohibited
				? 'Set AllowTcpForwarding in the SSH server’s sshd_config, and allow this destination.'
				: 'Host and port of the database must be as the SSH server sees them, for example localhost and 5432.',
			cause: error,
		},
	);
}

/** ssh2 looks at the private key before it connects, and throws. */
function keyError(error: unknown, target: TunnelTarget): BackupError {
	return new BackupError('wrong-credentials', `SSH private key: ${cleanText(messageOf(error), target)}`, {
		hint: 'Paste the whole private key into the credential, and its passphrase if it has one.',
		cause: error,
	});
}
