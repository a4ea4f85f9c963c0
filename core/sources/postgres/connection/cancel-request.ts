/** Stopping what a server does for a connection that is given up. */
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { BackupError } from '../../../base/errors';
import { openSocket } from './connection';
import type { DatabaseTarget } from './target';

/** How long the server may take to hear that its work is not wanted any more. */
const FAREWELL_MS = 3_000;

/**
 * Asks the server to stop what it was doing for us: it notices a closed connection only when it next writes to it,
 * which can take long while it waits for a lock or builds an index.
 * @param backendKey process and secret key, as the server sent them
 */
export async function stopServer(target: DatabaseTarget, backendKey: Buffer): Promise<void> {
	const signal = AbortSignal.timeout(FAREWELL_MS);
	let socket: Duplex;
	try {
		socket = await openSocket(target, { signal });
	} catch (error) {
		// Whoever cannot be reached cannot be told; the server will notice by itself.
		if (error instanceof BackupError) return;
		throw error;
	}
	await new Promise<void>((resolve) => {
		// The server closes the connection when it has passed the wish on.
		socket
			.on('error', () => resolve())
			.on('close', () => resolve())
			.resume();
		socket.write(stopRequest(backendKey));
		void delay(FAREWELL_MS, undefined, { signal, ref: false })
			.catch(() => undefined)
			.then(() => resolve());
	});
	socket.destroy();
}

/** CancelRequest: asks the server, over a connection of its own, to stop what the process of this key is doing. */
function stopRequest(backendKey: Buffer): Buffer {
	const request = Buffer.alloc(8 + backendKey.length);
	request.writeUInt32BE(request.length, 0);
	request.writeUInt32BE(80877102, 4);
	backendKey.copy(request, 8);
	return request;
}
