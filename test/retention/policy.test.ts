import fc from 'fast-check';
import { DEPTHS } from '../../core/records/evidence';
import { planRetention } from '../../core/retention/plan';
import {
	formatPolicy,
	parsePolicy,
	POLICY_PRESETS,
	protectUntil,
	type RetentionPolicy,
	RISKS,
} from '../../core/retention/policy';
import { completePolicy } from '../../core/retention/rules';

const refused = (message: RegExp | string) =>
	expect.objectContaining({ code: 'invalid-input', message: expect.stringMatching(message), hint: expect.any(String) });

describe('the text of a policy', () => {
	it('says everything a policy can say', () => {
		expect(
			parsePolicy(
				'last=5,hourly=48,daily=30,weekly=12,monthly=12,yearly=3,within=7d,tag=audit,tag=legal,zone=Europe/Berlin,' +
					'minimum=2,trust=restored,expect-every=25h,shrink=40,allow=outdated,allow=shrunk',
			),
		).toEqual({
			last: 5,
			hourly: 48,
			daily: 30,
			weekly: 12,
			monthly: 12,
			yearly: 3,
			withinHours: 168,
			tags: ['audit', 'legal'],
			timeZone: 'Europe/Berlin',
			minimum: 2,
			trust: 'restored',
			expectEveryHours: 25,
			shrinkPercent: 40,
			allow: ['outdated', 'shrunk'],
		});
	});

	it.each([
		['critical', POLICY_PRESETS.critical.policy],
		['Seven days', POLICY_PRESETS.sevenDays.policy],
		['seven-days', POLICY_PRESETS.sevenDays.policy],
		['thirtyDays', POLICY_PRESETS.thirtyDays.policy],
	])('can be the name of a preset: %s', (text, policy) => expect(parsePolicy(text)).toEqual(policy));

	it('can change a preset', () => {
		expect(parsePolicy('critical, zone=Europe/Berlin, daily=60, hourly=0')).toEqual({
			...POLICY_PRESETS.critical.policy,
			timeZone: 'Europe/Berlin',
			daily: 60,
			hourly: 0,
		});
	});

	it('comes back as the same policy', () => {
		const count = fc.option(fc.integer({ min: 1, max: 1_000_000 }), { nil: undefined });
		const some = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
		const policy: fc.Arbitrary<RetentionPolicy> = fc.record({
			last: count,
			hourly: count,
			daily: fc.integer({ min: 1, max: 100 }),
			weekly: count,
			monthly: count,
			yearly: count,
			withinHours: count,
			tags: some(fc.array(fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,39}$/), { minLength: 1, maxLength: 3 })),
			timeZone: some(fc.constantFrom('UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires')),
			minimum: count,
			trust: some(fc.constantFrom(...DEPTHS)),
			expectEveryHours: count,
			shrinkPercent: some(fc.integer({ min: 1, max: 99 })),
			allow: some(fc.subarray([...RISKS], { minLength: 1 })),
		});
		fc.assert(fc.property(policy, (each) => expect(parsePolicy(formatPolicy(each))).toEqual(each)));
	});

	it.each([
		['', /empty/],
		['daily', /"daily" is neither a rule nor a preset/],
		['gold', /"gold" is neither a rule nor a preset/],
		['nightly=3', /"nightly=3" is neither a rule nor a preset/],
		['daily=3,,weekly=2', /a rule is empty/],
		['daily=-1', /daily must be a whole number, not "-1"/],
		['daily=1.5', /daily must be a whole number, not "1.5"/],
		['daily=many', /daily must be a whole number/],
		['daily=', /daily must be a whole number/],
		['daily=3,daily=4', /daily is there twice/],
		['within=7', /within must be a number with h, d or w, not "7"/],
		['within=1y', /within must be a number with h, d or w/],
		['daily=3,zone=Europe/Atlantis', /timeZone must be the name of a time zone.*not "Europe\/Atlantis"/],
		['daily=3,zone=', /timeZone must be/],
		['daily=3,trust=hope', /trust must be one of stored, readable, restored, not "hope"/],
		['daily=3,allow=everything', /allow must be a list of these: unverified, failed, outdated, shrunk/],
		['daily=3,tag=Audit', /"Audit" is not a valid tag/],
		['daily=3,minimum=0', /minimum must be a whole number from 1/],
		['daily=3,shrink=100', /shrinkPercent must be/],
		['constructor=3', /is neither a rule nor a preset/],
	])('is refused with a reason: %p', (text, message) => {
		expect(() => parsePolicy(text)).toThrow(refused(message));
	});
});

