/** Connections to a database: the plain socket that an engine speaks through, and a client for our own queries. */
import { once } from 'node:events';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { BackupError, abortError, isBackupError } from '../../../base/errors';
import { limitAnswers } from './answer-limit';
import { toBackupError } from './errors';
import { watchPassword } from './password-exposure';
import { assertOwnSession } from './pooler';
import { liftLimits } from './session-limits';
import { patienceOf, watchSilence, worksOn } from './silence';
import { sqlStateOf } from './sql-state';
import { type DatabaseTarget, describeTarget } from './target';
import { encrypt } from './tls';
import { openTunnel, type TunnelTarget } from './tunnel';

/** For everything until the first byte of PostgreSQL's own protocol: name, TCP, SSH, TLS. */
export const CONNECT_TIMEOUT_MS = 15_000;
/** Idle time after which the system asks whether the other side is still there. */
const KEEPALIVE_MS = 30_000;
/** More than the kernel usually has at once. */
const READ_BUFFER_BYTES = 256 * 1024;
/** How long a server may take to say goodbye. */
const FAREWELL_MS = 3_000;

export interface SocketOptions {
	signal: AbortSignal;
	/**
	 * For much that comes: takes the bytes of each read, whose memory is used again at once, and returns whether to go on
	 * reading; if not, `resume()` of the socket does. Only where the system itself reads: through an SSH tunnel, the
	 * bytes come as 'data' events as always.
	 */
	onRead?: (bytes: Buffer) => boolean;
}

/**
 * A stream on which PostgreSQL's protocol can begin, encrypted as the target wants it. The caller owns it, and must
 * listen for its errors from the start. The signal is not watched any more once it is open.
 * @throws BackupError 'unreachable', 'untrusted-certificate', 'wrong-credentials' (of the SSH server), 'unsupported', 'cancelled'
 */
export async function openSocket(target: DatabaseTarget, { signal, onRead }: SocketOptions): Promise<Duplex> {
	if (signal.aborted) throw abortError(signal);
	const deadline = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
	const either = AbortSignal.any([signal, deadline]);
	let socket: Duplex | undefined;
	try {
		socket = target.ssh
			? await openTunnel(target as TunnelTarget, { signal: either, timeoutMs: CONNECT_TIMEOUT_MS })
			: await openTcp(target, either, target.tls === 'off' ? onRead : undefined);
		return target.tls === 'off' ? socket : await encrypt(socket, target, either);
	} catch (error) {
		socket?.on('error', () => undefined); // the first error is the one that counts
		socket?.destroy();
		if (signal.aborted) throw abortError(signal);
		if (deadline.aborted) {
			throw new BackupError(
				'unreachable',
				`${describeTarget(target)}: no answer within ${CONNECT_TIMEOUT_MS / 1000} s`,
				{
					hint: 'Check host and port, and that no firewall drops the packets.',
					cause: error,
				},
			);
		}
		throw toBackupError(error, target);
	}
}

async function openTcp(
	target: DatabaseTarget,
	signal: AbortSignal,
	onRead: SocketOptions['onRead'],
): Promise<net.Socket> {
	const socket = net.connect({
		host: target.host,
		port: target.port,
		noDelay: true,
		keepAlive: true,
		keepAliveInitialDelay: KEEPALIVE_MS,
		...(onRead && {
			onread: {
				buffer: Buffer.allocUnsafeSlow(READ_BUFFER_BYTES),
				callback: (count, buffer) => onRead(Buffer.from(buffer.buffer, buffer.byteOffset, count)),
			},
		}),
	});
	try {
		await once(socket, 'connect', { signal });
		return socket;
	} catch (error) {
		socket.destroy();
		throw error;
	}
}

/**
 * A connected client for our own queries, with a session of the server that it shares with nobody, and that has no time
 * limits of the server's. Aborting the signal breaks its connection at any later time as well: what runs then fails with the signal's reason. Its queries fail with
 * errors of `pg`: see {@link toBackupError}. Close it with {@link disconnect}.
 * @throws BackupError as {@link openSocket}, and 'wrong-credentials', 'database-not-found', 'unsupported' of a pooler, …
 */
export async function connect(target: DatabaseTarget, { signal }: { signal: AbortSignal }): Promise<Client> {
	return await openSession(target, signal, {});
}

/**
 * A storage that pauses must not end the session, and a slot must not stay in use for two hours after this host died without a word: the
 * server's own probes find that within two minutes.
 */
const SENDER_SETTINGS = `SELECT ${Object.entries({
	wal_sender_timeout: 0,
	tcp_keepalives_idle: 60,
	tcp_keepalives_interval: 15,
	tcp_keepalives_count: 4,
})
	.map(([name, value]) => `pg_catalog.set_config('${name}', '${value}', false)`)
	.join(', ')}`;

