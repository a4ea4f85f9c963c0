/** The rules of retention for histories nobody thought of. */
import fc from 'fast-check';
import { DateTime } from 'luxon';
import { DEPTHS } from '../../core/records/evidence';
import { Calendar } from '../../core/retention/calendar';
import { type GroupPlan, planRetention } from '../../core/retention/plan';
import { type BackupFacts } from '../../core/retention/facts';
import { protectUntil, type RetentionPolicy, RISKS, type Tier, TIERS } from '../../core/retention/policy';
import { apply, backup, checked, DAY, expired, fearless, HOUR, kept, planOne } from './facts';
import { rounds } from '../support/soak';

const START = Date.parse('2026-01-01T00:00:00Z');
const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Tokyo');
const runs = { numRuns: rounds(150, 1_500) };

/** From minutes to weeks, mostly hours: as schedules, retries and holidays make them. */
const gap = fc.oneof(
	{ weight: 5, arbitrary: fc.integer({ min: 0, max: 120 }) },
	{ weight: 3, arbitrary: fc.integer({ min: 120, max: 3000 }) },
	{ weight: 1, arbitrary: fc.integer({ min: 3000, max: 60_000 }) },
);

const number = fc.oneof(
	{ weight: 2, arbitrary: fc.constant(0) },
	{ weight: 3, arbitrary: fc.integer({ min: 1, max: 12 }) },
);
const rules = fc
	.record({
		last: number,
		hourly: number,
		daily: number,
		weekly: number,
		monthly: number,
		yearly: number,
		timeZone: zone,
	})
	.filter(({ timeZone: _, ...counts }) => Object.values(counts).some((count) => count > 0));
const policy: fc.Arbitrary<RetentionPolicy> = fc
	.tuple(
		rules,
		fc.record({
			withinHours: fc.constantFrom(0, 0, 5, 200),
			tags: fc.constantFrom<string[]>([], ['audit']),
			minimum: fc.integer({ min: 1, max: 5 }),
			trust: fc.constantFrom(...DEPTHS),
			allow: fc.subarray([...RISKS]),
		}),
	)
	.map(([some, others]) => ({ ...some, ...others }));

/** Full backups, all of them good. */
const goodHistory = fc.array(gap, { minLength: 1, maxLength: 60 }).map((gaps) => {
	let time = START;
	return gaps.map((minutes, at) => backup((time += minutes * 60_000), { suffix: String(at).padStart(4, '0') }));
});

const anyHistory: fc.Arbitrary<BackupFacts[]> = fc
	.array(
		fc.record({
			minutes: gap.map((minutes) => minutes + 1),
			type: fc.constantFrom('full' as const, 'full' as const, 'differential' as const, 'incremental' as const),
			/** How many places before; null for unknown, 99 for one that is not there. */
			parent: fc.constantFrom(1, 1, 2, 3, 99, null),
			evidence: fc.array(
				fc.record({ after: fc.integer({ min: 1, max: 300_000 }), depth: fc.constantFrom(...DEPTHS), ok: fc.boolean() }),
				{ maxLength: 3 },
			),
			/** Few, or nothing would ever expire. */
			pinned: fc.integer({ min: 0, max: 9 }).map((die) => die === 0),
			tags: fc.constantFrom<string[]>([], [], ['audit'], ['other']),
			storedBytes: fc.integer({ min: 1, max: 1000 }),
		}),
		{ minLength: 1, maxLength: 40 },
	)
	.map((drafts) => {
		let time = START;
		const made: BackupFacts[] = [];
		for (const [at, { minutes, parent, evidence, ...rest }] of drafts.entries()) {
			time += minutes * 60_000;
			const parents = parent === null ? null : [made[at - parent]?.label ?? 'gone'];
			const verified = evidence.map(({ after, depth, ok }) => checked(time + after * 1000, depth, ok));
			const suffix = String(at).padStart(4, '0');
			made.push(
				backup(time, {
					...rest,
					suffix,
					verified,
					parents: rest.type === 'full' ? [] : parents,
				}),
			);
		}
		return made;
	});

