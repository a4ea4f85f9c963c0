/** The report of a backup run: what of it is an alarm, and what is told. Whole runs are in test/e2e. */
import type { ReportItem } from '../../core/report/items';
import type { ReportRequest } from '../../core/report/run-report';
import {
	BACKUP,
	BROKEN,
	CRM,
	CRM_PROVED,
	failed,
	failedItem,
	from,
	type Json,
	lost,
	NAME,
	PROVED,
	reportOn,
} from '../support/report-items';

const COPIED = { ...NAME, ok: true, status: 'copied', destination: 'file:///second', message: 'copied' };
const NOT_COPIED = failedItem('no space', { ...NAME, ok: false, status: 'failed', destination: 'file:///second' });
const KEPT = {
	...{ ok: true, status: 'applied', group: NAME.group, policy: 'thirtyDays', kept: 2, expired: 1, held: 0 },
	...{ keptBytes: 2e6, freedBytes: 1e6, removed: ['a'], resumed: [], skipped: [], blocked: [], warnings: [] },
	reasons: [
		{ label: 'a', action: 'expire', reasons: ['older than anything the policy keeps'] },
		{ label: 'b', action: 'keep', reasons: ['within 30d', 'pinned'] },
		{ label: 'c', action: 'keep', reasons: ['within 30d'] },
	],
	nextExpiry: { label: 'b', at: '2026-12-20T02:00:00.000Z' },
};

interface Run {
	stored?: Json[];
	/** Items on the error output of the dump. */
	notStored?: Json[];
	verified?: Json[];
	copied?: Json[];
	retention?: Json[];
}

const itemsOf = ({
	stored = [BACKUP],
	notStored = [],
	verified = [],
	copied = [],
	retention = [],
}: Run): ReportItem[] => [
	...from('dump', ...stored, ...notStored),
	...from('verify', ...verified),
	...from('copy', ...copied),
	...from('retention', ...retention),
];
const summarise = (run: Run, more: Partial<ReportRequest> = {}) => reportOn(itemsOf(run), more);

it('says what was proved', () => {
	expect(summarise({ verified: [PROVED] })).toMatchObject({
		...{ ok: true, outcome: 'ok', subject: 'Backup ok: postgres/shop', notVerified: [], noteworthy: [] },
		text: expect.stringContaining('verified: restored in 1.2 s, 4 tables and 30 rows as they were'),
	});
	expect(summarise({ verified: [{ ...PROVED, depth: 'readable' }] }).text).toContain('not restored');
	expect(summarise({ verified: [{ ...PROVED, depth: 'stored' }] }).text).toContain('n8n has no identity');
});

it('raises the alarm for a backup that is bad', () => {
	expect(summarise({ verified: [failed('bad', 'bytes differ')] })).toMatchObject({
		...{ ok: false, subject: 'Backup FAILED: postgres/shop', tell: true },
		text: 'FAILED postgres/shop: the backup is bad: bytes differ\n  Do this.',
	});
});

it('raises no alarm for a backup that could not be verified, but says so', () => {
	const { text, ...report } = summarise({ verified: [failed('environment', 'too large')], copied: [COPIED] });
	expect(report).toMatchObject({
		...{ ok: true, outcome: 'ok', subject: 'Backup ok: postgres/shop, NOT VERIFIED: 1', tell: true },
		notVerified: [`${NAME.group}/${NAME.label}`],
	});
	expect(text).toContain('NOT VERIFIED: too large\n    Do this.');
	expect(text).toContain('copied to file:///second, and read back');
});

it('says so for a backup that could not be verified also where that is no error of the node', () => {
	const plain = { ...PROVED, ok: false, outcome: 'environment', message: 'too large', hint: null };
	expect(summarise({ verified: [plain] })).toMatchObject({ ok: true, notVerified: [expect.any(String)] });
});

it('takes nothing for a verification but what says how deep it looked', () => {
	const report = summarise({ verified: [{ ...BACKUP }] });
	expect(report).toMatchObject({ notVerified: [expect.any(String)], counts: { stored: 1 } });
});

it('counts once what a node that is deactivated passes on', () => {
	const report = summarise({ verified: [PROVED], copied: [PROVED], retention: [PROVED, BACKUP] });
	expect(report).toMatchObject({ outcome: 'ok', counts: { stored: 1, otherItems: 0 }, seconds: { verification: 2 } });
});

it('raises the alarm for a backup that is gone when it is to be verified, or that no verification could find', () => {
	const gone = failedItem('there is no such backup', { ...NAME, ok: false, depth: 'restored', code: 'not-found' });
	const alarm = { ok: false, subject: 'Backup FAILED: postgres/shop' };
	expect(summarise({ verified: [gone] })).toMatchObject(alarm);
	expect(summarise({ verified: [BROKEN] })).toMatchObject(alarm);
});

