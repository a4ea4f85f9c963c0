/** What happened to users of other backup tools, by its name. That objects of a bucket vanish is tested where plans are applied. */
import { planRetention } from '../../core/retention/plan';
import { POLICY_PRESETS } from '../../core/retention/policy';
import { apply, backup, checked, DAY, expired, fearless, HOUR, kept, planOne, reasonsFor, series } from './facts';

const NOW = '2026-11-20T02:30:00Z';
const NEWEST = '2026-11-20T02:00:00Z';

describe('incidents of other tools', () => {
	it('deleting new backups after an upgrade because names sorted before times', () => {
		// The new version's names sort before all the old ones.
		const old = series('2026-11-17T02:00:00Z', 10, 24).map((each, at) => ({ ...each, label: `z-${at}` }));
		const upgraded = series(NEWEST, 3, 24).map((each, at) => ({ ...each, label: `a-${9 - at}` }));
		expect(kept(planOne([...upgraded, ...old], 'daily=3', NOW))).toEqual(['a-9', 'a-8', 'a-7']);
	});

	it('counting incrementals as fulls and ending with no full', () => {
		const full = backup('2026-10-01T00:00:00Z');
		const chain = [full];
		for (let day = 1; day <= 50; day++) {
			const startedAt = full.startedAt + day * DAY;
			chain.push(backup(startedAt, { type: 'incremental', parents: [chain.at(-1)!.label], storedBytes: 10 }));
		}
		const plan = planOne(chain, 'last=7,minimum=1', chain.at(-1)!.startedAt + HOUR);
		expect(kept(plan)).toContain(full.label);
		expect(expired(plan)).toEqual([]);
	});

	it('deleting everything that is needed to go from a full backup to now (all WAL)', () => {
		const weeks = [0, 1, 2, 3].flatMap((week) => {
			const sunday = Date.parse('2026-10-25T00:00:00Z') + week * 7 * DAY;
			const full = backup(sunday);
			const steps = [1, 2, 3, 4, 5].map((day) => backup(sunday + day * DAY, { type: 'incremental', parents: null }));
			return [full, ...steps];
		});
		const plan = planOne(weeks, 'last=2,minimum=1', '2026-11-20T12:00:00Z');
		expect(kept(plan)).toEqual(weeks.slice(-6).map(({ label }) => label));
	});

	it('two jobs with a common name prefix (app, app-staging) eating each other', () => {
		const app = series(NEWEST, 20, 24);
		const staging = series('2026-11-20T02:10:00Z', 20, 24, { group: 'app-staging' });
		const below = series('2026-11-20T02:15:00Z', 20, 24, { group: 'app/staging' });
		const policy = { daily: 7 };
		const { groups } = planRetention([...app, ...staging, ...below], policy, new Date(NOW));
		expect(groups.map(({ group }) => group)).toEqual(['app', 'app-staging', 'app/staging']);
		for (const [at, members] of [app, staging, below].entries()) {
			expect(groups[at]).toEqual(planOne(members, policy, NOW));
			expect(kept(groups[at]!)).toHaveLength(7);
		}
	});

	it('deleting everything when all had expired', () => {
		const old = series('2020-01-31T00:00:00Z', 30, 24);
		for (const policy of Object.values(POLICY_PRESETS).map((preset) => preset.policy)) {
			expect(expired(planOne(old, policy, NOW))).toEqual([]);
			const left = kept(planOne(old, fearless(policy), NOW));
			expect(left.length).toBeGreaterThanOrEqual(3);
			expect(left).toContain(old.at(-1)!.label);
		}
	});

	it('going on deleting while the last N backups failed', () => {
		let backups = series('2026-11-10T02:00:00Z', 30, 24);
		for (let day = 1; day <= 60; day++) {
			const now = Date.parse('2026-11-10T02:30:00Z') + day * DAY;
			backups = apply(backups, planOne(backups, 'within=7d', now, { lastFailure: new Date(now - HOUR / 4) }));
		}
		expect(backups).toHaveLength(30);
	});

	it('going on deleting while the last N backups were bad', () => {
		const good = series('2026-11-10T02:00:00Z', 30, 24);
		const bad = series(NEWEST, 10, 24).map((each) => ({ ...each, verifications: [checked(NOW, 'readable', false)] }));
		expect(expired(planOne([...good, ...bad], 'within=7d', NOW))).toEqual([]);
		expect(expired(planOne([...good, ...bad], 'last=5', NOW))).toEqual([]);
	});

	it('a lifecycle rule on the bucket breaking chains', () => {
		const full = backup('2026-11-01T00:00:00Z');
		const steps = [1, 2, 3].map((day) =>
			backup(full.startedAt + day * DAY, { type: 'incremental', parents: [full.label] }),
		);
		const fulls = series('2026-10-31T00:00:00Z', 10, 24);
		// The rule removed what was older than two weeks, but not what needs it.
		const plan = planOne([...fulls, ...steps], 'last=3,minimum=3', '2026-11-04T01:00:00Z');
		expect(plan.blocked.map(({ risk }) => risk)).toEqual(['failed']);
		expect(expired(plan)).toEqual([]);
		expect(reasonsFor(plan, steps[2]!)).toContain(`cannot be restored: it needs ${full.label}, which is not there`);
	});

	it('deleting nothing, for months', () => {
		let backups = series('2026-01-01T02:00:00Z', 1, 24);
		for (let day = 1; day <= 200; day++) {
			const startedAt = Date.parse('2026-01-01T02:00:00Z') + day * DAY;
			backups.push(backup(startedAt));
			const plan = planOne(backups, 'logs', startedAt + HOUR);
			expect(plan.blocked).toEqual([]);
			backups = apply(backups, plan);
			expect(backups.length).toBeLessThanOrEqual(11);
		}
		const blocked = planOne(
			[...backups, backup('2026-07-21T02:00:00Z', { verified: false })],
			'logs',
			'2026-07-21T03:00:00Z',
		);
		expect(blocked.blocked[0]).toMatchObject({ risk: 'unverified', hint: expect.stringMatching(/^Verify it first\./) });
	});

	it('a source that shrank to a tenth, or vanished', () => {
		const good = series('2026-11-19T02:00:00Z', 30, 24, { storedBytes: 1_000_000 });
		for (const storedBytes of [100_000, 900]) {
			const plan = planOne([...good, backup(NEWEST, { storedBytes })], 'last=3', NOW);
			expect(plan.blocked.map(({ risk }) => risk)).toEqual(['shrunk']);
			expect(expired(plan)).toEqual([]);
		}
	});

	it('an empty or mistyped policy is no order to delete', () => {
		for (const policy of [{}, { dialy: 7 }, { daily: -7 }]) {
			expect(() => planRetention(series(NEWEST, 5, 24), policy, new Date(NOW))).toThrow(
				expect.objectContaining({ code: 'invalid-input' }),
			);
		}
	});
});

