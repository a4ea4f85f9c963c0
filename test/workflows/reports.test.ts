/** The reports of drills and restores: what of a run is an alarm, and what is not. Whole runs are in test/e2e. */
import { failed, type Json, NAME, PROVED, report } from '../support/code-nodes';

describe('the report of a drill', () => {
	const summarise = (...items: Json[]) => report('restore-drill', 'Summarise Drill', items);

	it('says how long a restore takes', () => {
		expect(summarise(PROVED)).toMatchObject({
			ok: true,
			subject: 'Restore proved: postgres/shop',
			text: expect.stringContaining('restored in 1.2 s, 4 tables and 30 rows as they were backed up'),
		});
	});

	it('keeps a bad backup apart from a drill that could not be done', () => {
		expect(summarise(failed('bad', 'bytes differ'))).toMatchObject({ ok: false, subject: 'Backup BAD: postgres/shop' });
		expect(summarise(failed('environment', 'no space'))).toMatchObject({
			ok: false,
			subject: 'Restore drill could not be done: postgres/shop',
		});
		const noStorage = { error: 'no such folder', details: { code: 'bucket-not-found', hint: null } };
		expect(summarise(noStorage).subject).toBe('Restore drill could not be done: the drill');
	});
});

describe('the report of a restore', () => {
	const asked = { group: 'postgres/shop', database: 'shop' };
	const RESTORED = {
		...{ ...NAME, ok: true, countsMatch: true, database: 'shop', restoredTo: 'shop on localhost:5432', seconds: 3.21 },
		...{ originalBytes: 2e6, rows: 30, tablesCompared: 4, rowsCompared: 30, differences: [], warnings: [] },
	};
	const summarise = (item: Json) =>
		report('restore-database', 'Summarise Restore', [item], { 'Ask What to Restore': [[[asked]]] });

	it('says where it is, how long it took and that it was compared', () => {
		const { ok, subject, text } = summarise(RESTORED);
		expect({ ok, subject }).toEqual({ ok: true, subject: 'Restored postgres/shop into shop' });
		expect(text).toMatch(
			/took: 3\.2 s for 2\.0 MB, 30 rows\ncompared: 4 tables and 30 rows are as they were backed up/,
		);
	});

	it('says of what time the backup is, and in which time zone', () => {
		expect(summarise(RESTORED).text).toMatch(/^backup: \S+, of 2026-11-20 03:00:00 Europe\/Vienna$/m);
	});

	it('shows what differs', () => {
		const differences = [{ table: 'public.t', expected: '2 rows', found: '1 row' }];
		const details = { ...RESTORED, ok: false, countsMatch: false, differences, code: 'different', hint: null };
		const { ok, text } = summarise({ error: 'restored, but different', details });
		expect(ok).toBe(false);
		expect(text).toContain('public.t: 1 row instead of 2 rows');
	});

	it('shows why nothing was restored', () => {
		const details = { code: 'not-found', hint: 'Check the name.' };
		expect(summarise({ error: 'there is no backup', details })).toMatchObject({
			ok: false,
			subject: 'Restore of postgres/shop into shop FAILED',
			text: 'there is no backup\nCheck the name.',
		});
	});
});
