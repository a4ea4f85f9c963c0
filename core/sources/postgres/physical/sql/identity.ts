/** Which cluster a server has, asked in SQL. */
import type { Client } from 'pg';
import type { Identity } from '../transport/transport';

/** @throws what `pg` throws */
export async function askIdentity(client: Client): Promise<Identity> {
	// A standby does not say on which timeline it would write.
	const { rows } = await client.query<{ system: string; timeline: string; flushed: string }>(
		`SELECT of.system_identifier AS system, CASE WHEN pg_catalog.pg_is_in_recovery() THEN last.timeline_id::text
				ELSE pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_flush_lsn()), 1, 8) END AS timeline,
			CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
				ELSE pg_catalog.pg_current_wal_flush_lsn() END AS flushed
		FROM pg_catalog.pg_control_system() AS of, pg_catalog.pg_control_checkpoint() AS last`,
	);
	const { system, timeline, flushed } = rows[0]!;
	return {
		// SQL knows no numbers without a sign.
		systemIdentifier: BigInt.asUintN(64, BigInt(system)).toString(),
		timeline: Number.parseInt(timeline, timeline.length === 8 ? 16 : 10),
		flushed,
	};
}
