/** The node's fields as the engine takes them. */
import type { IExecuteFunctions } from 'n8n-workflow';
import { BackupError } from '../../core/base/errors';
import { type Depth, DEPTHS } from '../../core/records/evidence';
import { assertGroup } from '../../core/records/label';
import { type RetentionPolicy, RISKS } from '../../core/retention/policy';
import type { Protection } from '../../core/storage/storage';
import { matchesGroup } from '../shared/group-patterns';
import { readLockWait } from '../shared/limits';
import { readPolicy } from '../shared/policy';
import { locatorValue, splitList } from '../shared/run';
import { filled, unknownOption, wholeNumber } from '../shared/values';

/** Fields of the "Keep" collection of a custom policy; each is absent until the user adds it. */
interface KeepFields extends Partial<Record<(typeof TIERS)[number], number>> {
	tags?: string;
	withinDays?: number;
}

/** Fields of the node's "Options" collection; each is absent until the user adds it. */
interface OptionFields {
	allow?: RetentionPolicy['allow'];
	expectEvery?: number;
	extendLocks?: Protection['mode'] | 'off';
	lockWait?: number;
	minimum?: number;
	policies?: { group?: Array<{ pattern: string; policy: string }> };
	shrinkPercent?: number;
	timeZone?: string;
	trust?: Depth;
}

export interface RetentionSettings {
	/** Names or patterns; null: all of the storage. */
	groups: string[] | null;
	/** The name of a group's policy, and the policy. The same policy is the same object. */
	policyOf(group: string): NamedPolicy;
	lockWaitMs: number;
	extendProtection?: Protection['mode'];
}

export interface NamedPolicy {
	/** As the fields call it: "critical", "custom". */
	name: string;
	policy: RetentionPolicy;
}

const TIERS = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;

/** @throws BackupError 'invalid-input' */
export function readSettings(context: IExecuteFunctions, itemIndex: number): RetentionSettings {
	const options = context.getNodeParameter('options', itemIndex, {}) as OptionFields;
	const complete = withOptions(context, options);
	const chosen = context.getNodeParameter('policy', itemIndex) as string;
	const fallback: NamedPolicy = {
		name: chosen,
		policy: complete(
			chosen === 'custom'
				? readKeep(context.getNodeParameter('keep', itemIndex, {}) as KeepFields)
				: readPolicy('Policy', chosen),
		),
	};
	const others = (options.policies?.group ?? []).map(({ pattern, policy }, index) => ({
		patterns: splitList(filled(`Group of line ${index + 1}`, pattern.trim())),
		named: { name: policy, policy: complete(readPolicy(`Policy of line ${index + 1}`, policy)) },
	}));
	return {
		groups: readGroups(context, itemIndex),
		policyOf: (group) => others.find(({ patterns }) => matchesGroup(group, patterns))?.named ?? fallback,
		lockWaitMs: readLockWait(options.lockWait),
		extendProtection: readExtension(options.extendLocks),
	};
}

function readGroups(context: IExecuteFunctions, itemIndex: number): string[] | null {
	const kind = context.getNodeParameter('choose', itemIndex) as 'all' | 'group' | 'named';
	switch (kind) {
		case 'all':
			return null;
		case 'group': {
			const group = filled('Group', locatorValue(context, 'group', itemIndex), 'Or set "Which Groups" to "All".');
			// One group is never a pattern.
			assertGroup(group);
			return [group];
		}
		case 'named': {
			const names = splitList(context.getNodeParameter('groups', itemIndex));
			filled('Groups', names.join());
			return names;
		}
		default:
			throw unknownOption('Which Groups', kind);
	}
}

/** What goes with any policy: an option has the last word, the time zone of the workflow the first one. */
function withOptions(
	context: IExecuteFunctions,
	{ allow, expectEvery, minimum, shrinkPercent, timeZone, trust }: OptionFields,
): (policy: RetentionPolicy) => RetentionPolicy {
	for (const risk of allow ?? []) {
		if (!RISKS.includes(risk)) throw unknownOption('Risks to Take', risk);
	}
	if (trust !== undefined && !DEPTHS.includes(trust)) throw unknownOption('Verified Means', trust);
	const chosen: RetentionPolicy = {
		...(allow && { allow }),
		...(timeZone?.trim() && { timeZone: timeZone.trim() }),
		...(trust !== undefined && { trust }),
		...(minimum !== undefined && { minimum: wholeNumber('Minimum Backups', minimum, 1, 100_000) }),
		...(expectEvery !== undefined && {
			expectEveryHours: wholeNumber('Expect a Backup Every', expectEvery, 1, 1_000_000),
		}),
		...(shrinkPercent !== undefined && { shrinkPercent: wholeNumber('Shrink Limit', shrinkPercent, 1, 99) }),
	};
	return (policy) => ({ timeZone: context.getTimezone(), ...policy, ...chosen });
}

/** @throws BackupError 'invalid-input' also when no rule keeps anything */
function readKeep(keep: KeepFields): RetentionPolicy {
	const policy: RetentionPolicy = {};
	for (const tier of TIERS) {
		const label = `${tier.charAt(0).toUpperCase()}${tier.slice(1)}`;
		const count = wholeNumber(label, keep[tier] ?? 0, 0, 100_000);
		if (count > 0) policy[tier] = count;
	}
	const withinDays = wholeNumber('Within', keep.withinDays ?? 0, 0, 40_000);
	if (withinDays > 0) policy.withinHours = withinDays * 24;
	const tags = splitList(keep.tags);
	if (tags.length > 0) policy.tags = tags;
	if (Object.keys(policy).length > 0) return policy;
	throw new BackupError('invalid-input', 'the custom policy has no rule, so it keeps nothing', {
		hint: 'Add at least one rule under "Keep".',
	});
}

function readExtension(mode: OptionFields['extendLocks']): Protection['mode'] | undefined {
	if (mode === undefined || mode === 'off') return undefined;
	if (mode === 'governance' || mode === 'compliance') return mode;
	throw unknownOption('Extend Retention Locks', mode);
}
