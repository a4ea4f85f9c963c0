/** The reports of drills and restores: what of a run is an alarm, and what is not. Whole runs are in test/e2e. */
import { BROKEN, failed, from, type Json, NAME, PROVED, reportOn } from '../support/report-items';

describe('the report of a drill', () => {
	const summarise = (...items: Json[]) => reportOn(from('verify', ...items));

	it('says how long a restore takes', () => {
		expect(summarise(PROVED)).toMatchObject({
			...{ ok: true, subject: 'Restore proved: postgres/shop', proved: [{ ...NAME, restoreSeconds: 1.24 }] },
			text: expect.stringContaining('restored in 1.2 s, 4 tables and 30 rows as they were backed up'),
		});
	});

	it('keeps a bad backup apart from a drill that could not be done', () => {
		expect(summarise(failed('bad', 'bytes differ'))).toMatchObject({
			...{ ok: false, subject: 'Backup BAD: postgres/shop', bad: [NAME], notProved: [] },
			text: `BAD ${NAME.group}/${NAME.label}: bytes differ\n  Do this.`,
		});
		expect(summarise(failed('environment', 'no space'))).toMatchObject({
			...{ ok: false, subject: 'Restore drill could not be done: postgres/shop', bad: [], notProved: [NAME] },
		});
		expect(summarise(BROKEN).subject).toBe('Restore drill could not be done: the drill');
	});

	it('says first what is not well', () => {
		const bad = failed('bad', 'bytes differ');
		expect(summarise(PROVED, { ...bad, details: { ...bad.details, group: 'postgres/crm' } })).toMatchObject({
			...{ ok: false, subject: 'Backup BAD: postgres/crm; Restore proved: postgres/shop' },
			text: expect.stringMatching(/^BAD .*\n.*\nproved /),
		});
	});

	it('does not say that something was restored that was only read', () => {
		const { subject, text } = summarise({ ...PROVED, depth: 'readable', comparison: null, restoreSeconds: null });
		expect(subject).toBe('Backup verified: postgres/shop');
		expect(text).toContain('not restored');
	});
});

describe('the report of a restore', () => {
	const RESTORED = {
		...{ ...NAME, ok: true, countsMatch: true, database: 'shop', restoredTo: 'shop on localhost:5432', seconds: 3.21 },
		...{ originalBytes: 2e6, rows: 30, tablesCompared: 4, rowsCompared: 30, differences: [], warnings: [] },
	};
	const summarise = (...items: Json[]) =>
		reportOn(from('restore', ...items), { about: 'postgres/shop into shop_restored' });

	it('says where it is, how long it took and that it was compared', () => {
		const { ok, subject, text } = summarise(RESTORED);
		expect({ ok, subject }).toEqual({ ok: true, subject: 'Restored postgres/shop into shop' });
		expect(text).toMatch(/took: 3\.2 s for 2\.0 MB\ncompared: 4 tables and 30 rows, as backed up/);
	});

	it('counts what its kind is made of', () => {
		const { database: _, rows: __, tablesCompared: ___, rowsCompared: ____, ...base } = RESTORED;
		const files = { ...base, group: 'files/acme', restoredTo: '/srv/acme', files: 1234 };
		const first = summarise(files);
		expect(first.subject).toBe('Restored files/acme into /srv/acme');
		expect(first.text).toContain('took: 3.2 s for 2.0 MB\ncompared: 1,234 files, as backed up');
		const bucket = { ...base, group: 'bucket/media', restoredTo: 's3://media', objects: 1 };
		expect(summarise(bucket).text).toContain('compared: 1 object, as backed up');
		const many = ['a', 'b', 'c', 'd'].map((name) => ({ ...files, group: `files/${name}` }));
		expect(summarise(...many).subject).toBe('Restored 4 sources');
	});

	it('does not say of a dry run that anything was restored', () => {
		const { subject, text } = summarise({ ...RESTORED, database: '', restoredTo: '/srv/acme', files: 3, dryRun: true });
		expect(subject).toBe('Could be restored: postgres/shop into /srv/acme');
		expect(text).toContain('nothing was written: this was a dry run for /srv/acme');
		expect(text).not.toMatch(/compared|^restored/m);
	});

	it('says of what time the backup is, and in which time zone', () => {
		expect(summarise(RESTORED).text).toMatch(/^backup: \S+, of 2026-11-20 03:00:00 Europe\/Vienna$/m);
		expect(summarise({ ...RESTORED, label: 'x' }).text).toContain('x, of an unknown time');
	});

	it('shows what differs', () => {
		const differences = [{ item: 'public.t', expected: '2 rows', found: '1 row' }];
		const details = { ...RESTORED, ok: false, countsMatch: false, differences, code: 'different', hint: null };
		const { ok, subject, text } = summarise({ error: 'restored, but different', details });
		expect({ ok, subject }).toEqual({ ok: false, subject: 'Restore of postgres/shop into shop FAILED' });
		expect(text).toContain('public.t: 1 row instead of 2 rows');
	});

	it('shows why nothing was restored', () => {
		const details = { code: 'not-found', hint: 'Check the name.' };
		expect(summarise({ error: 'there is no backup', details })).toMatchObject({
			ok: false,
			subject: 'Restore of postgres/shop into shop_restored FAILED',
			text: 'there is no backup\nCheck the name.',
		});
	});

	it('is one of several', () => {
		const { outcome, subject, counts, bytes } = summarise(RESTORED, { ...RESTORED, database: 'crm' }, BROKEN);
		expect({ outcome, restored: counts.restored, bytes: bytes.restored }).toEqual({
			...{ outcome: 'failed', restored: 2, bytes: 4e6 },
		});
		expect(subject).toBe(
			'Restore of postgres/shop into shop_restored FAILED; Restored postgres/shop into shop, postgres/shop into crm',
		);
	});
});