describe('clocks', () => {
	const good = () => series(NEWEST, 60, 24);

	it('a clock that jumps ahead makes nothing expire', () => {
		const plan = planOne(good(), 'within=30d', '2031-01-01T00:00:00Z');
		expect(plan.blocked.map(({ risk }) => risk)).toEqual(['outdated']);
		expect(expired(plan)).toEqual([]);
	});

	it('a clock that jumps back makes nothing expire that would stay otherwise', () => {
		const plan = planOne(good(), 'daily=10', '2026-10-01T00:00:00Z');
		const ahead = good().filter(({ startedAt }) => startedAt > Date.parse('2026-10-01T00:05:00Z'));
		expect(ahead).toHaveLength(51);
		expect(expired(plan)).toEqual([]);
		expect(plan.warnings).toEqual([
			expect.stringMatching(/^dated in the future, so kept and not counted: .* and 49 more; check the clocks$/),
		]);
	});

	it('a clock that jumps ahead and back again loses nothing', () => {
		let backups = good();
		for (const now of [NOW, '2031-01-01T00:00:00Z', NOW, '2001-01-01T00:00:00Z', NOW]) {
			backups = apply(backups, planOne(backups, 'daily=100', now));
		}
		expect(backups).toHaveLength(60);
	});

	it('timestamps in the future are kept, reported, and count for nothing', () => {
		const future = [backup('2099-01-01T00:00:00Z'), backup('2099-01-02T00:00:00Z')];
		const plan = planOne([...good(), ...future], 'daily=3', NOW);
		expect(kept(plan)).toEqual([...good().slice(-3), ...future].map(({ label }) => label));
		expect(reasonsFor(plan, future[1]!)).toEqual(['dated in the future']);
		expect(plan.warnings).toEqual([
			`dated in the future, so kept and not counted: ${future[0]!.label} and ${future[1]!.label}; check the clocks`,
		]);
		const outdated = planOne([...good(), ...future], 'daily=3', '2026-12-20T00:00:00Z');
		expect(outdated.blocked.map(({ risk }) => risk)).toEqual(['outdated']);
	});

	it('clocks of two machines may differ by five minutes', () => {
		const ahead = (minutes: number) =>
			planOne([...good(), backup(Date.parse(NOW) + minutes * 60_000, { verified: [checked(NOW)] })], 'daily=3', NOW)
				.warnings;
		expect(ahead(5)).toEqual([]);
		expect(ahead(6)).toHaveLength(1);
	});

	it('evidence from the future proves nothing good', () => {
		const doubtful = backup(NEWEST, { verified: [checked('2099-01-01')] });
		const plan = planOne([...series('2026-11-19T02:00:00Z', 9, 24), doubtful], 'daily=3', NOW);
		expect(plan.blocked.map(({ risk }) => risk)).toEqual(['unverified']);
		expect(plan.warnings).toEqual([expect.stringMatching(/^verified in the future, which proves nothing good: /)]);
	});

	it('a failed run from the future is reported, and blocks nothing for ever', () => {
		const plan = planOne(good(), 'daily=3', NOW, { lastFailure: new Date('2099-01-01') });
		expect(plan.blocked).toEqual([]);
		expect(plan.warnings).toEqual([
			expect.stringMatching(/^a failed run is dated in the future \(2099-01-01 00:00 UTC\)/),
		]);
	});

	it.each([
		['Europe/Berlin', '2026-10-25T22:59:00Z', 25],
		['Europe/Berlin', '2026-03-29T21:59:00Z', 23],
		['America/New_York', '2026-11-02T04:59:00Z', 25],
		['America/New_York', '2026-03-09T03:59:00Z', 23],
		['Australia/Lord_Howe', '2026-04-05T13:29:00Z', 25],
		['Australia/Lord_Howe', '2026-10-04T12:59:00Z', 24],
		['Asia/Tokyo', '2026-10-25T14:59:00Z', 24],
	])('a DST night: %s until %s has %d hours, none is lost, and it is one day', (zone, lastMinute, hours) => {
		const backups = series(lastMinute, 72, 1);
		const now = Date.parse(lastMinute) + 30_000;
		const policy = (rule: string) => `${rule},minimum=1,zone=${zone},allow=unverified`;
		expect(kept(planOne(backups, policy('hourly=60'), now))).toHaveLength(60);
		const [yesterday, today] = kept(planOne(backups, policy('daily=2'), now));
		expect(today).toBe(backups.at(-1)!.label);
		expect(backups.findIndex(({ label }) => label === yesterday)).toBe(71 - hours);
	});
});