describe('a policy', () => {
	it.each([{}, { timeZone: 'UTC' }, { daily: 0, hourly: 0, tags: [] }, { minimum: 5, allow: [...RISKS] }])(
		'is refused when it is empty: %p',
		(policy) => {
			expect(() => planRetention([], policy, new Date())).toThrow(refused(/is empty/));
			expect(() => protectUntil(policy, new Date())).toThrow(refused(/is empty/));
			expect(() => formatPolicy(policy)).toThrow(refused(/is empty/));
		},
	);

	it.each([
		[{ daily: 1.5 }, /daily must be a whole number from 0 to 1000000, not 1.5/],
		[{ daily: NaN }, /daily must be a whole number/],
		[{ daily: -1 }, /daily must be a whole number/],
		[{ daily: '3' }, /daily must be a whole number from 0 to 1000000, not "3"/],
		[{ daily: 3, timeZone: 'Mars/Olympus' }, /timeZone must be/],
		[{ daily: 3, nightly: 4 }, /no rule named "nightly"/],
		[{ daily: 3, tags: 'audit' }, /tags must be a list/],
		[null, /must be an object/],
	])('is refused when it cannot be understood: %p', (policy, message) => {
		expect(() => planRetention([], policy as RetentionPolicy, new Date())).toThrow(refused(message));
	});

	it('trusts what is stored, keeps three, and allows nothing when it does not say otherwise', () => {
		expect(completePolicy({ daily: 1 })).toMatchObject({
			minimum: 3,
			trust: 'stored',
			timeZone: 'UTC',
			shrinkPercent: 50,
			expectEveryHours: null,
			allow: [],
		});
	});
});

describe('the presets', () => {
	it.each(Object.entries(POLICY_PRESETS))(
		'%s can be used, and says what it is for',
		(key, { name, description, policy }) => {
			expect(() => completePolicy(policy)).not.toThrow();
			expect(parsePolicy(key)).toEqual(policy);
			expect(parsePolicy(name)).toEqual(policy);
			expect(description).toMatch(/^[A-Z].*\.$/);
		},
	);

	it('are as they are usual in the field', () => {
		expect(POLICY_PRESETS.critical.policy).toEqual({ hourly: 48, daily: 30, weekly: 12, monthly: 12 });
		expect(POLICY_PRESETS.configuration.policy).toEqual({ daily: 30, weekly: 12, monthly: 6 });
		expect(POLICY_PRESETS.logs.policy).toEqual({ daily: 7, weekly: 4 });
		expect(formatPolicy(POLICY_PRESETS.sevenDays.policy)).toBe('within=7d');
		expect(formatPolicy(POLICY_PRESETS.thirtyDays.policy)).toBe('within=30d');
	});
});

describe('a lock at upload', () => {
	const until = (policy: string, start = '2026-11-20T02:30:00Z') =>
		protectUntil(parsePolicy(policy), new Date(start))?.toISOString();

	it.each([
		['hourly=48,daily=30', '2026-11-22T02:00:00.000Z'],
		['daily=30,weekly=12', '2026-12-20T00:00:00.000Z'],
		['daily=1', '2026-11-21T00:00:00.000Z'],
		['weekly=2', '2026-11-30T00:00:00.000Z'],
		['within=7d', '2026-11-27T02:30:00.000Z'],
		['within=7d,hourly=4', '2026-11-27T02:30:00.000Z'],
		['last=10,daily=3', '2026-11-30T00:00:00.000Z'],
		['daily=2,zone=Europe/Berlin', '2026-11-21T23:00:00.000Z'],
	])('lasts as long as %s keeps a new backup for certain', (policy, end) => expect(until(policy)).toBe(end));

	it.each(['tag=audit', 'last=5'])('is not there when %s promises nothing', (policy) => {
		expect(until(policy)).toBeUndefined();
	});
});