const soonAfter = fc.integer({ min: -3 * DAY, max: 30 * DAY });
const nowFor = (backups: readonly BackupFacts[], after: number) => backups.at(-1)!.startedAt + after;

/** Plans, or null where the plan is refused because it would keep nothing. */
function planUnlessRefused(backups: readonly BackupFacts[], rules: RetentionPolicy, now: number): GroupPlan | null {
	try {
		return planOne(backups, rules, now);
	} catch (error) {
		expect(error).toMatchObject({ message: expect.stringContaining('would keep no backup') });
		expect(backups.some((each) => isSound(each, backups, now))).toBe(false);
		return null;
	}
}

describe('whatever the history and the policy', () => {
	const everyPlan = (check: (plan: GroupPlan, backups: BackupFacts[], rules: RetentionPolicy, now: number) => void) => {
		fc.assert(
			fc.property(anyHistory, policy, soonAfter, (backups, rules, after) => {
				const now = nowFor(backups, after);
				const plan = planUnlessRefused(backups, rules, now);
				if (plan) check(plan, backups, rules, now);
			}),
			runs,
		);
	};

	it('every backup is named once, oldest first, with a reason, and no byte is lost from sight', () => {
		everyPlan((plan, backups) => {
			expect(plan.backups.map(({ label }) => label)).toEqual(backups.map(({ label }) => label));
			for (const { reasons } of plan.backups) expect(reasons.length).toBeGreaterThan(0);
			expect(plan.keptBytes + plan.freedBytes).toBe(backups.reduce((sum, { storedBytes }) => sum + storedBytes, 0));
		});
	});

	it('what is pinned, tagged, needed or dated in the future stays', () => {
		everyPlan((plan, backups, { tags }, now) => {
			const stays = new Set(kept(plan));
			for (const [at, { label, pinned, tags: own, startedAt }] of backups.entries()) {
				if (pinned || own.some((tag) => tags!.includes(tag)) || startedAt > now + 5 * 60_000) {
					expect(stays).toContain(label);
				}
				if (stays.has(label)) for (const parent of parentsOf(at, backups)) expect(stays).toContain(parent.label);
			}
		});
	});

	it('the newest verified backup stays, and as many sound ones as the minimum', () => {
		everyPlan((plan, backups, { trust, minimum }, now) => {
			const stays = new Set(kept(plan));
			const sound = backups.filter((each) => isSound(each, backups, now));
			const verified = sound.findLast((each) => isProved(each, backups, DEPTHS.indexOf(trust!), now));
			if (verified) expect(stays).toContain(verified.label);
			const left = sound.filter(({ label }) => stays.has(label)).length;
			expect(left).toBeGreaterThanOrEqual(Math.min(minimum!, sound.length));
		});
	});

	it('nothing expires while a risk is not allowed', () => {
		everyPlan((plan, backups, { trust, allow }, now) => {
			if (plan.blocked.length > 0) expect(expired(plan)).toEqual([]);
			for (const { risk } of plan.blocked) expect(allow).not.toContain(risk);
			const newest = backups.findLast(({ startedAt }) => startedAt <= now + 5 * 60_000);
			if (!newest) return;
			const sound = isSound(newest, backups, now);
			const proved = sound && isProved(newest, backups, DEPTHS.indexOf(trust!), now);
			const risks = plan.blocked.map(({ risk }) => risk);
			expect(risks.includes('failed')).toBe(!sound && !allow!.includes('failed'));
			expect(risks.includes('unverified')).toBe(sound && !proved && !allow!.includes('unverified'));
		});
	});

	it('a plan that was carried out has nothing more to do at the same time', () => {
		everyPlan((plan, backups, rules, now) => {
			const left = apply(backups, plan);
			expect(expired(planOne(left, rules, now))).toEqual([]);
		});
	});

	it('time that passes without new backups never lets everything expire', () => {
		fc.assert(
			fc.property(
				anyHistory,
				policy,
				fc.array(fc.integer({ min: 0, max: 400 * DAY }), { maxLength: 6 }),
				(backups, rules, steps) => {
					let now = nowFor(backups, 0);
					let left = backups;
					for (const step of [0, ...steps]) {
						const plan = planUnlessRefused(left, fearless(rules), (now += step));
						const before = left;
						if (plan) left = apply(left, plan);
						expect(left.length).toBeGreaterThan(0);
						const sound = (some: BackupFacts[]) => some.filter((each) => isSound(each, before, now)).length;
						expect(sound(left)).toBeGreaterThanOrEqual(Math.min(rules.minimum!, sound(before)));
					}
				},
			),
			runs,
		);
	});

	it('no group has a part in the plan of another, and the order of the list has none either', () => {
		fc.assert(
			fc.property(anyHistory, anyHistory, policy, soonAfter, (app, others, rules, after) => {
				const staging = others.map((each) => ({ ...each, group: 'app-staging' }));
				const now = nowFor(app, after);
				const [one, two] = [planUnlessRefused(app, rules, now), planUnlessRefused(staging, rules, now)];
				if (!one || !two) return;
				const mixed = [...app, ...staging].sort((a, b) => (a.label.slice(-1) < b.label.slice(-1) ? -1 : 1)).reverse();
				expect(planRetention(mixed, rules, new Date(now)).groups).toEqual([one, two]);
			}),
			runs,
		);
	});
});

