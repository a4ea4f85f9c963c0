/** What our nodes share: how they describe a backup in a list, read a time, and give numbers and errors to n8n. */
import { NodeOperationError } from 'n8n-workflow';
import { BackupError } from '../../core/base/errors';
import type { Verification } from '../../core/records/evidence';
import { describeEntry } from '../../nodes/shared/backups';
import { toNodeError } from '../../nodes/shared/errors';
import { matchesGroup } from '../../nodes/shared/group-patterns';
import { rounded } from '../../nodes/shared/summary';
import { toDate } from '../../nodes/shared/time';

describe('a backup in a list', () => {
	const entry = (verifications: Verification[], pinned = false) => ({
		group: 'postgres/shop',
		label: '20261120T020000Z-full-k3f9',
		type: 'full' as const,
		startedAt: Date.parse('2026-11-20T02:00:00Z'),
		storedBytes: 12_400_000,
		dataBytes: 1,
		parents: [],
		pinned,
		approved: false,
		tags: [],
		expiring: false,
		verifications,
	});
	const on = (day: number, depth: Verification['depth'], ok = true): Verification => ({
		at: Date.UTC(2026, 10, day),
		depth,
		ok,
	});

	it.each<[string, Verification[], string]>([
		['is not verified before anybody did', [], 'not verified'],
		['shows the deepest proof', [on(21, 'restored'), on(22, 'stored')], 'restored ok 2026-11-21 UTC'],
		['shows the newest of equal proofs', [on(21, 'readable'), on(23, 'readable')], 'readable ok 2026-11-23 UTC'],
		[
			'shows a failure although a shallower look went well later',
			[on(21, 'readable', false), on(22, 'stored')],
			'NOT OK when readable was verified 2026-11-21 UTC',
		],
		[
			'forgets a failure that a look as deep disproved',
			[on(21, 'stored', false), on(22, 'readable')],
			'readable ok 2026-11-22 UTC',
		],
	])('%s', (_, verifications, state) => {
		expect(describeEntry(entry(verifications))).toBe(`2026-11-20 02:00:00 UTC · 12.4 MB · ${state}`);
	});

	it('says when it is pinned', () => {
		expect(describeEntry(entry([], true))).toMatch(/ · pinned$/);
	});
});

describe('a time', () => {
	it.each([
		['2026-11-20T14:30:00Z', 'Europe/Vienna', '2026-11-20T14:30:00.000Z'],
		['2026-11-20T14:30:00+05:30', 'Europe/Vienna', '2026-11-20T09:00:00.000Z'],
		['2026-11-20T14:30:00', 'Europe/Vienna', '2026-11-20T13:30:00.000Z'],
		['2026-07-20 14:30', 'Europe/Vienna', '2026-07-20T12:30:00.000Z'],
		['2026-11-20', 'America/New_York', '2026-11-20T05:00:00.000Z'],
		['2026-11-20T14:30:00', 'UTC', '2026-11-20T14:30:00.000Z'],
		// The night in which 02:00 became 03:00: before and after.
		['2026-03-29T01:59:00', 'Europe/Vienna', '2026-03-29T00:59:00.000Z'],
		['2026-03-29T03:01:00', 'Europe/Vienna', '2026-03-29T01:01:00.000Z'],
	])('%s in %s is %s', (text, timeZone, expected) => {
		expect(toDate('Time', text, timeZone).toISOString()).toBe(expected);
	});

	it('may be an object of an expression', () => {
		const time = { toJSON: () => '2026-11-20T14:30:00.000+01:00' };
		expect(toDate('Time', time, 'UTC').toISOString()).toBe('2026-11-20T13:30:00.000Z');
	});

	it.each(['', 'tomorrow', '2026-13-45T00:00:00', 'TZ'])('is refused when it is "%s"', (text) => {
		expect(() => toDate('Time', text, 'UTC')).toThrow(/"Time" is not a valid time/);
	});
});

describe('a pattern of groups', () => {
	it.each([
		['postgres/app', 'postgres/app', true],
		['postgres/app', 'postgres/app-staging', false],
		['postgres/app', 'postgres/ap', false],
		['postgres/app*', 'postgres/app-staging', true],
		['*', 'postgres/production/app', true],
		['postgres/*', 'postgres/production/app', true],
		['postgres/?pp', 'postgres/app', true],
		['postgres/?pp', 'postgres/pp', false],
		['postgres/a.p', 'postgres/app', false],
		['postgres/a(p)+', 'postgres/app', false],
	])('%s: %s fits: %s', (pattern, group, fits) => {
		expect(matchesGroup(group, [pattern])).toBe(fits);
		expect(matchesGroup(group, ['files/x', pattern])).toBe(fits);
	});
});

it('an error that names a host keeps its words, which n8n exchanges for its own', () => {
	const text = 'cannot connect to shop on db.example.org:5432: connect ECONNREFUSED 10.0.0.7:5432';
	const node = {
		id: '1',
		name: 'Dump',
		type: 'x',
		typeVersion: 1,
		position: [0, 0] as [number, number],
		parameters: {},
	};
	const error = toNodeError(node, new BackupError('unreachable', text, { hint: 'Check the host.' }), 0);
	expect(error).toMatchObject({ message: text, description: 'Check the host.' });
	// Else nothing would have to be kept.
	expect(new NodeOperationError(node, text).message).not.toContain('db.example.org');
});

it('numbers for people have two decimals', () => {
	expect([1.2345, 0.004, 12].map(rounded)).toEqual([1.23, 0, 12]);
});
