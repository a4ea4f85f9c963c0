/** A server's identity as it may stand in the clear. */
import { createHash } from 'node:crypto';

/**
 * Makes a mark that tells servers apart and says nothing else.
 * @param systemIdentifier of the cluster, for its whole life, as `pg_control_system()` and `IDENTIFY_SYSTEM` say it
 */
export function serverMark(systemIdentifier: string): string {
	return createHash('sha256').update(`n8n-nodes-backup server ${systemIdentifier}`).digest('hex').slice(0, 32);
}
