import fc from 'fast-check';
import { DateTime } from 'luxon';
import { Calendar } from '../../core/retention/calendar';
import { TIERS } from '../../core/retention/policy';
import { Zone } from '../../core/retention/zone';

const ZONES = [
	'UTC',
	'Europe/Berlin',
	'America/New_York',
	'Australia/Lord_Howe',
	'Asia/Kolkata',
	'America/Santiago',
	'Africa/Cairo',
	'Asia/Tokyo',
	'Pacific/Apia',
	'America/St_Johns',
];
const DAY = 24 * 3_600_000;
const SINCE = Date.UTC(1975, 0, 1);
const UNTIL = Date.UTC(2060, 0, 1);
const time = fc.integer({ min: SINCE / 1000, max: UNTIL / 1000 }).map((seconds) => seconds * 1000);

/** The names luxon would give. */
const ORACLE = {
	hourly: (at: DateTime) => at.toFormat("yyyy-MM-dd HH':00' ZZ"),
	daily: (at: DateTime) => at.toFormat('yyyy-MM-dd'),
	weekly: (at: DateTime) => `${at.weekYear}-W${String(at.weekNumber).padStart(2, '0')}`,
	monthly: (at: DateTime) => at.toFormat('yyyy-MM'),
	yearly: (at: DateTime) => at.toFormat('yyyy'),
};

describe.each(ZONES)('the calendar of %s', (zone) => {
	const calendar = new Calendar(zone);
	const local = (at: number) => DateTime.fromMillis(at, { zone });

	it('names periods as luxon does', () => {
		fc.assert(
			fc.property(time, (at) => {
				for (const tier of TIERS) {
					const name = ORACLE[tier](local(at));
					expect(calendar.nameOf(tier, at)).toBe(
						zone === 'UTC' && tier === 'hourly' ? `${name.slice(0, 16)} UTC` : name,
					);
				}
			}),
			{ numRuns: 60 },
		);
	});

	it('gives times the same number exactly when they are of one period', () => {
		const near = fc.tuple(
			time,
			fc.integer({ min: -40 * 86_400, max: 40 * 86_400 }).map((seconds) => seconds * 1000),
		);
		fc.assert(
			fc.property(near, ([at, distance]) => {
				for (const tier of TIERS) {
					const same = calendar.periodOf(tier, at) === calendar.periodOf(tier, at + distance);
					expect(same).toBe(ORACLE[tier](local(at)) === ORACLE[tier](local(at + distance)));
				}
			}),
			{ numRuns: 60 },
		);
	});

	it('knows when the next period begins: then, and not a second before', () => {
		fc.assert(
			fc.property(time, (at) => {
				for (const tier of TIERS) {
					const next = calendar.nextStart(tier, at);
					expect(next).toBeGreaterThan(at);
					expect(calendar.periodOf(tier, next)).not.toBe(calendar.periodOf(tier, at));
					expect(calendar.periodOf(tier, next - 1)).toBe(calendar.periodOf(tier, at));
				}
			}),
			{ numRuns: 60 },
		);
	});
});

describe('the offsets of a zone', () => {
	it.each(ZONES)(
		'are those of luxon on every day of three years, and every quarter of an hour where it changes: %s',
		(name) => {
			const zone = new Zone(name);
			const expected = (at: number) => DateTime.fromMillis(at, { zone: name }).offset * 60_000;
			const check = (at: number) => {
				if (zone.stretchAt(at).offset !== expected(at)) throw new Error(`${name} at ${new Date(at).toISOString()}`);
			};
			let changes = 0;
			for (let day = Date.UTC(2025, 0, 1); day < Date.UTC(2028, 0, 1); day += DAY) {
				check(day);
				if (expected(day) === expected(day + DAY)) continue;
				changes++;
				for (let at = day; at <= day + DAY; at += 15 * 60_000) check(at);
			}
			expect(changes).toBe(['UTC', 'Asia/Kolkata', 'Asia/Tokyo', 'Pacific/Apia'].includes(name) ? 0 : 6);
		},
	);
});

describe('weeks around New Year', () => {
	it.each([
		['2020-12-31T12:00:00Z', '2020-W53'],
		['2021-01-01T12:00:00Z', '2020-W53'],
		['2021-01-03T23:59:59Z', '2020-W53'],
		['2021-01-04T00:00:00Z', '2021-W01'],
		['2024-12-29T12:00:00Z', '2024-W52'],
		['2024-12-30T12:00:00Z', '2025-W01'],
		['2026-12-31T12:00:00Z', '2026-W53'],
		['2027-01-04T00:00:00Z', '2027-W01'],
		['1969-12-31T12:00:00Z', '1970-W01'],
	])('%s is in %s', (at, week) => {
		expect(new Calendar('UTC').nameOf('weekly', Date.parse(at))).toBe(week);
	});
});

describe('the end of time', () => {
	it('has no next period', () => {
		expect(new Calendar('UTC').nextStart('yearly', Date.UTC(9999, 5, 1))).toBe(Infinity);
		expect(new Calendar('UTC').nextStart('yearly', Date.UTC(9998, 5, 1))).toBe(Date.UTC(9999, 0, 1));
	});
});