it('raises the alarm for a database that was not stored, and for a run that stored nothing', () => {
	expect(summarise({ verified: [PROVED], notStored: [lost('crm')] })).toMatchObject({
		...{ ok: false, outcome: 'failed', subject: 'Backup FAILED: crm; stored: 1' },
	});
	const findings = [{ check: 'storage', ok: false, message: 'full' }];
	const check = { summary: '1 of 3 checks failed: full', ok: false, findings, databases: [] };
	const alarm = { ok: false, subject: 'Backup FAILED: storage', text: 'FAILED storage: full' };
	expect(reportOn(from('dump', check))).toMatchObject(alarm);
	expect(reportOn(from('dump', { error: 'full', details: { findings, databases: [] } }))).toMatchObject(alarm);
	expect(reportOn(from('dump', { findings: [], databases: [] })).outcome).toBe('failed');
});

it('takes a check that was passed for no backup', () => {
	const finding = { check: 'server', ok: true, message: 'version 18' };
	const check = { ok: true, findings: [finding], databases: [{ database: 'shop', findings: [finding] }] };
	expect(reportOn(from(undefined, check))).toMatchObject({ outcome: 'ok', subject: 'Check ok', counts: { stored: 0 } });
	expect(reportOn([...from(undefined, check), ...from('dump', lost('shop'))]).subject).toBe('Backup FAILED: shop');
});

it('is degraded when a copy failed, and says what is where', () => {
	const { text, ...report } = summarise({ verified: [PROVED], copied: [NOT_COPIED] });
	expect(report).toMatchObject({
		...{ ok: true, outcome: 'degraded', tell: true, notCopied: ['postgres/shop'] },
		subject: 'Backup DEGRADED: not copied: postgres/shop; stored: 1',
	});
	expect(text).toContain('NOT COPIED to file:///second: no space\n    Do this.');
});

it('is degraded when the copy node could not even begin', () => {
	const broken = { error: 'no credential', details: { code: 'internal', hint: null } };
	expect(summarise({ verified: [PROVED], copied: [broken] })).toMatchObject({
		...{ outcome: 'degraded', text: expect.stringContaining('NOT COPIED to the second storage: no credential') },
	});
});

it('takes the copy of one backup for no copy of another', () => {
	const run = {
		stored: [BACKUP, CRM],
		verified: [PROVED, CRM_PROVED],
		copied: [NOT_COPIED, { ...COPIED, group: CRM.group }],
	};
	expect(summarise(run).notCopied).toEqual(['postgres/shop']);
	const more = { verified: [PROVED], copied: [NOT_COPIED], notStored: [lost('crm')] };
	expect(summarise(more, { priority: ['shop'] })).toMatchObject({
		...{ outcome: 'failed', notCopied: ['postgres/shop'], subject: '[PRIORITY] Backup FAILED: crm; stored: 1' },
	});
});

it('counts copies also of backups that other runs have made', () => {
	expect(reportOn(from('copy', COPIED))).toMatchObject({ outcome: 'ok', subject: 'Copy ok: postgres/shop' });
	expect(reportOn(from('copy', COPIED, { ...NOT_COPIED, error: 'no room' })).subject).toBe(
		'Copy DEGRADED: not copied: postgres/shop',
	);
	expect(reportOn(from('copy', NOT_COPIED))).toMatchObject({ ok: false, subject: 'Copy FAILED: postgres/shop' });
	const nothing = { ok: true, status: 'present', group: null, label: null, destination: 'file:///second', bytes: 0 };
	expect(reportOn(from('copy', nothing))).toMatchObject({ ok: true, subject: 'Copy ok: nothing was missing' });
});

it('marks what concerns a priority database in the subject', () => {
	const priority = ['shop'];
	expect(summarise({ stored: [], notStored: [lost('shop')] }, { priority })).toMatchObject({
		...{ subject: '[PRIORITY] Backup FAILED: shop', text: 'FAILED priority shop: no such database' },
	});
	expect(summarise({ verified: [{ ...PROVED, depth: 'readable' }] }, { priority })).toMatchObject({
		...{ ok: true, outcome: 'degraded', notRestored: ['postgres/shop'] },
		subject: '[PRIORITY] Backup DEGRADED: not restored: postgres/shop; stored: 1',
	});
	const others = { stored: [BACKUP, CRM], verified: [PROVED, CRM_PROVED], notStored: [lost('app')] };
	expect(summarise(others, { priority }).subject).toBe('Backup FAILED: app; stored: 2');
	expect(summarise(others, { priority: ['*', '!app'] }).subject).toBe('Backup FAILED: app; stored: 2');
	expect(summarise(others, { priority: ['!shop'] }).subject).toBe('[PRIORITY] Backup FAILED: app; stored: 2');
	// Where n8n has no identity, nothing can be restored here, and that was chosen.
	const unproved = { stored: [{ ...BACKUP, proved: false }], verified: [{ ...PROVED, depth: 'stored' }] };
	expect(summarise(unproved, { priority }).outcome).toBe('ok');
});