describe('for good backups', () => {
	it('the rules choose what restic means by them', () => {
		fc.assert(
			fc.property(goodHistory, rules, fc.integer({ min: 0, max: 30 * DAY }), (backups, chosen, after) => {
				const plan = planOne(backups, { ...fearless(chosen), minimum: 1 }, nowFor(backups, after));
				for (const rule of ['last', ...TIERS] as const) {
					const named = plan.backups.filter(({ reasons }) => reasons.some((reason) => reason.startsWith(`${rule} `)));
					expect(named.map(({ label }) => label)).toEqual(resticKeeps(backups, rule, chosen[rule], chosen.timeZone));
				}
				const wanted = new Set(
					['last', ...TIERS].flatMap((rule) =>
						resticKeeps(backups, rule as Tier, chosen[rule as Tier], chosen.timeZone),
					),
				);
				expect(new Set(kept(plan))).toEqual(wanted);
			}),
			{ numRuns: rounds(300, 3_000) },
		);
	});

	it('what is kept until a time is kept until then if backups go on, and let go of then', () => {
		const some = rules.filter(({ hourly, daily, weekly }) => hourly + daily + weekly > 0);
		fc.assert(
			fc.property(goodHistory, some, fc.integer({ min: 0, max: 2 * DAY }), fc.nat(), (backups, chosen, after, pick) => {
				const rules = { ...fearless(chosen), minimum: 1 };
				const now = nowFor(backups, after);
				const dated = planOne(backups, rules, now).backups.filter(({ keptUntil }) => keptUntil);
				const one = dated[pick % dated.length]!;
				const until = one.keptUntil!.getTime();
				if (until > now + 60 * DAY) return;
				const calendar = new Calendar(chosen.timeZone);
				const finest = TIERS.find((tier) => chosen[tier] > 0)!;
				const coming: BackupFacts[] = [];
				for (let at = calendar.nextStart(finest, now); at <= until; at = calendar.nextStart(finest, at)) {
					coming.push(backup(at, { suffix: 'next', verified: [checked(at)] }));
				}
				const planAt = (time: number) =>
					planOne([...backups, ...coming.filter(({ startedAt }) => startedAt <= time)], rules, time);
				expect(kept(planAt(until - 1))).toContain(one.label);
				const isOver = TIERS.every(
					(tier) =>
						chosen[tier] === 0 ||
						tier === finest ||
						calendar.periodOf(tier, one.startedAt) !== calendar.periodOf(tier, now),
				);
				if (isOver) expect(expired(planAt(until))).toContain(one.label);
			}),
			runs,
		);
	});

	it('a lock at upload never outlasts what the policy keeps if backups go on', () => {
		const some = rules.filter(({ hourly, daily, weekly }) => hourly + daily + weekly > 0);
		fc.assert(
			fc.property(goodHistory, some, fc.constantFrom(0, 30), (backups, chosen, withinHours) => {
				const rules = { ...fearless(chosen), minimum: 1, withinHours };
				const upload = backup(nowFor(backups, 0) + HOUR, { suffix: 'lock' });
				const until = protectUntil(rules, new Date(upload.startedAt))!.getTime();
				if (until > upload.startedAt + 60 * DAY) return;
				const calendar = new Calendar(chosen.timeZone);
				const finest = TIERS.find((tier) => chosen[tier] > 0)!;
				const all = [...backups, upload];
				for (let at = calendar.nextStart(finest, upload.startedAt); at < until; at = calendar.nextStart(finest, at)) {
					all.push(backup(at, { suffix: 'next', verified: [checked(at)] }));
				}
				expect(kept(planOne(all, rules, until - 1))).toContain(upload.label);
			}),
			runs,
		);
	});
});

