/** The rules that no policy can override, and what holds a plan back. */
import { planRetention } from '../../core/retention/plan';
import { apply, backup, checked, DAY, expired, HOUR, kept, planOne, reasonsFor, series, type Wanted } from './facts';

const NOW = '2026-11-20T02:30:00Z';
const NEWEST = '2026-11-20T02:00:00Z';
/** Thirty daily backups, all of them good. */
const month = () => series(NEWEST, 30, 24);
const withNewest = (wanted: Wanted) => [...series('2026-11-19T02:00:00Z', 29, 24), backup(NEWEST, wanted)];

describe('what always stays', () => {
	it('a pinned backup, however old and however bad', () => {
		const pinned = backup('2020-01-01T00:00:00Z', { pinned: true, verified: [checked('2020-01-02', 'stored', false)] });
		const plan = planOne([pinned, ...month()], 'daily=5', NOW);
		expect(kept(plan)).toContain(pinned.label);
		expect(reasonsFor(plan, pinned)).toEqual(['pinned', 'failed a verification (stored) of 2020-01-02 00:00 UTC']);
		expect(plan.backups[0]!.keptUntil).toBeNull();
	});

	it('the newest verified backup, when the newer ones are not verified', () => {
		const verified = backup('2026-10-01T00:00:00Z');
		const unverified = series(NEWEST, 10, 24, { verified: false });
		const plan = planOne([verified, ...unverified], 'daily=3,minimum=1,allow=unverified', NOW);
		expect(kept(plan)).toEqual([verified, ...unverified.slice(-3)].map(({ label }) => label));
		expect(reasonsFor(plan, verified)).toEqual(['the newest that is verified']);
	});

	it('the newest that is verified as deep as the policy trusts: stored evidence is not restored evidence', () => {
		const restored = backup('2026-10-01T00:00:00Z', { verified: [checked('2026-10-02', 'restored')] });
		const stored = series(NEWEST, 10, 24);
		const plan = planOne([restored, ...stored], 'daily=2,minimum=1,trust=restored,allow=unverified', NOW);
		expect(kept(plan)).toEqual([restored, ...stored.slice(-2)].map(({ label }) => label));
		expect(kept(planOne([restored, ...stored], 'daily=2,minimum=1', NOW))).not.toContain(restored.label);
	});

	it('as many sound backups as the minimum, of which three is the default', () => {
		expect(kept(planOne(month(), 'last=1', NOW))).toHaveLength(3);
		expect(kept(planOne(month(), 'last=1,minimum=1', NOW))).toHaveLength(1);
		expect(kept(planOne(month(), 'last=1,minimum=100', NOW))).toHaveLength(30);
		const plan = planOne(month(), 'last=1,minimum=2', NOW);
		expect(reasonsFor(plan, month()[28]!)).toEqual(['at least 2 stay']);
	});

	it('no bad backup counts to the minimum', () => {
		const bad = series(NEWEST, 3, 24, { verified: [checked(NOW, 'readable', false)] });
		const good = series('2026-11-17T02:00:00Z', 10, 24);
		const plan = planOne([...good, ...bad], 'within=1d,allow=failed', NOW);
		expect(kept(plan).slice(0, 3)).toEqual(good.slice(-3).map(({ label }) => label));
	});

	it('for the period of a newest backup that is not verified, the newest verified one as well', () => {
		const morning = backup('2026-11-10T06:00:00Z');
		const noon = backup('2026-11-10T12:00:00Z');
		const evening = backup('2026-11-10T18:00:00Z', { verified: false });
		const plan = planOne([morning, noon, evening, ...series(NEWEST, 4, 24)], 'daily=30', NOW);
		expect(reasonsFor(plan, evening)).toEqual(['daily 2026-11-10']);
		expect(reasonsFor(plan, noon)).toEqual(['daily 2026-11-10 (its newest that is verified)']);
		expect(expired(plan)).toEqual([morning.label]);
	});

	it('a bad backup never fills a place', () => {
		const good = backup('2026-11-10T06:00:00Z', { verified: false });
		const bad = backup('2026-11-10T18:00:00Z', { verified: [checked('2026-11-11T00:00:00Z', 'readable', false)] });
		const plan = planOne([good, bad, ...series(NEWEST, 4, 24)], 'daily=30', NOW);
		expect(reasonsFor(plan, good)).toEqual(['daily 2026-11-10']);
		expect(expired(plan)).toEqual([bad.label]);
		expect(reasonsFor(plan, bad)).toEqual(['failed a verification (readable) of 2026-11-11 00:00 UTC']);
	});

	it.each([
		['a later success of the same depth', checked('2026-11-12', 'readable'), true],
		['a later success of a greater depth', checked('2026-11-12', 'restored'), true],
		['no later success that looked less deep', checked('2026-11-12', 'stored'), false],
		['no earlier success', checked('2026-11-09', 'restored'), false],
		['no success of the same second', checked('2026-11-11', 'restored'), false],
		['no success that is dated in the future', checked('2026-12-11', 'restored'), false],
	])('a failed verification is disproved by %s', (_, success, stays) => {
		const failed = checked('2026-11-11', 'readable', false);
		const doubted = backup('2026-11-10T18:00:00Z', { verified: [failed, success] });
		expect(kept(planOne([doubted, ...series(NEWEST, 4, 24)], 'daily=30', NOW)).includes(doubted.label)).toBe(stays);
	});
});

