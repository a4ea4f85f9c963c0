/** What a server says of its cluster: which one it is, how it is built, and whether its files and log can be copied. */
import { BackupError } from '../../../base/errors';
import { REPLAY_SETTINGS, type ReplaySettings } from './replay-settings';
import type { Identity, Transport } from './transport/transport';

export interface Cluster extends Identity {
	/** E.g. 180003. */
	serverVersionNumber: number;
	/** E.g. "18.3". */
	serverVersion: string;
	/** Size of a file of the write-ahead log. */
	segmentBytes: number;
	/** Whether data pages have checksums. */
	checksums: boolean;
	/** It writes down which blocks change, which incremental backups need; PostgreSQL 17 and later can. */
	summarizesLog: boolean;
	/** A standby: its log comes from elsewhere. */
	inRecovery: boolean;
	/** The superuser that `initdb` made: every cluster has it, whatever its name. */
	superuser: string;
	/** What a server must have at least to replay this one's log, by name. */
	settings: ReplaySettings;
}

/**
 * Asks a server.
 * @throws BackupError 'unsupported' for a server that keeps no log a copy could be made with; what `pg` throws
 */
export async function readCluster(transport: Transport): Promise<Cluster> {
	const identity = await transport.identify();
	const { client } = transport;
	const names = [
		'wal_segment_size',
		'data_checksums',
		'server_version',
		'server_version_num',
		'wal_level',
		'block_size',
		'summarize_wal',
	];
	const { rows } = await client.query<{ name: string; setting: string }>(
		`SELECT name, setting FROM pg_catalog.pg_settings WHERE name = ANY ('{${[...names, ...REPLAY_SETTINGS].join()}}')`,
	);
	const settings = new Map(rows.map(({ name, setting }) => [name, setting]));
	const state = await client.query<{ standby: boolean; superuser: string }>(
		'SELECT pg_catalog.pg_is_in_recovery() AS standby, rolname::text AS superuser FROM pg_catalog.pg_roles WHERE oid = 10',
	);
	const { standby, superuser } = state.rows[0]!;
	assertReplicable(settings);
	return {
		...identity,
		serverVersionNumber: Number(settings.get('server_version_num')),
		serverVersion: settings.get('server_version')!.split(' ')[0]!,
		segmentBytes: Number(settings.get('wal_segment_size')),
		checksums: settings.get('data_checksums') === 'on',
		summarizesLog: settings.get('summarize_wal') === 'on',
		inRecovery: standby,
		superuser,
		settings: Object.fromEntries(REPLAY_SETTINGS.map((name) => [name, Number(settings.get(name))])),
	};
}

/** Where the log of a server ends on its disk, and on which timeline, as one text to compare. @throws what `pg` throws */
export async function askPosition(transport: Transport): Promise<string> {
	const { systemIdentifier, timeline, flushed } = await transport.identify();
	return [systemIdentifier, timeline, flushed].join(' ');
}

/** The number before the point: 18. */
export function majorOf({ serverVersionNumber }: Pick<Cluster, 'serverVersionNumber'>): number {
	return Math.floor(serverVersionNumber / 10_000);
}

function assertReplicable(settings: Map<string, string>): void {
	const version = Number(settings.get('server_version_num'));
	if (version < 130_000) {
		throw new BackupError('unsupported', `the server is PostgreSQL ${settings.get('server_version')}`, {
			hint: 'Base backups are made of PostgreSQL 13 and later. Back up the databases instead.',
		});
	}
	if (settings.get('wal_level') === 'minimal') {
		throw new BackupError('unsupported', 'the server’s wal_level is minimal', {
			hint: "Run ALTER SYSTEM SET wal_level = 'replica'; and restart the server.",
		});
	}
	if (settings.get('block_size') !== '8192') {
		throw new BackupError('unsupported', `the server’s pages have ${settings.get('block_size')} bytes, not 8192`, {
			hint: 'Such servers are built by hand. Back up the databases instead.',
		});
	}
}
