/** Which way a cluster is read: over the replication protocol where the server allows it, otherwise over plain SQL where the role may. */
import { abortError, BackupError, isBackupError } from '../../../../base/errors';
import { connect, connectForReplication, disconnect } from '../../connection/connection';
import { toBackupError } from '../../connection/errors';
import { sqlStateOf } from '../../connection/sql-state';
import type { DatabaseTarget } from '../../connection/target';
import { explain } from '../errors';
import { grantStatement, readRights, type Rights } from '../sql/rights';
import { sqlTransport } from '../sql/transport';
import { replicationTransport } from './replication';
import type { Transport } from './transport';

/**
 * Connects. The caller closes what it gets; aborting the signal breaks it at any time.
 * @throws BackupError of the connection; 'access-denied' and 'unreachable' where neither way is open, with what would open each
 */
export async function openTransport(target: DatabaseTarget, signal: AbortSignal): Promise<Transport> {
	try {
		return replicationTransport(await connectForReplication(target, { signal }), target);
	} catch (error) {
		const reason = reasonOf(error, target);
		if (reason === null) throw error;
		return await openSql(target, signal, reason, error as BackupError);
	}
}

/** Why a server gives no connection for replication, where it may give one for SQL all the same; null for any other error. */
function reasonOf(error: unknown, { user }: DatabaseTarget): string | null {
	if (!isBackupError(error)) return null;
	switch (sqlStateOf(error.cause)) {
		case '42501':
			return `"${user}" may not replicate`;
		case '53300':
			return 'no connection for replication is free (max_wal_senders)';
		default:
			return null;
	}
}

/** @param refused why there is no connection for replication; what is wrong with password or name, a server may say only now */
async function openSql(
	target: DatabaseTarget,
	signal: AbortSignal,
	reason: string,
	refused: BackupError,
): Promise<Transport> {
	const client = await connect(target, { signal });
	try {
		const rights = await readRights(client);
		if (rights.missing.length === 0) return sqlTransport(client, target, { reason, rights });
		throw neither(refused, target, rights);
	} catch (error) {
		await disconnect(client);
		throw signal.aborted ? abortError(signal) : toBackupError(error, target);
	}
}

/** The refusal, with the way out by SQL besides the usual one. */
function neither(refused: BackupError, target: DatabaseTarget, rights: Rights): BackupError {
	const { code, message, hint, details } = explain(refused, target) as BackupError;
	const other = `Or let it be read over plain SQL: run, as a superuser, ${grantStatement(rights)}`;
	return new BackupError(code, message, { hint: [hint, other].filter(Boolean).join(' '), details, cause: refused });
}
