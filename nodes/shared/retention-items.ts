/** The items of plans and of what was applied of them, and the hints at the node. */
import type { IDataObject, IExecuteFunctions } from 'n8n-workflow';
import { heldBack, type Skipped } from '../../core/verbs/expire/expire';
import type { GroupPlan } from '../../core/retention/plan';
import { sizeText } from '../../core/base/size-text';

/** What was done of a plan; nothing of it when absent. */
export interface Applied {
	removed: string[];
	freedBytes: number;
	skipped: Skipped[];
	resumed: string[];
	warnings: string[];
}

/**
 * One group. A plan says what would be freed, an applied one what was. `ok` is false for a blocked group: it is no
 * failure, but nobody should miss that its backups only become more. Sizes in bytes, times in ISO 8601.
 */
export function toItem(policy: string, plan: GroupPlan, applied?: Applied): IDataObject {
	const { group, backups, blocked, keptBytes, nextExpiry } = plan;
	const { removed = [], skipped = [], resumed = [] } = applied ?? {};
	const held = heldBack(plan);
	const kept = backups.filter(({ action }) => action === 'keep').length;
	const expired = backups.filter(({ action }) => action === 'expire').length;
	const freedBytes = applied?.freedBytes ?? plan.freedBytes;
	const verdict = applied
		? `${kept} kept, ${removed.length} removed, ${sizeText(freedBytes)} freed`
		: `would keep ${kept}, remove ${expired} and free ${sizeText(freedBytes)}`;
	return {
		summary: `${group}: ${blocked[0] ? `nothing is removed: ${blocked[0].message}` : verdict}`,
		ok: blocked.length === 0,
		status: blocked.length > 0 ? 'blocked' : applied ? 'applied' : 'planned',
		group,
		policy,
		kept,
		expired,
		held: held.backups,
		keptBytes,
		freedBytes,
		heldBytes: held.bytes,
		// Several are removed at a time, so in any order; labels sort by time.
		removed: removed.toSorted(),
		resumed,
		skipped: skipped.toSorted(byLabel).map((each) => ({ ...each })),
		blocked: blocked.map((each) => ({ ...each })),
		reasons: backups.map(({ label, action, reasons, keptUntil }) => ({
			label,
			action,
			reasons,
			keptUntil: keptUntil?.toISOString() ?? null,
		})),
		nextExpiry: nextExpiry && { label: nextExpiry.label, at: nextExpiry.at.toISOString() },
		warnings: applied ? [...new Set([...plan.warnings, ...applied.warnings])] : plan.warnings,
	};
}

function byLabel(a: Skipped, b: Skipped): number {
	return a.label < b.label ? -1 : 1;
}

/** What a user should see without opening the items. */
export function addHints(context: IExecuteFunctions, plan: GroupPlan, applied?: Applied): void {
	const { group, blocked, warnings } = plan;
	const messages = [
		...blocked.map(({ message, hint }) => `nothing is removed: ${message}. ${hint}`),
		...(applied?.skipped ?? []).map(({ label, why }) => `${label} expired and is still there: ${why}`),
		...new Set([...warnings, ...(applied?.warnings ?? [])]),
	];
	for (const message of messages) {
		context.addExecutionHints({ message: `${group}: ${message}`, type: 'warning', location: 'outputPane' });
	}
}
