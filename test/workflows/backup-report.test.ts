/** What the backup workflow makes of a run: which databases come first, and what is an alarm. Whole runs are in test/e2e. */
import {
	BACKUP,
	failed,
	failedItem,
	type Json,
	NAME,
	PROVED,
	type Report,
	report,
	runCode,
	type Runs,
} from '../support/code-nodes';

describe('the report of a backup run', () => {
	const SETTINGS = { priorityDatabases: '', retention: 'thirtyDays', priorityRetention: 'critical' };
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

	interface Round {
		priority?: boolean;
		stored?: Json[];
		/** Items on the error output of the dump. */
		notStored?: Json[];
		verified?: Json[];
		/** What the copy node gave; by default it is deactivated and passes on what it is given. */
		copied?: Json[];
		/** Whether other rounds follow. */
		last?: boolean;
	}

	/** The nodes of a round, one after the other. Nodes that are given nothing do not run again. */
	function runRounds(rounds: Round[], settings: Json = {}): Record<string, Runs> {
		const ran: Record<string, Runs> = { Settings: [[[{ ...SETTINGS, ...settings }]]] };
		const add = (name: string, ...outputs: Json[][]) => (ran[name] ??= []).push(outputs);
		add(
			'Priority First',
			rounds.map(() => ({})),
		);
		for (const [
			index,
			{ priority = false, stored = [BACKUP], notStored = [], verified = [], copied },
		] of rounds.entries()) {
			add('Round by Round', [], [{ priority, last: index === rounds.length - 1 && rounds[index]!.last !== false }]);
			add('Back Up Databases', stored, notStored);
			if (stored.length > 0) {
				add('Verify Each Backup', verified);
				const worth = verified.filter((item) => isWorthACopy((item.details ?? item) as Json));
				add('Worth a Copy', worth);
				if (worth.length > 0) add('Copy to Second Storage', copied ?? worth);
			}
			add('Results of Round', runCode<Json>('database-backup', 'Results of Round', [], { ran }));
		}
		return ran;
	}

	function summarise(
		rounds: Round[],
		{ retention = [], settings }: { retention?: Json[]; settings?: Json } = {},
	): Report {
		const ran = { ...runRounds(rounds, settings), 'Choose Groups': [[[]]] };
		return report('database-backup', 'Summarise Run', retention.length > 0 ? retention : [{}], ran);
	}

	it('says what was proved', () => {
		const { ok, outcome, subject, text, notVerified } = summarise([{ verified: [PROVED] }]);
		expect({ ok, outcome, subject, notVerified }).toEqual({
			...{ ok: true, outcome: 'ok' },
			subject: 'Backup stored: postgres/shop',
			notVerified: [],
		});
		expect(text).toContain('verified: restored in 1.2 s, 4 tables and 30 rows as they were');
		expect(summarise([{ verified: [{ ...PROVED, depth: 'readable' }] }]).text).toContain('not restored');
		expect(summarise([{ verified: [{ ...PROVED, depth: 'stored' }] }]).text).toContain('n8n has no identity');
	});

	it('raises the alarm for a backup that is bad, and copies it nowhere', () => {
		const rounds = [{ verified: [failed('bad', 'bytes differ')] }];
		expect(runRounds(rounds)['Copy to Second Storage']).toBeUndefined();
		const { ok, subject, text } = summarise(rounds);
		expect({ ok, subject }).toEqual({ ok: false, subject: 'Backup FAILED: postgres/shop' });
		expect(text).toBe('FAILED postgres/shop: the backup is bad: bytes differ\n  Do this.');
	});

	it('raises no alarm for a backup that could not be verified, but says so', () => {
		const { ok, subject, text, notVerified, noteworthy } = summarise([
			{ verified: [failed('environment', 'too large')], copied: [COPIED] },
		]);
		expect({ ok, subject, noteworthy }).toEqual({
			...{ ok: true, subject: 'Backup stored: postgres/shop, NOT VERIFIED: 1', noteworthy: true },
		});
		expect(text).toContain('NOT VERIFIED: too large\n    Do this.');
		expect(text).toContain('copied to file:///second, and read back');
		expect(notVerified).toEqual([`${NAME.group}/${NAME.label}`]);
	});

	it('takes nothing for a verification but what says how deep it looked', () => {
		expect(summarise([{ verified: [{ ...BACKUP, ok: true, status: 'stored' }] }]).notVerified).toHaveLength(1);
	});

	it('raises the alarm for a backup that is gone when it is to be verified, or that no verification could find', () => {
		const gone = { error: 'there is no such backup', details: { ...NAME, ok: false, code: 'not-found', hint: null } };
		const alarm = { ok: false, subject: 'Backup FAILED: postgres/shop' };
		expect(summarise([{ verified: [gone] }])).toMatchObject(alarm);
		const noStorage = { error: 'no such folder', details: { code: 'bucket-not-found', hint: null } };
		expect(summarise([{ verified: [noStorage] }])).toMatchObject(alarm);
	});

	it('raises the alarm for a database that was not stored, and for a run that stored nothing', () => {
		const dump = { error: 'no such database', details: { database: 'crm', code: 'database-not-found', hint: null } };
		expect(summarise([{ verified: [PROVED], notStored: [dump] }])).toMatchObject({
			...{ ok: false, outcome: 'failed', subject: 'Backup FAILED: crm; stored: 1' },
		});
		const findings = [{ check: 'storage', ok: false, message: 'full' }];
		const check = { summary: '1 of 3 checks failed: full', ok: false, findings, databases: [] };
		const ran = { Settings: [[[SETTINGS]]] };
		expect(report('database-backup', 'Summarise Run', [check], ran)).toMatchObject({
			...{ ok: false, subject: 'Backup FAILED: storage', text: 'FAILED storage: full' },
		});
	});

	it('is degraded when a copy failed, and says what is where', () => {
		const { ok, outcome, subject, text, noteworthy } = summarise([{ verified: [PROVED], copied: [NOT_COPIED] }]);
		expect({ ok, outcome, subject, noteworthy }).toEqual({
			...{ ok: true, outcome: 'degraded', noteworthy: true },
			subject: 'Backup DEGRADED: not copied: postgres/shop; stored: 1',
		});
		expect(text).toContain('NOT COPIED to file:///second: no space\n    Do this.');
	});

	it('is degraded when the copy node could not even begin', () => {
		const broken = { error: 'no credential', details: { code: 'internal', hint: null } };
		expect(summarise([{ verified: [PROVED], copied: [broken] }])).toMatchObject({
			...{ outcome: 'degraded', text: expect.stringContaining('NOT COPIED to the second storage: no credential') },
		});
	});

	it('takes no copy of an earlier round for one of this round', () => {
		const crm = { ...BACKUP, group: 'postgres/crm' };
		const lost = { error: 'no such database', details: { database: 'crm', hint: null } };
		const rounds = [
			{ priority: true, verified: [PROVED], copied: [NOT_COPIED] },
			{ stored: [crm], verified: [{ ...PROVED, group: crm.group }], copied: [{ ...COPIED, group: crm.group }] },
		];
		expect(summarise(rounds).notCopied).toEqual(['postgres/shop']);
		expect(summarise([rounds[0]!, { stored: [], notStored: [lost] }])).toMatchObject({
			...{ outcome: 'failed', notCopied: ['postgres/shop'], subject: '[PRIORITY] Backup FAILED: crm; stored: 1' },
		});
	});

	it('marks what concerns a priority database in the subject', () => {
		const lost = { error: 'no such database', details: { database: 'shop', hint: null } };
		expect(summarise([{ priority: true, stored: [], notStored: [lost] }])).toMatchObject({
			...{ subject: '[PRIORITY] Backup FAILED: shop', text: 'FAILED priority shop: no such database' },
		});
		expect(summarise([{ priority: true, verified: [{ ...PROVED, depth: 'readable' }] }])).toMatchObject({
			...{
				ok: true,
				outcome: 'degraded',
				subject: '[PRIORITY] Backup DEGRADED: not restored: postgres/shop; stored: 1',
			},
		});
		const others = { stored: [{ ...BACKUP, group: 'postgres/crm' }], notStored: [lost] };
		const rounds = [
			{ priority: true, verified: [PROVED] },
			{ ...others, verified: [{ ...PROVED, group: 'postgres/crm' }] },
		];
		expect(summarise(rounds).subject).toBe('Backup FAILED: shop; stored: 2');
	});

	it('says so before the run ends when a priority database is not well', () => {
		const lost = { error: 'no such database', details: { database: 'shop', hint: null } };
		const ran = runRounds([{ priority: true, stored: [], notStored: [lost], last: false }]);
		const alert = report('database-backup', 'Summarise Run', [{}], ran);
		expect(alert).toMatchObject({ ok: false, ended: false, subject: '[PRIORITY] Backup FAILED: shop' });
		expect(alert.text).toContain('The other databases are still being backed up');
	});

	it('says what each policy keeps, removes and frees, and why', () => {
		const { outcome, noteworthy, text } = summarise([{ verified: [PROVED] }], { retention: [KEPT] });
		expect({ outcome, noteworthy }).toEqual({ outcome: 'ok', noteworthy: false });
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
		const { outcome, noteworthy, subject, text } = summarise([{ verified: [PROVED] }], { retention: [item] });
		expect({ outcome, noteworthy }).toEqual({ outcome: 'ok', noteworthy: true });
		expect(subject).toBe('Backup stored: postgres/shop, retention BLOCKED: postgres/shop');
		expect(text).toContain('held back 1\n  nothing was removed: the newest backup is far smaller\n    Look at it.');
	});

	it('is degraded when retention failed', () => {
		const item = failedItem('locked by another run', {
			group: NAME.group,
			policy: 'thirtyDays',
			ok: false,
			status: 'failed',
		});
		expect(summarise([{ verified: [PROVED] }], { retention: [item] })).toMatchObject({
			...{ ok: true, outcome: 'degraded', subject: 'Backup DEGRADED: retention failed: postgres/shop; stored: 1' },
		});
	});
});

