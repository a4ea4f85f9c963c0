/** What a retention policy says, and whether it can be used. Checked before anything is planned: an error keeps everything. */
import { z } from 'zod';
import { BackupError } from '../base/errors';
import { type Depth, DEPTHS } from '../records/evidence';
import { assertTag } from '../records/catalog';

/** What can be wrong with the newest backup of a group. While one of them is, nothing of the group expires. */
export const RISKS = ['unverified', 'failed', 'outdated', 'shrunk'] as const;
export type Risk = (typeof RISKS)[number];

/** From the finest to the coarsest. */
export const TIERS = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
export type Tier = (typeof TIERS)[number];

/**
 * What is kept. A backup stays when at least one rule wants it; the rules that need no policy are in `guards.ts`. A number
 * of 0 is the same as none.
 */
export interface RetentionPolicy {
	/** The newest ones, so many. */
	last?: number;
	/** The newest backup of each of the last so many hours that have one; the same with days, weeks, months and years. */
	hourly?: number;
	daily?: number;
	/** Weeks by ISO 8601: from Monday, and the one with the year's first Thursday is its first. */
	weekly?: number;
	monthly?: number;
	yearly?: number;
	/** All that started less than so many hours ago. */
	withinHours?: number;
	/** All that have one of these tags, for ever. */
	tags?: string[];
	/** Where hours, days and so on begin: a name of the IANA time zones. @default 'UTC' */
	timeZone?: string;
	/** So many backups that are not known to be bad stay, whatever the other rules say. @default 3 */
	minimum?: number;
	/** How deep a verification must have looked to count. @default 'stored' */
	trust?: Depth;
	/** The newest must not be older. @default three times the usual distance of the last ten backups, at least 24 hours */
	expectEveryHours?: number;
	/** By how much the newest may be smaller than its predecessors. @default 50 */
	shrinkPercent?: number;
	/** Risks that are taken on purpose: they hold nothing back. */
	allow?: Risk[];
}

/** A policy with all that it leaves to us. */
export type CompletePolicy = Required<Omit<RetentionPolicy, 'expectEveryHours'>> & { expectEveryHours: number | null };

/** A century of hours is 876,600: more is a mistake of typing. */
const MAX_NUMBER = 1_000_000;

const count = z.number().int().min(0).max(MAX_NUMBER).optional();
const schema = z
	.object({
		last: count,
		hourly: count,
		daily: count,
		weekly: count,
		monthly: count,
		yearly: count,
		withinHours: count,
		tags: z.array(z.string()).optional(),
		timeZone: z.string().refine(isTimeZone).optional(),
		minimum: z.number().int().min(1).max(MAX_NUMBER).optional(),
		trust: z.enum(DEPTHS).optional(),
		expectEveryHours: z.number().int().min(1).max(MAX_NUMBER).optional(),
		shrinkPercent: z.number().int().min(1).max(99).optional(),
		allow: z.array(z.enum(RISKS)).optional(),
	})
	.strict();

const ANY_COUNT = `a whole number from 0 to ${MAX_NUMBER}`;
const ANY_BUT_ZERO = `a whole number from 1 to ${MAX_NUMBER}`;
/** What a member must be, for messages. */
const WANTED: Record<keyof RetentionPolicy, string> = {
	last: ANY_COUNT,
	hourly: ANY_COUNT,
	daily: ANY_COUNT,
	weekly: ANY_COUNT,
	monthly: ANY_COUNT,
	yearly: ANY_COUNT,
	withinHours: ANY_COUNT,
	tags: 'a list of tags',
	timeZone: 'the name of a time zone, such as Europe/Berlin',
	minimum: ANY_BUT_ZERO,
	trust: `one of ${DEPTHS.join(', ')}`,
	expectEveryHours: ANY_BUT_ZERO,
	shrinkPercent: 'a whole number from 1 to 99',
	allow: `a list of these: ${RISKS.join(', ')}`,
};

/**
 * A policy with its defaults.
 * @throws BackupError 'invalid-input' when it cannot be used, or when it has no rule that keeps anything
 */
export function completePolicy(policy: RetentionPolicy): CompletePolicy {
	const checked = schema.safeParse(policy);
	if (!checked.success) throw unusable(checked.error.issues[0]!, policy);
	const given = checked.data;
	for (const tag of given.tags ?? []) assertTag(tag);
	const complete: CompletePolicy = {
		last: given.last ?? 0,
		hourly: given.hourly ?? 0,
		daily: given.daily ?? 0,
		weekly: given.weekly ?? 0,
		monthly: given.monthly ?? 0,
		yearly: given.yearly ?? 0,
		withinHours: given.withinHours ?? 0,
		tags: given.tags ?? [],
		timeZone: given.timeZone ?? 'UTC',
		minimum: given.minimum ?? 3,
		trust: given.trust ?? 'stored',
		expectEveryHours: given.expectEveryHours ?? null,
		shrinkPercent: given.shrinkPercent ?? 50,
		allow: given.allow ?? [],
	};
	if (!keepsAnything(complete)) {
		throw new BackupError('invalid-input', 'the retention policy is empty: it has no rule that keeps a backup', {
			hint: 'Say what to keep, for example daily=30,weekly=12,monthly=6. Without a policy everything is kept.',
		});
	}
	return complete;
}

function keepsAnything({ last, withinHours, tags, ...tiers }: CompletePolicy): boolean {
	return last > 0 || withinHours > 0 || tags.length > 0 || TIERS.some((tier) => tiers[tier] > 0);
}

function isTimeZone(name: string): boolean {
	try {
		return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
	} catch (error) {
		// The one way to ask whether a zone exists. Errors of another realm are no instances of ours: the name decides.
		if ((error as Error).name === 'RangeError') return false;
		throw error;
	}
}

function unusable(issue: z.ZodIssue, policy: unknown): BackupError {
	const [member] = issue.path;
	if (typeof member !== 'string') {
		const what =
			issue.code === 'unrecognized_keys'
				? `it has no rule named ${issue.keys.map((key) => `"${key.slice(0, 40)}"`).join(', ')}`
				: 'it must be an object with rules';
		return new BackupError('invalid-input', `the retention policy cannot be used: ${what}`, {
			hint: `A policy has these: ${Object.keys(WANTED).join(', ')}.`,
		});
	}
	const given = JSON.stringify((policy as Record<string, unknown>)[member])?.slice(0, 60) ?? 'nothing';
	const wanted = WANTED[member as keyof RetentionPolicy];
	return new BackupError(
		'invalid-input',
		`the retention policy cannot be used: ${member} must be ${wanted}, not ${given}`,
		{ hint: 'Correct the policy. Until then everything is kept.' },
	);
}
