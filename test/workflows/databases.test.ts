/** Which databases the backup workflow backs up, and which come first. Whole runs are in test/e2e. */
import { evaluate, type Json, runCode } from '../support/code-nodes';

const OK = { check: 'server', ok: true, message: 'version 18' };
const BAD = { check: 'storage', ok: false, message: 'full' };

describe('the databases of a backup run', () => {
	const rounds = (priorityDatabases: string, ...names: string[]) => {
		const item = { findings: [OK], databases: names.map((database) => ({ database, findings: [OK] })) };
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

	it('are none where the check found no usable server, storage or key, and all where only one of them is not usable', () => {
		const ran = { Settings: [[[{ priorityDatabases: '' }]]] };
		const choose = (item: Json) =>
			runCode<{ databases: string[] }>('database-backup', 'Priority First', [item], { ran });
		const shop = { database: 'shop', findings: [OK] };
		const crm = { database: 'crm', findings: [OK, BAD] };
		expect(() => choose({ findings: [OK, BAD], databases: [shop] })).toThrow('the check was not passed');
		expect(() => choose({ findings: [OK], databases: [crm] })).toThrow('the check was not passed');
		expect(() => choose({ findings: [OK], databases: [] })).toThrow('the check was not passed');
		expect(choose({ findings: [OK], databases: [crm, shop] })[0]!.databases).toEqual(['crm', 'shop']);
	});
});

describe('a backup of a run is copied', () => {
	const isCopied = (item: Json, { copyOthers = true, priority = false } = {}) => {
		const settings = { json: { copyOthers } };
		const rounds = [{ json: { priority: true, databases: priority ? ['shop'] : [] } }];
		const nodes: Record<string, object> = {
			Settings: { first: () => settings },
			'Priority First': { all: () => rounds },
			'Back Up Databases': { item: { json: { database: 'shop' } } },
		};
		return evaluate('database-backup', 'Worth a Copy', { $json: item, $: (name: string) => nodes[name] });
	};
	const error = (outcome?: string) => ({ error: 'x', details: { outcome } });

	it('unless it is bad or gone; one that could not be verified is copied too', () => {
		expect(isCopied({ outcome: 'ok' })).toBe(true);
		expect(isCopied({ outcome: 'environment' })).toBe(true);
		expect(isCopied(error('environment'))).toBe(true);
		expect(isCopied(error('bad'))).toBe(false);
		expect(isCopied(error())).toBe(false);
	});

	it('always when it is of a priority database, and otherwise where that is wanted', () => {
		expect(isCopied({ outcome: 'ok' }, { copyOthers: false })).toBe(false);
		expect(isCopied({ outcome: 'ok' }, { copyOthers: false, priority: true })).toBe(true);
	});
});