/** What the filter "Worth a Copy" lets through when all databases are to be copied. */
function isWorthACopy({ outcome }: Json): boolean {
	return outcome === 'ok' || outcome === 'environment';
}

describe('the databases of a backup run', () => {
	const rounds = (priorityDatabases: string, ...names: string[]) => {
		const item = { databases: names.map((database) => ({ database })) };
		const ran = { Settings: [[[{ priorityDatabases }]]] };
		type Found = { priority: boolean; databases: string[]; last: boolean };
		const found = runCode<Found>('database-backup', 'Priority First', [item], { ran });
		return found.map(({ priority, databases, last }) => [priority ? 'priority' : 'other', databases.join(), last]);
	};

	it('begin with those of priority, by name or pattern', () => {
		expect(rounds('shop, crm_*', 'app', 'crm_eu', 'shop', 'shop2')).toEqual([
			['priority', 'crm_eu,shop', false],
			['other', 'app,shop2', true],
		]);
		expect(rounds('*, !app?', 'app', 'app1')).toEqual([
			['priority', 'app', false],
			['other', 'app1', true],
		]);
		expect(rounds('', 'app')).toEqual([['other', 'app', true]]);
		expect(rounds('a.p', 'app', 'a.p').at(-1)).toEqual(['other', 'app', true]);
	});

	it('are those of priority in hourly runs, which fail where there are none instead of doing nothing every hour', () => {
		const choose = (trigger: string, settings: Json) =>
			runCode<Json>('database-backup', 'Choose Databases', [], {
				ran: { [trigger]: [[[{}]]], Settings: [[[settings]]] },
			});
		const settings = { databases: '', priorityDatabases: 'shop, crm' };
		expect(choose('Every Hour', settings)).toEqual([{ databases: 'shop, crm', by: 'list' }]);
		expect(choose('Every Night', settings)).toEqual([{ databases: '', by: 'all' }]);
		expect(choose('Every Night', { ...settings, databases: '*' })).toEqual([{ databases: '*', by: 'pattern' }]);
		expect(() => choose('Every Hour', { ...settings, priorityDatabases: ' ' })).toThrow(/name some, or deactivate/);
	});
});
