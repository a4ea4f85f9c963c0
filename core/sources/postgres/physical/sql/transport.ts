/** A cluster read over plain SQL, for servers that give no connection for replication: the same archives, the same log. */
import type { Client } from 'pg';
import { disconnect } from '../../connection/connection';
import type { DatabaseTarget } from '../../connection/target';
import type { Transport } from '../transport/transport';
import { slotLiteral } from '../wal/slot-name';
import { SqlBaseBackup } from './base-backup';
import { askIdentity } from './identity';
import { readHistory, readLogFiles } from './log';
import type { Rights } from './rights';

/**
 * @param client which is the transport's from now on
 * @param options.reason why it is not replication, for people
 * @param options.rights of the role, which lacks none that it needs
 */
export function sqlTransport(
	client: Client,
	target: DatabaseTarget,
	{ reason, rights: { maySlot, role } }: { reason: string; rights: Rights },
): Transport {
	return {
		name: 'sql',
		reason,
		client,
		noSlots: maySlot ? null : withoutSlots(role),
		fullOnly: `over plain SQL, base backups are full ones, and ${reason}`,
		identify: async () => await askIdentity(client),
		async createSlot(name, { temporary = false } = {}) {
			await client.query('SELECT pg_catalog.pg_create_physical_replication_slot($1, true, $2)', [name, temporary]);
		},
		async dropSlot(name) {
			await client.query('SELECT pg_catalog.pg_drop_replication_slot($1)', [slotLiteral(name)]);
		},
		beginBase: async (request) => await SqlBaseBackup.begin(client, target, request),
		readLog: (request) => readLogFiles(client, target, request, maySlot),
		readHistory: async (timeline) => await readHistory(client, timeline),
		close: async () => await disconnect(client),
	};
}

function withoutSlots(role: string): string {
	return `the server keeps no log for us, since ${role} may use no replication slots: what it removes before it is stored is a gap; run ALTER ROLE ${role} REPLICATION; or raise wal_keep_size above what is written between two runs, e.g. ALTER SYSTEM SET wal_keep_size = '2GB'; SELECT pg_reload_conf();`;
}
