/** Whether a cluster can be backed up and its log collected: every question is asked, so that one run shows all there is to mend. */
import type { Client } from 'pg';
import { BackupError } from '../../../base/errors';
import { ask, type Finding, type Question } from '../../../base/finding';
import { sizeText } from '../../../base/size-text';
import { toBackupError } from '../connection/errors';
import { passwordWarning } from '../connection/password-exposure';
import { type DatabaseTarget, describeTarget } from '../connection/target';
import { cannotBeIncremental } from './base/incremental';
import { type Cluster, readCluster } from './cluster';
import { configurationState } from './configuration';
import { explain } from './errors';
import { grantStatement, readRights } from './sql/rights';
import { openTransport } from './transport/open';
import type { Transport } from './transport/transport';
import { NO_SLOT_LIMIT, readSlot, slotWarnings } from './wal/slot';

export interface ClusterCheck {
	findings: Finding[];
	/** All databases on the server's disk, about what a full base backup reads; null where it could not be asked. */
	clusterBytes: number | null;
}

/** @param slot the name of the slot by which its log is, or will be, kept */
export async function checkCluster(target: DatabaseTarget, slot: string, signal: AbortSignal): Promise<ClusterCheck> {
	const findings: Finding[] = [];
	let clusterBytes: number | null = null;
	let opened: { transport: Transport; cluster: Cluster } | null = null;
	const of = async (check: string, question: Question) => {
		const finding = await ask(check, async () => {
			try {
				return await question();
			} catch (error) {
				throw explain(toBackupError(error, target), target);
			}
		});
		findings.push(finding);
	};
	let transport: Transport | null = null;
	try {
		await of('connection', async () => {
			transport = await openTransport(target, signal);
			const cluster = await readCluster(transport);
			opened = { transport, cluster };
			const mayReplicate = transport.name === 'replication' ? `, and "${target.user}" may replicate` : '';
			const found = `${describeTarget(target)}: PostgreSQL ${cluster.serverVersion}${mayReplicate}`;
			const exposed = passwordWarning(transport.client);
			if (exposed !== null) return { warning: `${found}; ${exposed}` };
			return cluster.inRecovery ? { warning: `${found}; it is a standby: its log is collected of its primary` } : found;
		});
		const { transport: used, cluster } = (opened ?? {}) as { transport?: Transport; cluster?: Cluster };
		if (!used || !cluster) return { findings, clusterBytes };
		const asked = used.client;
		await of('transport', async () => await transportState(used));
		await of('size', async () => {
			const { bytes, hidden } = await sizeOf(asked);
			clusterBytes = bytes;
			const size = `about ${sizeText(bytes)} to back up, before compression`;
			return hidden === 0 ? size : `${size}, and ${hidden} databases whose size this role may not ask for`;
		});
		if (used.name === 'replication') await of('walsenders', async () => await freeSenders(asked));
		await of('slots', async () => (used.noSlots === null ? await slotState(asked, slot) : { warning: used.noSlots }));
		if (used.noSlots === null) await of('slot limit', async () => await slotLimit(asked));
		await of('archive', async () => await archiveState(asked));
		await of('configuration', async () => await configurationState(asked));
		await of('checksums', async () =>
			Promise.resolve(
				cluster.checksums
					? 'data pages have checksums'
					: 'data pages have no checksums: what the disk damages is backed up as it is (pg_checksums --enable, while the server is stopped)',
			),
		);
		await of('incremental', async () => {
			const why = cannotBeIncremental(cluster) ?? used.fullOnly;
			return Promise.resolve(
				why === null
					? 'incremental base backups are possible'
					: why.includes('ALTER SYSTEM')
						? { warning: `no incremental base backups: ${why}` }
						: why,
			);
		});
		return { findings, clusterBytes };
	} finally {
		await (transport as Transport | null)?.close();
	}
}

/** Which way it is read, and whether there is another where that one is not open. */
async function transportState({ name, reason, client }: Transport): Promise<string | { warning: string }> {
	if (name === 'sql') return { warning: `read over plain SQL, because ${reason}: each base backup is a full one` };
	const rights = await readRights(client);
	const read = 'read over the replication protocol';
	return rights.missing.length === 0
		? `${read}, and over plain SQL where no connection for that is free`
		: `${read}; that it is read over plain SQL where no connection for that is free needs, as a superuser, ${grantStatement(rights)}`;
}

/** A role that may replicate, and nothing else, may connect to most databases, and so ask how large they are. */
async function sizeOf(client: Client): Promise<{ bytes: number; hidden: number }> {
	const { rows } = await client.query<{ bytes: string | null; hidden: string }>(
		`SELECT sum(pg_catalog.pg_database_size(oid)) FILTER (WHERE may) AS bytes, count(*) FILTER (WHERE NOT may) AS hidden
		FROM (SELECT oid, pg_catalog.has_database_privilege(oid, 'CONNECT') AS may FROM pg_catalog.pg_database) AS each`,
	);
	return { bytes: Number(rows[0]!.bytes ?? 0), hidden: Number(rows[0]!.hidden) };
}

