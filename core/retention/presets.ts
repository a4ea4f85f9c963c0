/** Policies that fit most sources, by name. */
import type { RetentionPolicy } from './rules';

export interface Preset {
	/** For people. */
	name: string;
	/** What it keeps and what it is for, as a sentence. */
	description: string;
	policy: RetentionPolicy;
}

/** Numbers as they are usual in the field for these kinds of data. */
export const POLICY_PRESETS = {
	critical: {
		name: 'Critical',
		description:
			'The last 48 hours, 30 days, 12 weeks and 12 months: for databases whose loss stops the business, backed up every hour.',
		policy: { hourly: 48, daily: 30, weekly: 12, monthly: 12 },
	},
	configuration: {
		name: 'Configuration',
		description: 'The last 30 days, 12 weeks and 6 months: for what changes rarely and is needed as it was.',
		policy: { daily: 30, weekly: 12, monthly: 6 },
	},
	logs: {
		name: 'Logs',
		description: 'The last 7 days and 4 weeks: for data that nobody asks for after a month.',
		policy: { daily: 7, weekly: 4 },
	},
	sevenDays: {
		name: 'Seven days',
		description: 'Every backup of the last seven days.',
		policy: { withinHours: 7 * 24 },
	},
	thirtyDays: {
		name: 'Thirty days',
		description: 'Every backup of the last thirty days.',
		policy: { withinHours: 30 * 24 },
	},
} as const satisfies Record<string, Preset>;

export type PresetKey = keyof typeof POLICY_PRESETS;