it('says of a priority database that lies in one place only', () => {
	expect(summarise({ verified: [PROVED] }, { priority: ['shop'] }).text).toContain('in one location only');
	expect(summarise({ verified: [PROVED], copied: [COPIED] }, { priority: ['shop'] }).text).not.toContain('only');
	expect(summarise({ verified: [PROVED] }).text).not.toContain('in one location only');
});

it('says so before the run ends when a priority database is not well, and nothing when it is', () => {
	const more = { priority: ['shop'], moreToCome: true, tellSuccesses: true };
	const alert = summarise({ stored: [], notStored: [lost('shop')] }, more);
	expect(alert).toMatchObject({ ok: false, ended: false, tell: true, subject: '[PRIORITY] Backup FAILED: shop' });
	expect(alert.text).toContain('The other databases are still being backed up');
	expect(summarise({ verified: [PROVED] }, more)).toMatchObject({ ok: true, ended: false, tell: false });
});

it('tells of successes only those who want to hear of them', () => {
	expect(summarise({ verified: [PROVED] })).toMatchObject({ tell: false, ended: true });
	expect(summarise({ verified: [PROVED] }, { tellSuccesses: true }).tell).toBe(true);
});

it('says what each policy keeps, removes and frees, and why', () => {
	const { outcome, tell, text } = summarise({ verified: [PROVED], retention: [KEPT] });
	expect({ outcome, tell }).toEqual({ outcome: 'ok', tell: false });
	expect(text).toContain(
		[
			'retention postgres/shop, thirtyDays: kept 2 (2.0 MB), removed 1 (1.0 MB freed); the next one expires 2026-12-20 UTC',
			'  kept: 2 × within, 1 × pinned',
			'  expired a: older than anything the policy keeps',
		].join('\n'),
	);
});

it('reports a blocked group always, and why nothing of it was removed', () => {
	const blocked = [{ risk: 'shrunk', message: 'the newest backup is far smaller', hint: 'Look at it.' }];
	const item = { ...KEPT, ok: false, status: 'blocked', removed: [], held: 1, kept: 3, blocked };
	const { outcome, tell, subject, text } = summarise({ verified: [PROVED], retention: [item] });
	expect({ outcome, tell }).toEqual({ outcome: 'ok', tell: true });
	expect(subject).toBe('Backup ok: postgres/shop, retention BLOCKED: postgres/shop');
	expect(text).toContain('held back 1');
	expect(text).toContain('\n  nothing is removed: the newest backup is far smaller\n    Look at it.');
	expect(text).not.toContain('expired a');
});

it('is degraded when retention failed', () => {
	const facts = { group: NAME.group, policy: 'thirtyDays', ok: false, status: 'failed' };
	const item = failedItem('locked by another run', facts);
	expect(summarise({ verified: [PROVED], retention: [item] })).toMatchObject({
		...{ ok: true, outcome: 'degraded', subject: 'Backup DEGRADED: retention failed: postgres/shop; stored: 1' },
	});
});

it('names at most three databases in the subject, and counts the others', () => {
	const many = Array.from({ length: 50 }, (_, n) => ({ ...BACKUP, group: `postgres/db${n}`, database: `db${n}` }));
	const verified = many.map(({ group }) => ({ ...PROVED, group }));
	expect(summarise({ stored: many, verified }).subject).toBe('Backup ok: 50 databases');
	const others = many.map(({ database: _, ...backup }) => backup);
	expect(summarise({ stored: others, verified }).subject).toBe('Backup ok: 50 groups');
	const copied = many.map(({ group }) => failedItem('full', { ...COPIED, group }));
	expect(summarise({ stored: many, verified, copied }).subject).toBe(
		'Backup DEGRADED: not copied: postgres/db0, postgres/db1, postgres/db2 and 47 more; stored: 50',
	);
	const notStored = many.map(({ database }) => ({ ...lost(database), error: 'the server went away '.repeat(5) }));
	const { subject, text, details } = summarise({ stored: [], notStored });
	expect(subject).toBe('Backup FAILED: db0, db1, db2 and 47 more');
	expect(text).toContain('and 40 more');
	expect(text.length).toBeLessThan(2500);
	expect(details.split('\n')).toHaveLength(50);
});
