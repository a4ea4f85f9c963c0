/** The reports that the workflow templates make: what of a run is an alarm, and what is not. Whole runs are in test/e2e. */
import fs from 'node:fs';
import path from 'node:path';
import { compileFunction } from 'node:vm';

type Json = Record<string, unknown>;
interface Report {
	ok: boolean;
	subject: string;
	text: string;
	notVerified?: string[];
}

/**
 * Runs a Code node of a template.
 * @param items what reaches it
 * @param ran what other nodes that ran gave on their first output
 */
function report(template: string, node: string, items: Json[], ran: Record<string, Json[]> = {}): Report {
	const text = fs.readFileSync(path.join(__dirname, '..', 'workflows', `${template}.json`), 'utf8');
	const { nodes } = JSON.parse(text) as { nodes: Array<{ name: string; parameters: { jsCode?: string } }> };
	const { jsCode } = nodes.find(({ name }) => name === node)!.parameters;
	const wrap = (list: Json[]) => list.map((json) => ({ json }));
	const of = (name: string) => ({
		isExecuted: name in ran,
		all: () => wrap(ran[name]!),
		first: () => wrap(ran[name]!)[0],
	});
	const run = compileFunction(jsCode!, ['$input', '$', '$workflow', '$execution']) as (
		...args: unknown[]
	) => [{ json: Report }];
	return run({ all: () => wrap(items) }, of, { name: 'w' }, { id: '1' })[0].json;
}

const BACKUP = {
	...{ group: 'postgres/shop', label: '20261120T020000Z-full-k3f9', originalBytes: 2e6, storedBytes: 1e6, tables: 4 },
	...{ durationSeconds: 1.5, location: '/backups', encrypted: true, warnings: [] },
};
const NAME = { group: BACKUP.group, label: BACKUP.label };
const PROVED = {
	...NAME,
	...{
		ok: true,
		outcome: 'ok',
		depth: 'restored',
		restoreSeconds: 1.24,
		seconds: 2,
		scratch: 'embedded',
		warnings: [],
	},
	comparison: { ok: true, tables: 4, rows: 30, hashed: 0, largeObjects: 0, differences: [] },
};
const failed = (outcome: string, error: string) => ({
	error,
	details: { ...NAME, ok: false, outcome, hint: 'Do this.' },
});

describe('the report of a backup run', () => {
	const summarise = (items: Json[], stored: Json[] = [BACKUP]) =>
		report('database-backup', 'Summarise Run', items, { 'Back Up Databases': stored });

	it('says what was proved', () => {
		const { ok, subject, text, notVerified } = summarise([PROVED]);
		expect({ ok, subject, notVerified }).toEqual({
			ok: true,
			subject: 'Backup stored: postgres/shop',
			notVerified: [],
		});
		expect(text).toContain('verified: restored in 1.2 s, 4 tables and 30 rows as they were');
		expect(summarise([{ ...PROVED, depth: 'readable' }]).text).toContain('not restored');
		expect(summarise([{ ...PROVED, depth: 'stored' }]).text).toContain('n8n has no identity');
	});

	it('raises the alarm for a backup that is bad', () => {
		const { ok, subject, text } = summarise([failed('bad', 'bytes differ')]);
		expect({ ok, subject }).toEqual({ ok: false, subject: 'Backup FAILED: postgres/shop' });
		expect(text).toBe('FAILED postgres/shop: the backup is bad: bytes differ\n  Do this.');
	});

	it('raises no alarm for a backup that could not be verified, but says so', () => {
		const { ok, subject, text, notVerified } = summarise([failed('environment', 'too large')]);
		expect({ ok, subject }).toEqual({ ok: true, subject: 'Backup stored: postgres/shop, NOT VERIFIED: 1' });
		expect(text).toContain('NOT VERIFIED: too large\n    Do this.');
		expect(notVerified).toEqual([`${NAME.group}/${NAME.label}`]);
	});

	it('raises the alarm for a backup that is gone when it is to be verified', () => {
		const gone = { error: 'there is no such backup', details: { ...NAME, ok: false, code: 'not-found', hint: null } };
		expect(summarise([gone])).toMatchObject({ ok: false, subject: expect.stringContaining('FAILED: postgres/shop') });
	});

	it('raises the alarm for a database that was not stored, and for a run that stored nothing', () => {
		const dump = { error: 'no such database', details: { database: 'crm', code: 'database-not-found', hint: null } };
		expect(summarise([PROVED, dump])).toMatchObject({ ok: false, subject: 'Backup FAILED: crm; stored: 1' });
		const check = { ok: false, findings: [{ check: 'storage', ok: false, message: 'full' }], databases: [] };
		expect(report('database-backup', 'Summarise Run', [check])).toMatchObject({
			ok: false,
			text: 'FAILED storage: full',
		});
	});
});

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
		report('restore-database', 'Summarise Restore', [item], { 'Ask What to Restore': [asked] });

	it('says where it is, how long it took and that it was compared', () => {
		const { ok, subject, text } = summarise(RESTORED);
		expect({ ok, subject }).toEqual({ ok: true, subject: 'Restored postgres/shop into shop' });
		expect(text).toMatch(
			/took: 3\.2 s for 2\.0 MB, 30 rows\ncompared: 4 tables and 30 rows are as they were backed up/,
		);
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