/**
 * The same, for commands of the replication protocol, whose answers may be as long as a cluster is large. It takes statements
 * without values too. The server waits for us as long as we need.
 * @throws BackupError as {@link connect}, and 'access-denied' of a role that may not replicate
 */
export async function connectForReplication(
	target: DatabaseTarget,
	{ signal }: { signal: AbortSignal },
): Promise<Client> {
	const client = await openSession(target, signal, { replication: true });
	try {
		await client.query(SENDER_SETTINGS);
		return client;
	} catch (error) {
		client.connection.stream.destroy();
		throw signal.aborted ? abortError(signal) : toBackupError(error, target);
	}
}

async function openSession(
	target: DatabaseTarget,
	signal: AbortSignal,
	{ replication = false }: { replication?: boolean },
): Promise<Client> {
	let process: number | null = null;
	const client = await logIn(target, signal, {
		replication,
		isWorking: async () => process !== null && (await isWorking(target, process)),
	});
	const deadline = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
	const onDeadline = () => client.connection.stream.destroy(noSession(target));
	deadline.addEventListener('abort', onDeadline, { once: true });
	try {
		const open = async () => await logIn(target, AbortSignal.any([signal, deadline]));
		process = await assertOwnSession(client, target, { open, close: disconnect });
		await liftLimits(client);
		return client;
	} catch (error) {
		client.connection.stream.destroy();
		if (signal.aborted) throw abortError(signal);
		throw deadline.aborted ? noSession(target) : toBackupError(error, target);
	} finally {
		deadline.removeEventListener('abort', onDeadline);
	}
}

/** Asks a server over a connection of its own. That it refuses one, for want of connections, shows that it works, too. */
async function isWorking(target: DatabaseTarget, process: number): Promise<boolean> {
	const signal = AbortSignal.timeout(Math.min(CONNECT_TIMEOUT_MS, patienceOf(target)));
	try {
		const client = await logIn(target, signal);
		try {
			return await worksOn(client, process);
		} finally {
			await disconnect(client);
		}
	} catch (error) {
		return isBackupError(error) && sqlStateOf(error.cause) !== null;
	}
}

function noSession(target: DatabaseTarget): BackupError {
	return new BackupError(
		'unreachable',
		`${describeTarget(target)}: logged in, but no query was answered within ${CONNECT_TIMEOUT_MS / 1000} s`,
		{
			hint: 'A connection pooler without a free session does that: give the server’s own address instead, or a larger pool.',
		},
	);
}

/**
 * @param options.isWorking asked when the server owes an answer in silence; without it, silence alone ends the connection
 * @param options.replication for commands of the replication protocol, whose answers have no limit
 */
async function logIn(
	target: DatabaseTarget,
	signal: AbortSignal,
	{
		isWorking = async () => false,
		replication = false,
	}: { isWorking?: () => Promise<boolean>; replication?: boolean } = {},
): Promise<Client> {
	const socket = await openSocket(target, { signal });
	const client = new Client({
		host: target.host,
		port: target.port,
		database: target.database,
		user: target.user,
		// As a function, so that an absent password is not looked up in the environment or in files.
		password: () => target.password ?? '',
		application_name: 'n8n-nodes-backup',
		connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
		ssl: false, // the stream is encrypted already
		stream: () => asUnconnected(socket),
		// Known to `pg`, though not to its types. With a database, `pg_hba.conf` takes it for an ordinary connection.
		...(replication && { replication: 'database' }),
	});
	// Without a listener a broken idle connection would end the process; every later query reports it.
	client.on('error', () => undefined);
	if (!replication) limitAnswers(socket, target);
	watchPassword(client, socket, target);
	watchSilence(client, socket, target, isWorking);
	const onAbort = () => socket.destroy(abortError(signal));
	signal.addEventListener('abort', onAbort, { once: true });
	socket.once('close', () => signal.removeEventListener('abort', onAbort));
	try {
		signal.throwIfAborted();
		await client.connect();
		return client;
	} catch (error) {
		socket.destroy();
		throw signal.aborted ? abortError(signal) : toBackupError(error, target);
	}
}

/** Closes a client, politely when the server answers and anyway when it does not. Never fails. */
export async function disconnect(client: Client): Promise<void> {
	const finished = new AbortController();
	const ended = client.end().catch(() => undefined); // broken already: closed is what was wanted
	await Promise.race([ended, delay(FAREWELL_MS, undefined, { signal: finished.signal }).catch(() => undefined)]);
	finished.abort();
	client.connection.stream.destroy();
}

/** `pg` wants to connect its stream itself and to tune it as a net.Socket. */
function asUnconnected(socket: Duplex): Duplex {
	const settings = { setNoDelay: () => socket, setKeepAlive: () => socket, ref: () => socket, unref: () => socket };
	for (const [name, method] of Object.entries(settings)) {
		if (!(name in socket)) Object.assign(socket, { [name]: method });
	}
	return Object.assign(socket, { connect: () => void setImmediate(() => socket.emit('connect')) });
}
