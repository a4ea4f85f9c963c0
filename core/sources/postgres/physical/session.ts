/** A short connection for replication, to ask a cluster something. */
import type { Client } from 'pg';
import { connectForReplication, disconnect } from '../connection/connection';
import { toBackupError } from '../connection/errors';
import type { DatabaseTarget } from '../connection/target';
import { explain } from './errors';

/**
 * Connects, asks, and disconnects.
 * @throws BackupError of the connection, and what the server says, with the hint that fits
 */
export async function askCluster<T>(
	target: DatabaseTarget,
	signal: AbortSignal,
	ask: (client: Client) => Promise<T>,
): Promise<T> {
	let client: Client | null = null;
	try {
		client = await connectForReplication(target, { signal });
		return await ask(client);
	} catch (error) {
		throw signal.aborted ? error : explain(toBackupError(error, target), target);
	} finally {
		if (client) await disconnect(client);
	}
}