describe('parents', () => {
	const full = backup('2026-11-01T00:00:00Z', { verified: [checked('2026-11-01T01:00:00Z')] });
	const step = (day: number, parents: string[] | null, wanted: Wanted = {}) =>
		backup(Date.parse('2026-11-01T00:00:00Z') + day * DAY, { type: 'incremental', parents, ...wanted });

	it('stay with what needs them, also the parents of parents', () => {
		const one = step(1, [full.label]);
		const two = step(2, [one.label]);
		const plan = planOne([full, one, two], 'last=1,minimum=1,allow=outdated', NOW);
		expect(kept(plan)).toHaveLength(3);
		expect(reasonsFor(plan, full)).toEqual([`parent of ${two.label}`]);
		expect(reasonsFor(plan, one)).toEqual([`parent of ${two.label}`]);
	});

	it('count to the minimum', () => {
		const older = backup('2026-10-01T00:00:00Z');
		const one = step(1, [full.label]);
		const plan = planOne([older, full, one], 'last=1,minimum=2,allow=outdated', NOW);
		expect(expired(plan)).toEqual([older.label]);
		expect(reasonsFor(plan, full)).toEqual([`parent of ${one.label}`]);
	});

	it('are named beside other reasons, with the newest that needs them', () => {
		const one = step(1, [full.label]);
		const two = step(2, [full.label]);
		const plan = planOne([full, one, two], 'last=3', '2026-11-03T01:00:00Z');
		expect(reasonsFor(plan, full)).toEqual(['last 3', `parent of ${two.label}`]);
		expect(reasonsFor(plan, one)).toEqual(['last 3']);
	});

	it('are everything back to the last full backup, where it is not known what is needed', () => {
		const older = backup('2026-10-01T00:00:00Z');
		const chain = [older, full, step(1, null), step(2, [full.label]), step(3, null)];
		const plan = planOne(chain, 'last=1,minimum=1,allow=outdated', NOW);
		expect(expired(plan)).toEqual([older.label]);
	});

	it('stay as long as what needs them', () => {
		const one = step(1, [full.label], { tags: ['audit'] });
		const fulls = series('2026-11-20T00:00:00Z', 10, 24);
		const plan = planOne([full, one, ...fulls], 'daily=10,tag=audit', NOW);
		expect(reasonsFor(plan, full)).toEqual([`parent of ${one.label}`]);
		expect(plan.backups[0]!.keptUntil).toBeNull();
	});

	it('stay when a bad backup stays that needs them', () => {
		const one = step(1, [full.label], { pinned: true, verified: [checked(NOW, 'stored', false)] });
		const plan = planOne([full, one, ...month()], 'daily=3', NOW);
		expect(kept(plan)).toEqual(expect.arrayContaining([full.label, one.label]));
	});

	it('that are missing make a backup that cannot be relied on', () => {
		const broken = step(5, ['20261030T000000Z-full-gone']);
		const child = step(6, [broken.label]);
		const plan = planOne([broken, child, ...series(NEWEST, 8, 24)], 'daily=100,minimum=1', NOW);
		expect(expired(plan)).toEqual([broken.label, child.label]);
		expect(reasonsFor(plan, broken)).toEqual([
			'cannot be restored: it needs 20261030T000000Z-full-gone, which is not there',
		]);
		expect(reasonsFor(plan, child)).toEqual([`cannot be restored: it needs ${broken.label}, which cannot be restored`]);
	});

	it('that are missing hold everything back when the newest needs them', () => {
		const plan = planOne(
			[...month(), backup('2026-11-20T02:10:00Z', { type: 'incremental', parents: ['20261030T000000Z-full-gone'] })],
			'daily=3',
			NOW,
		);
		expect(plan.blocked.map(({ risk }) => risk)).toEqual(['failed']);
		expect(expired(plan)).toEqual([]);
	});

	it('that are bad make all bad that need them', () => {
		const bad = { ...full, verifications: [checked('2026-11-05', 'stored', false)] };
		const one = step(1, [bad.label]);
		const plan = planOne([bad, one, ...series(NEWEST, 8, 24)], 'daily=100', NOW);
		expect(reasonsFor(plan, one)).toEqual([`cannot be restored: it needs ${bad.label}, which failed a verification`]);
	});

	it('are unknown to a chain that has no full backup', () => {
		const one = step(1, null);
		const plan = planOne([one, ...series(NEWEST, 8, 24)], 'daily=100', NOW);
		expect(reasonsFor(plan, one)).toEqual(['cannot be restored: it needs a full backup before it, which is not there']);
	});

	it('have to be verified too, unless a restore has proved the whole chain', () => {
		const unproved = { ...full, verifications: [] };
		const one = step(1, [full.label]);
		const two = step(2, [one.label], { verified: [checked('2026-11-04', 'restored')] });
		const risks = (...backups: Parameters<typeof planOne>[0][number][]) =>
			planOne(backups, 'last=1', '2026-11-04T02:30:00Z').blocked.map(({ risk }) => risk);
		expect(risks(full, one)).toEqual([]);
		expect(risks(unproved, one)).toEqual(['unverified']);
		expect(risks(unproved, one, two)).toEqual([]);
	});

	it('may form a ring in damaged manifests without harm', () => {
		const one = step(1, [step(2, []).label]);
		const two = step(2, [one.label, step(2, []).label]);
		const plan = planOne([full, one, two], 'last=1,minimum=1,allow=outdated,allow=unverified', NOW);
		expect(kept(plan)).toEqual(expect.arrayContaining([one.label, two.label]));
		expect(expired(plan)).toEqual([full.label]);
	});

	it('may be dated after what needs them, when a clock was wrong', () => {
		const late = backup('2026-11-19T00:00:00Z');
		const early = step(1, [late.label]);
		const plan = planOne([early, late, ...series(NEWEST, 3, 1)], 'last=1,minimum=1,tag=x', NOW);
		expect(expired(plan)).toHaveLength(4);
		const pinned = planOne([{ ...early, pinned: true }, late, ...series(NEWEST, 3, 1)], 'last=1,minimum=1', NOW);
		expect(reasonsFor(pinned, late)).toEqual([`parent of ${early.label}`]);
	});
});

