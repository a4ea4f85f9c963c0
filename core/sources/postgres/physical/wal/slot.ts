/**
 * The replication slot that makes a server keep its log until it is stored. A slot that nobody reads from any more fills the
 * server's disk, so what it holds back is looked at whenever it is used.
 */
import type { Client } from 'pg';
import { BackupError } from '../../../../base/errors';
import type { DatabaseTarget } from '../../connection/target';
import { askCluster } from '../session';
import { slotProblems, type SlotState } from '../../../../records/slot-problems';
import { slotLiteral } from './slot-name';

/** How a slot is. */
export interface Slot extends SlotState {
	/** The server keeps its log from here on; null where it has removed some of that. */
	restart: string | null;
	/** Somebody else reads from it at this moment. */
	active: boolean;
}

/** @param name letters, digits and underscores @returns null where there is none @throws what `pg` throws */
export async function readSlot(client: Client, name: string): Promise<Slot | null> {
	const { rows } = await client.query<
		Record<'restart' | 'status' | 'held' | 'safe', string | null> & { active: boolean }
	>(
		`SELECT restart_lsn AS restart, wal_status AS status, active, safe_wal_size AS safe,
			pg_catalog.pg_wal_lsn_diff(CASE WHEN pg_catalog.pg_is_in_recovery()
				THEN pg_catalog.pg_last_wal_receive_lsn() ELSE pg_catalog.pg_current_wal_lsn() END, restart_lsn) AS held
		FROM pg_catalog.pg_replication_slots WHERE slot_name = '${slotLiteral(name)}' AND slot_type = 'physical'`,
	);
	const [row] = rows;
	if (!row) return null;
	const { status, active, held, safe } = row;
	// It may be lost some time before the server says no place any more.
	const restart = status === 'lost' ? null : row.restart;
	const [heldBytes, safeBytes] = [Number(held ?? 0), safe === null ? null : Number(safe)];
	return { name, restart, status, active, heldBytes, safeBytes, forgotten: await findForgotten(client, name) };
}

/** The slot of ours besides this one that holds back most: of a storage that moved, or that nobody collects to any more. */
async function findForgotten(client: Client, name: string): Promise<SlotState['forgotten']> {
	const { rows } = await client.query<{ name: string; held: string }>(
		`SELECT slot_name AS name, pg_catalog.pg_wal_lsn_diff(CASE WHEN pg_catalog.pg_is_in_recovery()
			THEN pg_catalog.pg_last_wal_receive_lsn() ELSE pg_catalog.pg_current_wal_lsn() END, restart_lsn) AS held
		FROM pg_catalog.pg_replication_slots
		WHERE slot_type = 'physical' AND NOT temporary AND NOT active AND restart_lsn IS NOT NULL
			AND slot_name ~ '^n8n_backup_[0-9a-f]{16}$' AND slot_name <> '${slotLiteral(name)}'
		ORDER BY restart_lsn LIMIT 1`,
	);
	const [row] = rows;
	return row ? { name: row.name, heldBytes: Number(row.held) } : null;
}

/** What somebody should do before the server's disk is full, or the log is gone. */
export function slotWarnings(slot: Slot): string[] {
	return slotProblems(slot).map(({ text }) => text);
}

/** Told when a slot is made, and to whoever asks for it: with every run, nobody would read it any more. */
export const NO_SLOT_LIMIT =
	"nothing limits what the server keeps for its slots: should this one be forgotten, the server's disk fills; run ALTER SYSTEM SET max_slot_wal_keep_size = '20GB'; SELECT pg_reload_conf(); with a size that its disk has room for";

/**
 * Asks a server for a slot.
 * @throws BackupError 'not-found', those of the connection
 */
export async function findSlot(target: DatabaseTarget, name: string, signal: AbortSignal): Promise<Slot> {
	return await askCluster(target, signal, async ({ client }) => await existing(client, name));
}

/**
 * Removes a slot for good: then the server keeps no log for it, and collecting has ended.
 * @returns how it was
 * @throws BackupError 'not-found', 'locked' while somebody reads by it, those of the connection
 */
export async function endSlot(target: DatabaseTarget, name: string, signal: AbortSignal): Promise<Slot> {
	return await askCluster(target, signal, async (transport) => {
		const slot = await existing(transport.client, name);
		if (slot.active) {
			throw new BackupError('locked', `somebody is reading the log by the slot ${name}`, {
				hint: 'Stop the run that collects it first.',
			});
		}
		await transport.dropSlot(name);
		return slot;
	});
}

async function existing(client: Client, name: string): Promise<Slot> {
	const slot = await readSlot(client, name);
	if (slot !== null) return slot;
	throw new BackupError('not-found', `the server has no slot ${name}`, {
		hint: 'Its name is made of the storage and the group: give both as the runs that collect the log do.',
	});
}