/** restic's rule, said as plainly as possible: of each period the newest, of the periods the last so many. */
function resticKeeps(backups: readonly BackupFacts[], rule: 'last' | Tier, count: number, timeZone: string): string[] {
	const format = {
		hourly: 'yyyy-MM-dd HH ZZ',
		daily: 'yyyy-MM-dd',
		weekly: 'kkkk-WW',
		monthly: 'yyyy-MM',
		yearly: 'yyyy',
	};
	const newestOf = new Map<string, string>();
	for (const { label, startedAt } of backups) {
		const local = DateTime.fromMillis(startedAt, { zone: timeZone });
		newestOf.set(rule === 'last' ? label : local.toFormat(format[rule]), label);
	}
	return count === 0 ? [] : [...newestOf.values()].slice(-count);
}

function parentsOf(at: number, backups: readonly BackupFacts[]): BackupFacts[] {
	const { parents, type } = backups[at]!;
	if (parents) return backups.filter(({ label }) => parents.includes(label));
	if (type === 'full') return [];
	const full = backups.slice(0, at).findLastIndex((each) => each.type === 'full');
	return backups.slice(Math.max(full, 0), at);
}

function ancestorsOf(one: BackupFacts, backups: readonly BackupFacts[]): BackupFacts[] {
	const found = new Set<BackupFacts>();
	const visit = (each: BackupFacts) => {
		for (const parent of parentsOf(backups.indexOf(each), backups)) {
			if (found.has(parent)) continue;
			found.add(parent);
			visit(parent);
		}
	};
	visit(one);
	return [...found];
}

function isBad({ verifications }: BackupFacts, now: number): boolean {
	return verifications.some(
		(failure) =>
			!failure.ok &&
			!verifications.some(
				({ at, depth, ok }) =>
					ok && at > failure.at && at <= now + 5 * 60_000 && DEPTHS.indexOf(depth) >= DEPTHS.indexOf(failure.depth),
			),
	);
}

function isSound(one: BackupFacts, backups: readonly BackupFacts[], now: number): boolean {
	const chain = [one, ...ancestorsOf(one, backups)];
	const whole = chain.every((each) => {
		const at = backups.indexOf(each);
		if (each.parents) return each.parents.every((label) => backups.some((other) => other.label === label));
		return each.type === 'full' || backups.slice(0, at).some(({ type }) => type === 'full');
	});
	return whole && one.startedAt <= now + 5 * 60_000 && !chain.some((each) => isBad(each, now));
}

/** Its own evidence is deep enough, and each of its chain is proved by its own or by a restore of one that needs it. */
function isProved(one: BackupFacts, backups: readonly BackupFacts[], trust: number, now: number): boolean {
	const deepest = Math.max(
		-1,
		...one.verifications.filter(({ ok, at }) => ok && at <= now + 5 * 60_000).map(({ depth }) => DEPTHS.indexOf(depth)),
	);
	if (deepest < trust) return false;
	if (deepest === DEPTHS.indexOf('restored')) return true;
	return parentsOf(backups.indexOf(one), backups).every((parent) => isProved(parent, backups, trust, now));
}
