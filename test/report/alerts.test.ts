/** Alerts: each thing is told once, worse ones again, recoveries too, and a reminder after a day. */
import { Readable } from 'node:stream';
import { alertReport } from '../../core/report/alerts';
import { readTold, type Told, writeTold } from '../../core/records/told';
import { MemoryStorage } from '../../core/storage/memory';

const HOUR = 3_600_000;
const START = Date.UTC(2026, 10, 27, 12);

function health(...reasons: Array<[group: string, code: string, severity: 'warning' | 'critical']>) {
	const groups = Map.groupBy(reasons, ([group]) => group);
	return {
		verdict: reasons.length > 0 ? 'critical' : 'ok',
		sentence: 'The sentence.',
		groups: [...groups].map(([group, all]) => ({
			group,
			reasons: all.map(([, code, severity]) => ({ code, severity, text: `${code} of it`, todo: 'Do something.' })),
		})),
		storages: [],
	};
}

let told: Told = {};
beforeEach(() => (told = {}));

function look(hours: number, found: unknown, more: Partial<Parameters<typeof alertReport>[0]> = {}) {
	const report = alertReport({ health: found, told, now: new Date(START + hours * HOUR), ...more });
	({ told } = report);
	return report;
}

it('tells what is new, once, and that it recovered, once', () => {
	expect(look(0, health())).toMatchObject({ tell: false, outcome: 'ok' });
	const first = look(1, health(['postgres/shop', 'late', 'warning']));
	expect(first).toMatchObject({ tell: true, outcome: 'degraded', subject: 'Backups WARNING: 1 new, 1 open' });
	expect(first.text).toContain('WARNING postgres/shop: late of it. Do something.');
	expect(look(1.25, health(['postgres/shop', 'late', 'warning']))).toMatchObject({ tell: false });
	const recovered = look(2, health());
	expect(recovered).toMatchObject({ tell: true, outcome: 'ok', subject: 'Backups OK: 1 recovered', ok: true });
	expect(recovered.text).toContain('RECOVERED postgres/shop: late of it');
	expect(look(3, health())).toMatchObject({ tell: false });
});

it('tells of groups of priority first, and says so in the subject, as long as there is news of them', () => {
	const more = { isPriority: (group: string) => group === 'postgres/shop' };
	const found = health(['files/www', 'late', 'critical'], ['postgres/shop', 'late', 'warning']);
	const first = look(0, found, more);
	expect(first.subject).toBe('[PRIORITY] Backups CRITICAL: 2 new, 2 open');
	expect(first.text).toMatch(/WARNING priority postgres\/shop: late.*CRITICAL files\/www/s);
	const other = health(
		['files/www', 'late', 'critical'],
		['files/www', 'failed', 'critical'],
		['postgres/shop', 'late', 'warning'],
	);
	expect(look(1, other, more).subject).toBe('Backups CRITICAL: 1 new, 3 open');
});

it('tells what got worse, and reminds after a day', () => {
	look(0, health(['postgres/shop', 'late', 'warning']));
	expect(look(1, health(['postgres/shop', 'late', 'critical']))).toMatchObject({
		tell: true,
		counts: { worse: 1 },
		ok: false,
	});
	expect(look(24.5, health(['postgres/shop', 'late', 'critical']))).toMatchObject({ tell: false });
	expect(look(25, health(['postgres/shop', 'late', 'critical']))).toMatchObject({
		tell: true,
		counts: { reminded: 1 },
	});
	expect(told['postgres/shop late']!.since).toBe(new Date(START).toISOString());
	expect(look(26, health(['postgres/shop', 'late', 'warning']))).toMatchObject({ tell: false });
});

it('tells only what changed, and all of it in a summary', () => {
	look(0, health(['a', 'late', 'warning'], ['b', 'bad', 'critical']));
	const more = look(1, health(['a', 'late', 'warning'], ['b', 'bad', 'critical'], ['c', 'bad', 'critical']));
	expect(more.text).not.toMatch(/\ba: /);
	expect(more.subject).toBe('Backups CRITICAL: 1 new, 3 open');
	const summary = look(2, health(['a', 'late', 'warning'], ['b', 'bad', 'critical']), { summary: true });
	expect(summary.subject).toBe('Backups CRITICAL: The sentence.');
	expect(summary.text).toMatch(/STILL a[^]*STILL b/);
	expect(look(3, health(), { summary: true })).toMatchObject({ tell: true });
});

it('what is no health is a trouble, and hostile values are harmless', () => {
	expect(look(0, { x: 1 })).toMatchObject({ tell: true, ok: false });
	const evil = '<img src=x onerror=alert(1)>\u001b[31m<!channel>\nFAILED postgres/other: lie'.repeat(100);
	const report = look(1, health([evil, 'bad', 'critical']));
	expect(report.html).not.toContain('<img');
	expect(report.html).not.toContain('\u001b');
	expect(report.telegram).not.toContain('<img');
	expect(JSON.stringify(report.slackBlocks)).not.toContain('<!channel>');
	expect(report.subject.length).toBeLessThan(201);
	expect(report.text.split('\n').filter((line) => line.startsWith('FAILED'))).toEqual([]);
});

it('what was told lies in the storage: one object, newest counts, and of two at once one tells', async () => {
	const storage = new MemoryStorage();
	const keys = async () => {
		const all: string[] = [];
		for await (const { key } of storage.list('')) all.push(key);
		return all;
	};
	const at = new Date(START).toISOString();
	const none = await readTold(storage);
	expect(none).toEqual({ alerts: {}, next: 1, key: null });
	look(0, health(['postgres/shop', 'late', 'warning']));
	expect(await writeTold(storage, none, told)).toBe(true);
	expect(await writeTold(storage, none, {})).toBe(false);
	const stored = await readTold(storage);
	expect(stored).toEqual({ alerts: told, next: 2, key: 'monitoring/told-00000001.json' });
	expect(await writeTold(storage, stored, {})).toBe(true);
	expect(await keys()).toEqual(['monitoring/told-00000002.json']);
	const long = { a: { severity: 'warning', text: 'x'.repeat(3000), since: at, toldAt: at } } as const;
	expect(await writeTold(storage, await readTold(storage), long)).toBe(true);
	expect((await readTold(storage)).alerts).toEqual({ a: { ...long.a, text: 'x'.repeat(2000) } });
	await storage.write('monitoring/told-00000004.json', Readable.from([Buffer.from('{"format":1,"alerts":{"a":1}}')]));
	expect(await readTold(storage)).toMatchObject({ alerts: {}, next: 5 });
});
