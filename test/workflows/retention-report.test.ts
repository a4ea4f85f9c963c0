/** The report of the retention workflow: what is an alarm, and when. Whole runs are in test/e2e. */
import { failedItem, type Json, type Report, runCode } from '../support/code-nodes';

describe('the report of retention', () => {
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

	interface Run {
		leftovers?: Json;
		memory?: Json;
		byHand?: boolean;
	}

	function summarise(groups: Json[], { leftovers = NOTHING_LEFT, memory = {}, byHand = false }: Run = {}): Report {
		const ran = {
			Settings: [[[{ blockedAlarmDays: 3 }]]],
			[byHand ? 'Plan for All Groups' : 'Apply to All Groups']: [[groups]],
		};
		return runCode('retention', 'Summarise Retention', [leftovers], { ran, memory })[0]!;
	}

	it('says what stays by which rule, what went, and why', () => {
		expect(summarise([GROUP])).toMatchObject({
			...{ ok: true, outcome: 'ok', applied: true, subject: 'Retention: removed 1 backups (2.00 GB)' },
			text: [
				'postgres/shop, critical: kept 1 (1.0 MB), removed 1 (2.00 GB)',
				'  kept: 1 × daily, 1 × parent',
				'  expired a: older than anything the policy keeps',
			].join('\n'),
		});
	});

	it('says of a plan only what would be', () => {
		const { subject, text } = summarise([{ ...GROUP, status: 'planned', removed: [] }], { byHand: true });
		expect(subject).toBe('Retention plan: would remove 1 backups (2.00 GB)');
		expect(text).toContain('would keep 1 (1.0 MB), would remove 1');
	});

	it('reports a blocked group at once, and raises the alarm when it stays blocked for days', () => {
		const memory: Json = {};
		expect(summarise([BLOCKED], { memory })).toMatchObject({
			...{ ok: true, outcome: 'degraded', subject: expect.stringMatching(/^Retention BLOCKED: postgres\/shop; /) },
			text: expect.stringContaining('1 of them held back\n'),
		});
		expect(summarise([BLOCKED], { memory }).text).toContain(
			'nothing is removed: the last run failed\n    Find out why.',
		);

		const since = (days: number) => ({
			blockedSince: { 'postgres/shop': new Date(Date.now() - days * DAY_MS).toISOString() },
		});
		expect(summarise([BLOCKED], { memory: since(2.9) }).outcome).toBe('degraded');
		expect(summarise([BLOCKED], { memory: since(3) })).toMatchObject({
			...{ ok: false, outcome: 'failed', subject: expect.stringContaining('postgres/shop for 3 days') },
		});
	});

	it('forgets since when a group was blocked as soon as it is not', () => {
		const memory: Json = { blockedSince: { 'postgres/shop': '2026-01-01T00:00:00Z' } };
		expect(summarise([GROUP], { memory }).outcome).toBe('ok');
		expect(memory).toEqual({ blockedSince: {} });
		expect(summarise([BLOCKED], { memory }).outcome).toBe('degraded');
	});

	it('raises the alarm for a group or a storage that failed', () => {
		expect(summarise([GROUP, failedItem('locked by another run', { group: 'postgres/crm' })])).toMatchObject({
			...{ ok: false, subject: 'Retention FAILED: postgres/crm; Retention: removed 1 backups (2.00 GB)' },
		});
		const error = { error: 'no such folder', details: { code: 'bucket-not-found', hint: null } };
		expect(summarise([error], { leftovers: error })).toMatchObject({
			ok: false,
			subject: 'Retention FAILED: all groups',
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
});
