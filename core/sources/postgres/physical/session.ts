/** A short connection, to ask a cluster something. */
import { toBackupError } from '../connection/errors';
import type { DatabaseTarget } from '../connection/target';
import { explain } from './errors';
import { openTransport } from './transport/open';
import type { Transport } from './transport/transport';

/**
 * Connects, asks, and disconnects.
 * @throws BackupError of the connection, and what the server says, with the hint that fits
 */
export async function askCluster<T>(
	target: DatabaseTarget,
	signal: AbortSignal,
	ask: (transport: Transport) => Promise<T>,
): Promise<T> {
	let transport: Transport | null = null;
	try {
		transport = await openTransport(target, signal);
		return await ask(transport);
	} catch (error) {
		throw signal.aborted ? error : explain(toBackupError(error, target), target);
	} finally {
		await transport?.close();
	}
}
