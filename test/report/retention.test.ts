/** The report of retention alone: what is an alarm, and when. Whole runs are in test/e2e. */
import type { RunReport } from '../../core/report/run-report';
import { BROKEN, failedItem, from, type Json, NOW, reportOn } from '../support/report-items';

const DAY_MS = 24 * 3_600_000;
const GROUP = {
	...{ ok: true, status: 'applied', group: 'postgres/shop', policy: 'critical', kept: 1, expired: 1, held: 0 },
	...{ keptBytes: 1e6, freedBytes: 2e9, removed: ['a'], resumed: [], skipped: [], blocked: [], warnings: [] },
	reasons: [
		{ label: 'a', action: 'expire', reasons: ['older than anything the policy keeps'] },
		{ label: 'b', action: 'keep', reasons: ['daily 2026-11-19', 'parent of c'] },
	],
	nextExpiry: null,
};
const cause = { risk: 'failed', message: 'the last run failed', hint: 'Find out why.' };
const BLOCKED = { ...GROUP, ok: false, status: 'blocked', removed: [], freedBytes: 0, held: 1, blocked: [cause] };
const NOTHING_LEFT = {
	...{ ok: true, status: 'planned', orphans: [], unfinished: 0, staleLocks: [], freedBytes: 0 },
	unknown: { count: 0, keys: [] },
};

function summarise(
	groups: Json[],
	{ leftovers = NOTHING_LEFT, blockedSince = {} }: { leftovers?: Json; blockedSince?: Json } = {},
): RunReport {
	const items = [...from('retention', ...groups), ...from('prune', leftovers)];
	return reportOn(items, { blockedAlarmDays: 3, blockedSince });
}

it('says what stays by which rule, what went, and why', () => {
	expect(summarise([GROUP])).toMatchObject({
		...{ ok: true, outcome: 'ok', subject: 'Retention: removed 1 backup (2.0 GB)', counts: { removed: 1 } },
		text: [
			'retention postgres/shop, critical: kept 1 (1.0 MB), removed 1 (2.0 GB freed)',
			'  kept: 1 × daily, 1 × parent',
			'  expired a: older than anything the policy keeps',
		].join('\n'),
	});
});

it('says of a plan only what would be', () => {
	const { subject, text, bytes } = summarise([{ ...GROUP, status: 'planned', removed: [] }]);
	expect(subject).toBe('Retention plan: would remove 1 backup (2.0 GB)');
	expect(text).toContain('would keep 1 (1.0 MB), would remove 1');
	expect(bytes.freed).toBe(0);
});

it('reports a blocked group at once, and raises the alarm when it stays blocked for days', () => {
	const first = summarise([BLOCKED]);
	expect(first).toMatchObject({
		...{ ok: true, outcome: 'degraded', subject: expect.stringMatching(/^Retention BLOCKED: postgres\/shop; /) },
		text: expect.stringContaining('held back 1\n'),
		blocked: [{ group: 'postgres/shop', since: NOW.toISOString() }],
	});
	expect(summarise([BLOCKED], { blockedSince: first.blockedSince }).text).toContain(
		'nothing is removed: the last run failed\n    Find out why.',
	);

	const since = (days: number) => ({
		blockedSince: { 'postgres/shop': new Date(NOW.getTime() - days * DAY_MS).toISOString() },
	});
	expect(summarise([BLOCKED], since(2.9)).outcome).toBe('degraded');
	expect(summarise([BLOCKED], since(3))).toMatchObject({
		...{ ok: false, outcome: 'failed', subject: expect.stringContaining('postgres/shop for 3 days') },
		text: expect.stringContaining('blocked for 3 days'),
	});
});

it('forgets since when a group was blocked as soon as it is not, and what it was not asked about never', () => {
	const blockedSince: Json = { 'postgres/shop': '2026-01-01T00:00:00Z' };
	const after = summarise([GROUP], { blockedSince });
	expect(after).toMatchObject({ outcome: 'ok' });
	expect(after.blockedSince).toEqual({});
	expect(summarise([BLOCKED], { blockedSince: after.blockedSince }).outcome).toBe('degraded');
	const other = { ...GROUP, group: 'postgres/crm' };
	expect(summarise([other], { blockedSince }).blockedSince).toEqual(blockedSince);
	expect(
		summarise([failedItem('locked', { group: 'postgres/shop', policy: 'x' })], { blockedSince }).blockedSince,
	).toEqual(blockedSince);
});

it('takes a memory that is no memory for none', () => {
	const strange = JSON.parse('{"__proto__":{"postgres/shop":"1999-01-01"},"postgres/shop":7,"x":{}}') as Json;
	const { outcome, blockedSince } = summarise([BLOCKED], { blockedSince: { ...strange, 'postgres/shop': 'never' } });
	expect({ outcome, blockedSince }).toEqual({
		outcome: 'degraded',
		blockedSince: { 'postgres/shop': NOW.toISOString() },
	});
	const future = { 'postgres/shop': '2099-01-01T00:00:00Z' };
	expect(summarise([BLOCKED], { blockedSince: future }).blockedSince).toEqual({ 'postgres/shop': NOW.toISOString() });
});

it('raises the alarm for a group or a storage that failed', () => {
	const locked = failedItem('locked by another run', { group: 'postgres/crm', policy: 'critical' });
	expect(summarise([GROUP, locked])).toMatchObject({
		...{ ok: false, subject: 'Retention FAILED: postgres/crm; Retention: removed 1 backup (2.0 GB)' },
	});
	expect(summarise([BROKEN], { leftovers: BROKEN })).toMatchObject({
		ok: false,
		subject: 'Retention FAILED: all groups',
	});
});

it('is degraded when only leftovers could not be looked for', () => {
	expect(summarise([GROUP], { leftovers: BROKEN })).toMatchObject({
		outcome: 'degraded',
		text: expect.stringContaining('leftovers could not be looked for: no such folder'),
	});
});

it('names what expired and is still there, and what killed runs have left', () => {
	const skipped = [{ label: 'a', why: 'being read by verify' }];
	const orphan = { group: 'postgres/shop', label: 'x', objects: 2, storedBytes: 5e6 };
	const leftovers = {
		...NOTHING_LEFT,
		orphans: [orphan],
		freedBytes: 5e6,
		unknown: { count: 2, keys: ['notes.txt'] },
	};
	const { ok, text } = summarise([{ ...GROUP, removed: [], skipped }], { leftovers });
	expect(ok).toBe(true);
	expect(text).toContain('a expired and is still there: being read by verify');
	expect(text).toContain('1 incomplete backups, 0 unfinished uploads, 0 stale locks, 5.0 MB');
	expect(text).toContain("files that are nobody's, never touched: 2, e.g. notes.txt");
});