describe('nothing expires while', () => {
	const risks = (...args: Parameters<typeof planOne>) => planOne(...args).blocked.map(({ risk }) => risk);

	it.each<[string, Wanted, string]>([
		['the newest backup is not verified', { verified: false }, 'unverified'],
		['the newest backup is bad', { verified: [checked(NOW, 'readable', false)] }, 'failed'],
		['the newest backup is suspiciously small', { storedBytes: 499 }, 'shrunk'],
	])('%s, unless that is allowed', (cause, wanted, risk) => {
		const backups = withNewest(wanted);
		const plan = planOne(backups, 'daily=5', NOW);
		expect(plan.blocked).toEqual([
			{
				risk,
				message: expect.stringContaining(backups.at(-1)!.label),
				hint: expect.stringContaining('If this is allowed, '),
			},
		]);
		expect(expired(plan)).toEqual([]);
		expect(plan.freedBytes).toBe(0);
		expect(plan.nextExpiry).toBeNull();
		expect(reasonsFor(plan, backups[0]!)).toEqual([`held: ${cause}`]);
		expect(plan.backups[0]!.keptUntil).toBeNull();
		const allowed = planOne(backups, `daily=5,allow=${risk}`, NOW);
		expect(allowed.blocked).toEqual([]);
		expect(expired(allowed).length).toBeGreaterThan(20);
		expect(allowed.warnings).toEqual([expect.stringMatching(/; the policy allows it$/)]);
	});

	it('the newest backup is older than expected, unless that is allowed', () => {
		const later = '2026-11-23T02:30:00Z';
		const plan = planOne(month(), 'daily=5', later);
		expect(plan.blocked[0]).toMatchObject({
			risk: 'outdated',
			message: expect.stringContaining('is 3 days old; one is expected at least every 3 days'),
		});
		expect(expired(plan)).toEqual([]);
		expect(expired(planOne(month(), 'daily=5,allow=outdated', later))).toHaveLength(25);
	});

	it('the last run failed, unless that is allowed', () => {
		const lastFailure = new Date('2026-11-20T02:20:00Z');
		const plan = planOne(month(), 'daily=5', NOW, { lastFailure });
		expect(plan.blocked[0]).toMatchObject({
			risk: 'failed',
			message: 'the last run, of 2026-11-20 02:20 UTC, failed to make a backup',
		});
		expect(expired(plan)).toEqual([]);
		expect(expired(planOne(month(), 'daily=5,allow=failed', NOW, { lastFailure }))).toHaveLength(25);
	});

	it('not because an older run failed before the newest backup', () => {
		expect(risks(month(), 'daily=5', NOW, { lastFailure: new Date('2026-11-20T01:00:00Z') })).toEqual([]);
		expect(risks(month(), 'daily=5', NOW, { lastFailure: null })).toEqual([]);
	});

	it('all that is wrong is not allowed: each risk by itself', () => {
		const backups = withNewest({ verified: false, storedBytes: 1 });
		expect(risks(backups, 'daily=5', NOW)).toEqual(['unverified', 'shrunk']);
		expect(risks(backups, 'daily=5,allow=shrunk', NOW)).toEqual(['unverified']);
		expect(reasonsFor(planOne(backups, 'daily=5', NOW), backups[0]!)).toEqual([
			'held: the newest backup is not verified; the newest backup is suspiciously small',
		]);
	});

	it('the age that counts is three times the usual one, at least a day, or what the policy says', () => {
		const weekly = series('2026-11-01T02:00:00Z', 12, 7 * 24);
		expect(risks(weekly, 'weekly=5', '2026-11-20T02:30:00Z')).toEqual([]);
		expect(risks(weekly, 'weekly=5', '2026-11-22T02:00:01Z')).toEqual(['outdated']);
		const hourly = series('2026-11-01T02:00:00Z', 12, 1);
		expect(risks(hourly, 'hourly=5', '2026-11-02T02:00:00Z')).toEqual([]);
		expect(risks(hourly, 'hourly=5', '2026-11-02T02:00:01Z')).toEqual(['outdated']);
		expect(risks(hourly, 'hourly=5,expect-every=2h', '2026-11-01T04:00:00Z')).toEqual([]);
		expect(risks(hourly, 'hourly=5,expect-every=2h', '2026-11-01T04:00:01Z')).toEqual(['outdated']);
	});

	it('sizes are compared with the median of up to seven before it, of the same type and not bad', () => {
		const sizes = (...bytes: number[]) =>
			bytes.map((storedBytes, day) => backup(Date.parse('2026-11-01T00:00:00Z') + day * DAY, { storedBytes }));
		const now = (backups: unknown[]) => Date.parse('2026-11-01T00:00:00Z') + (backups.length - 1) * DAY + HOUR;
		const shrunk = (backups: ReturnType<typeof sizes>, policy = 'daily=5') =>
			risks(backups, policy, now(backups)).includes('shrunk');
		expect(shrunk(sizes(100, 100, 100, 50))).toBe(false);
		expect(shrunk(sizes(100, 100, 100, 49))).toBe(true);
		expect(shrunk(sizes(100, 100, 100, 49), 'daily=5,shrink=60')).toBe(false);
		expect(shrunk(sizes(9000, 9000, 9000, 100, 100, 100, 100, 100, 100, 100, 60))).toBe(false);
		expect(shrunk(sizes(1, 1, 100, 100, 40))).toBe(false);
		expect(shrunk(sizes(1, 100, 100, 100, 40))).toBe(true);
		expect(shrunk(sizes(40))).toBe(false);
		const bad = sizes(100, 100, 100, 1, 1, 1, 1, 49);
		for (const each of bad.slice(3, 7)) each.verifications = [checked(each.startedAt + 1, 'stored', false)];
		expect(shrunk(bad)).toBe(true);
	});

	it('what is usual begins anew with what a person has approved', () => {
		const backups = series(NEWEST, 6, 24).map((each, day) => ({ ...each, dataBytes: day < 4 ? 1000 : 100 }));
		expect(risks(backups, 'daily=5', NOW)).toEqual(['shrunk']);
		const approve = (day: number) => backups.map((each, at) => ({ ...each, approved: at === day }));
		expect(risks(approve(3), 'daily=5', NOW)).toEqual(['shrunk']);
		for (const day of [4, 5]) expect(risks(approve(day), 'daily=5', NOW)).toEqual([]);
		const again = [...approve(4).slice(0, 5), { ...backups[5]!, dataBytes: 10 }];
		expect(risks(again, 'daily=5', NOW)).toEqual(['shrunk']);
	});

	it('what the newest says was lost, and nobody approved, holds all back, also where sizes say nothing', () => {
		const backups = series(NEWEST, 6, 24);
		const [since, shownBy] = [backups[2]!.label, backups[4]!.label];
		const shrunk = [{ what: 'rows of 2 tables', from: 1000, to: 7, since, shownBy }];
		const lost = (place: number) => backups.map((each, at) => (at === place ? { ...each, shrunk } : each));
		const plan = planOne(lost(5), 'daily=2,minimum=1', NOW);
		expect(plan.blocked).toEqual([
			{
				risk: 'shrunk',
				message: `${shownBy} has 7 rows of 2 tables, and ${since} had 1000; nobody has approved that`,
				hint: expect.stringContaining(`approve ${backups[5]!.label}`),
			},
		]);
		expect(reasonsFor(plan, backups[0]!)).toEqual(['held: the source lost much, and nobody has approved that']);
		expect(plan.backups.filter(({ held }) => held)).toHaveLength(4);
		expect(risks(lost(5), 'daily=2,allow=shrunk', NOW)).toEqual([]);
		// What an older one says, the newest would say again if it still counted.
		expect(risks(lost(4), 'daily=2', NOW)).toEqual([]);
	});

	it('what pins, tags and evidence add to the size does not count where it is known', () => {
		const backups = series(NEWEST, 5, 24, { storedBytes: 90_000, dataBytes: 1000 });
		backups.push(backup('2026-11-20T02:10:00Z', { storedBytes: 1200, dataBytes: 900 }));
		expect(risks(backups, 'daily=5', NOW)).toEqual([]);
	});

	it('a full backup that is suspiciously small is not hidden by increments after it', () => {
		const fulls = series('2026-11-19T02:00:00Z', 5, 24);
		const small = backup('2026-11-20T01:00:00Z', { storedBytes: 10 });
		const increment = backup(NEWEST, { type: 'incremental', parents: [small.label], storedBytes: 5 });
		expect(risks([...fulls, small, increment], 'daily=5', NOW)).toEqual(['shrunk']);
	});

	it('an increment is not small because full backups are large', () => {
		const fulls = series('2026-11-20T01:00:00Z', 5, 24);
		const increment = backup(NEWEST, { type: 'incremental', parents: [fulls.at(-1)!.label], storedBytes: 5 });
		expect(risks([...fulls, increment], 'daily=5', NOW)).toEqual([]);
	});
});

