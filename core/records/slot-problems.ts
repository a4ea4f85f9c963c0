/**
 * The replication slot by which a server keeps its log until it is stored, and what somebody should do before the server's disk is full of
 * log, or log is given up. Judged by whoever asks the server, and by the status, from what the last run of log has written down.
 */
import { z } from 'zod';
import { sizeText } from '../base/size-text';
import type { Manifest } from './manifest';

type Details = Manifest['source']['details'];

/** A slot, as the server showed it before a run collected its log. */
export interface SlotState {
	name: string;
	/** PostgreSQL's own word of `pg_replication_slots`: "reserved", "extended", "unreserved", "lost"; null as long as it keeps nothing. */
	status: string | null;
	/** What the server keeps because of it. */
	heldBytes: number;
	/** How much more may be written before the slot is lost; null where nothing limits it. */
	safeBytes: number | null;
	/** Another slot of this program by which nobody has read for long; null where there is none. */
	forgotten: { name: string; heldBytes: number } | null;
}

export interface SlotProblem {
	severity: 'warning' | 'critical';
	/** Lower case, without a full stop, with the SQL that mends it. */
	text: string;
}

/** A slot may hold back this much before somebody is told. */
const MUCH_BYTES = 5 * 1024 ** 3;

/** Worst first. */
export function slotProblems({ name, status, heldBytes, safeBytes, forgotten }: SlotState): SlotProblem[] {
	const problems: SlotProblem[] = [];
	const held = sizeText(heldBytes);
	const isLosing = status === 'unreserved' || (safeBytes !== null && safeBytes < heldBytes / 4);
	if (safeBytes !== null && (isLosing || safeBytes < heldBytes)) {
		const left = sizeText(Math.max(safeBytes, 0));
		const more = `ALTER SYSTEM SET max_slot_wal_keep_size = '${Math.ceil(((heldBytes + safeBytes) * 2) / 1024 ** 3)}GB'; SELECT pg_reload_conf();`;
		problems.push({
			severity: isLosing ? 'critical' : 'warning',
			text: `the slot ${name} will be lost after ${left} more of log: collect it more often, or raise max_slot_wal_keep_size: ${more}`,
		});
	}
	if (heldBytes > MUCH_BYTES) {
		problems.push({
			severity: 'warning',
			text: `the server keeps ${held} of log for the slot ${name}: collect it more often, or faster`,
		});
	}
	if (forgotten !== null && forgotten.heldBytes > MUCH_BYTES) {
		problems.push({
			severity: safeBytes === null ? 'critical' : 'warning',
			text: `the server keeps ${sizeText(forgotten.heldBytes)} of log for the slot ${forgotten.name}, by which nobody reads now: if no other storage collects by it, run SELECT pg_drop_replication_slot('${forgotten.name}');`,
		});
	}
	return problems.sort((a, b) => Number(b.severity === 'critical') - Number(a.severity === 'critical'));
}

const details = z.object({
	slot: z.string().regex(/^[a-z0-9_]{1,63}$/),
	slotStatus: z.string().max(100).nullable(),
	slotHeldBytes: z.number().nonnegative(),
	slotSafeBytes: z.number().nullable(),
	forgottenSlot: z
		.string()
		.regex(/^[a-z0-9_]{1,63}$/)
		.nullable(),
	forgottenBytes: z.number().nonnegative(),
});

/** As a run writes it down, in the clear. */
export function toDetails({ name, status, heldBytes, safeBytes, forgotten }: SlotState): Details {
	return {
		slot: name,
		slotStatus: status,
		slotHeldBytes: heldBytes,
		slotSafeBytes: safeBytes,
		forgottenSlot: forgotten?.name ?? null,
		forgottenBytes: forgotten?.heldBytes ?? 0,
	};
}

/** @returns null where nothing was written down, or nothing that {@link toDetails} gives */
export function fromDetails(written: Details): SlotState | null {
	const { success, data } = details.safeParse(written);
	if (!success) return null;
	const { slot, slotStatus, slotHeldBytes, slotSafeBytes, forgottenSlot, forgottenBytes } = data;
	return {
		...{ name: slot, status: slotStatus, heldBytes: slotHeldBytes, safeBytes: slotSafeBytes },
		forgotten: forgottenSlot === null ? null : { name: forgottenSlot, heldBytes: forgottenBytes },
	};
}