/** A base backup and a run of log take one each, at the same time; this connection is one of them. */
async function freeSenders(client: Client): Promise<string> {
	const { rows } = await client.query<{ most: string; taken: string }>(
		`SELECT pg_catalog.current_setting('max_wal_senders') AS most, count(*) AS taken FROM pg_catalog.pg_stat_replication`,
	);
	const [most, taken] = [Number(rows[0]!.most), Number(rows[0]!.taken)];
	if (taken < most) return `${most - taken + 1} of ${most} connections for replication are free`;
	throw new BackupError('missing-requirements', `this is the last of ${most} connections for replication`, {
		hint: `A base backup and a run of log take one each. Run ALTER SYSTEM SET max_wal_senders = ${most + 4}; and restart the server.`,
	});
}

interface Slots {
	most: number;
	taken: number;
	/** Of ours; null where there is none. PostgreSQL's own word, e.g. "reserved". */
	status: string | null;
}

async function slotState(client: Client, name: string): Promise<string | { warning: string }> {
	const { most, taken, status } = await slotsOf(client, name);
	const slot = await readSlot(client, name);
	// One for the log, and one for the time of a base backup.
	const needed = slot === null ? 2 : 1;
	if (most - taken < needed) {
		throw new BackupError(
			'missing-requirements',
			`${taken} of ${most} replication slots are taken; ${needed} more are needed`,
			{
				hint: `Drop those that nobody uses (SELECT * FROM pg_replication_slots;), or run ALTER SYSTEM SET max_replication_slots = ${most + 4}; and restart the server.`,
			},
		);
	}
	if (slot === null) return `no log is collected yet: the first run makes the slot ${name}`;
	if (slot.restart === null) {
		throw new BackupError('broken-log', `the slot ${name} is lost: the server has removed log that it kept`, {
			hint: 'Collect the log now: where all of it is still there, nothing is missing. Otherwise start over, and make a base backup.',
		});
	}
	const left = slot.safeBytes === null ? '' : `, lost after ${sizeText(Math.max(slot.safeBytes, 0))} more`;
	const state = `slot ${name}: ${status}, the server keeps ${sizeText(slot.heldBytes)} for it${left}`;
	const warnings = slotWarnings(slot);
	return warnings.length === 0 ? state : { warning: [state, ...warnings].join('; ') };
}

async function slotsOf(client: Client, name: string): Promise<Slots> {
	const { rows } = await client.query<{ most: string; slot_name: string | null; wal_status: string | null }>(
		`SELECT pg_catalog.current_setting('max_replication_slots') AS most, slot_name, wal_status
		FROM (SELECT) AS one LEFT JOIN pg_catalog.pg_replication_slots ON true`,
	);
	const slots = rows.filter(({ slot_name }) => slot_name !== null);
	const own = slots.find(({ slot_name }) => slot_name === name);
	return { most: Number(rows[0]!.most), taken: slots.length, status: own?.wal_status ?? null };
}

/** A server that archives its log by itself, too, keeps all that it could not archive. */
async function archiveState(client: Client): Promise<string | { warning: string }> {
	const { rows } = await client.query<{ mode: string; failing: boolean; failed: string; file: string; at: string }>(
		`SELECT pg_catalog.current_setting('archive_mode') AS mode, failed_count AS failed, last_failed_wal AS file,
			last_failed_time > coalesce(last_archived_time, '-infinity') AS failing,
			pg_catalog.to_char(last_failed_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at
		FROM pg_catalog.pg_stat_archiver`,
	);
	const { mode, failing, failed, file, at } = rows[0]!;
	if (mode === 'off') return 'archive_mode is off: the server archives nothing itself, which is not needed here';
	if (!failing) return `archive_mode is ${mode}: the server archives its log itself as well`;
	return {
		warning: `archive_mode is ${mode}, and archiving has failed ${failed} times, last with ${file} at ${at}: the server keeps its log until that works, and its disk fills; mend archive_command, or run ALTER SYSTEM SET archive_command = '/bin/true'; SELECT pg_reload_conf(); where nobody needs that archive`,
	};
}

/** What ends a slot that nobody reads by. */
async function slotLimit(client: Client): Promise<string | { warning: string }> {
	const { rows } = await client.query<{ name: string; setting: string; text: string }>(
		`SELECT name, setting, pg_catalog.current_setting(name) AS text FROM pg_catalog.pg_settings
		WHERE name IN ('max_slot_wal_keep_size', 'idle_replication_slot_timeout')`,
	);
	const limit = rows.find(({ name }) => name === 'max_slot_wal_keep_size');
	const idle = rows.find(({ name, setting }) => name === 'idle_replication_slot_timeout' && Number(setting) > 0);
	const warnings = [
		...(limit === undefined || Number(limit.setting) < 0 ? [NO_SLOT_LIMIT] : []),
		// PostgreSQL 18 and later.
		...(idle
			? [`a slot that is not used for ${idle.text} is lost (idle_replication_slot_timeout): collect more often`]
			: []),
	];
	if (warnings.length > 0) return { warning: warnings.join('; ') };
	return `the server keeps ${limit!.text} at most for a slot`;
}