describe('a plan that keeps nothing', () => {
	it('is refused', () => {
		const bad = series(NEWEST, 5, 24, { verified: [checked(NOW, 'stored', false)] });
		expect(() => planOne(bad, 'daily=5,allow=failed', NOW)).toThrow(
			expect.objectContaining({ code: 'invalid-input', message: 'the plan would keep no backup of app at all' }),
		);
		expect(kept(planOne(bad, 'daily=5', NOW))).toHaveLength(5);
	});

	it('is no error where there is nothing to keep', () => {
		expect(planRetention([], { daily: 5 }, new Date(NOW))).toEqual({ groups: [] });
	});
});

describe('a plan', () => {
	it('counts the bytes that stay and that are freed, and says what goes next', () => {
		const plan = planOne(month(), 'daily=5', NOW);
		expect(plan).toMatchObject({ keptBytes: 5000, freedBytes: 25_000, warnings: [], blocked: [] });
		expect(plan.nextExpiry).toEqual({ label: month()[25]!.label, at: new Date('2026-11-21T00:00:00Z') });
		expect(plan.backups.map(({ label }) => label)).toEqual(month().map(({ label }) => label));
	});

	it('lets go of a backup exactly at the time it said', () => {
		const backups = series(NEWEST, 30, 24);
		for (const policy of ['within=5d', 'daily=5']) {
			const { label, at } = planOne(backups, policy, NOW).nextExpiry!;
			const tomorrow = [...backups, backup('2026-11-21T00:00:00Z'), backup('2026-11-21T02:00:00Z')];
			const then = (time: number) => {
				const sofar = tomorrow.filter(({ startedAt }) => startedAt <= time);
				return planOne(sofar, `${policy},allow=unverified`, time);
			};
			expect(kept(then(at.getTime() - 1))).toContain(label);
			expect(expired(then(at.getTime()))).toContain(label);
		}
	});

	it('says of a group of one backup that it stays', () => {
		const one = backup(NEWEST);
		for (const now of [NOW, '2036-01-01T00:00:00Z']) {
			const plan = planOne([one], 'hourly=1', now);
			expect(kept(plan)).toEqual([one.label]);
			expect(apply([one], plan)).toEqual([one]);
		}
	});

	it('chooses the later label of two backups in the same second', () => {
		const [a, b] = [backup(NEWEST, { suffix: 'aaaa' }), backup(NEWEST, { suffix: 'bbbb' })];
		for (const order of [
			[a, b],
			[b, a],
		]) {
			const plan = planOne([...series('2026-11-19T02:00:00Z', 5, 24), ...order], 'daily=3', NOW);
			expect(expired(plan)).toContain(a.label);
			expect(reasonsFor(plan, b)[0]).toBe('daily 2026-11-20');
		}
	});

	it('takes a full backup to be older than what needs it in the same second', () => {
		const full = backup(NEWEST, { suffix: 'zzzz' });
		const unknown = backup(NEWEST, { type: 'differential', parents: null });
		const plan = planOne([...series('2026-11-19T02:00:00Z', 5, 24), unknown, full], 'last=1,minimum=1', NOW);
		expect(plan.blocked).toEqual([]);
		expect(reasonsFor(plan, unknown)).toEqual(['last 1', 'the newest that is verified']);
		expect(reasonsFor(plan, full)).toEqual([`parent of ${unknown.label}`]);
	});

	it('is not made from two backups of one name, or times that are none', () => {
		const refused = expect.objectContaining({ code: 'invalid-input' });
		expect(() => planOne([backup(NEWEST), backup(NEWEST)], 'daily=3', NOW)).toThrow(refused);
		expect(() => planOne(month(), 'daily=3', NaN)).toThrow(refused);
		expect(() => planOne([{ ...backup(NEWEST), startedAt: NaN }], 'daily=3', NOW)).toThrow(refused);
	});

	it('covers a hundred thousand backups', () => {
		const plan = planOne(series(NEWEST, 100_000, 1), 'critical,zone=Europe/Berlin', NOW);
		expect(plan.backups).toHaveLength(100_000);
		expect(kept(plan).length).toBeLessThan(48 + 30 + 12 + 12);
	});

	it('follows a chain of a hundred thousand increments', () => {
		const chain = series(NEWEST, 100_000, 1, { type: 'incremental', parents: null });
		chain[0] = backup(chain[0]!.startedAt);
		expect(expired(planOne(chain, 'last=1', NOW))).toEqual([]);
		const known = chain.map((each, at) => (at === 0 ? each : { ...each, parents: [chain[at - 1]!.label] }));
		expect(expired(planOne(known, 'last=1', NOW))).toEqual([]);
	});
});
