/** Items as our nodes give them, for reports. */
import type { NodeKind, ReportItem } from '../../core/report/items';
import { type ReportRequest, type RunReport, runReport } from '../../core/report/run-report';

export type Json = Record<string, unknown>;

export const BACKUP = {
	...{ group: 'postgres/shop', label: '20261120T020000Z-full-k3f9', originalBytes: 2e6, storedBytes: 1e6, tables: 4 },
	...{
		ok: true,
		status: 'stored',
		database: 'shop',
		seconds: 1.5,
		location: '/backups',
		encrypted: true,
		warnings: [],
	},
};
export const NAME = { group: BACKUP.group, label: BACKUP.label };
export const PROVED = {
	...NAME,
	...{
		ok: true,
		outcome: 'ok',
		depth: 'restored',
		restoreSeconds: 1.24,
		seconds: 2,
		scratch: 'embedded',
		warnings: [],
	},
	comparison: { ok: true, tables: 4, rows: 30, hashed: 0, largeObjects: 0, differences: [] },
};
export const CRM = { ...BACKUP, group: 'postgres/crm', database: 'crm' };
export const CRM_PROVED = { ...PROVED, group: CRM.group };

/** An item of an error output. */
export const failedItem = (error: string, details: Json) => ({ error, details: { ...details, hint: 'Do this.' } });
/** Of a verification. */
export const failed = (outcome: string, error: string) =>
	failedItem(error, { ...NAME, ok: false, depth: 'restored', outcome });
/** Of a whole node that could not begin. */
export const BROKEN = { error: 'no such folder', details: { code: 'bucket-not-found', hint: null } };
/** Of a database that could not be backed up. */
export const lost = (database: string) => ({
	error: 'no such database',
	details: { group: `postgres/${database}`, database, code: 'database-not-found', hint: null },
});

export const NOW = new Date('2026-11-27T03:00:00Z');

/** Items of one node. */
export function from(node: NodeKind | undefined, ...items: unknown[]): ReportItem[] {
	return items.map((json) => ({ json, from: node }));
}

export function reportOn(items: readonly ReportItem[], more: Partial<ReportRequest> = {}): RunReport {
	return runReport({ items, now: NOW, timeZone: 'Europe/Vienna', ...more });
}
