/** Histories whose plans are worth reading. */
import type { GroupContext } from '../../core/retention/facts';
import type { BackupFacts } from '../../core/retention/facts';
import { backup, checked, DAY, HOUR, series } from './facts';

export interface Scenario {
	/** Of its golden file. */
	name: string;
	title: string;
	policy: string;
	now: string;
	backups: BackupFacts[];
	contexts?: ReadonlyMap<string, GroupContext>;
}

const NOW = '2026-11-20T02:30:00Z';
const NEWEST = '2026-11-20T02:00:00Z';

export const SCENARIOS: Scenario[] = [
	{
		name: 'critical-year',
		title: 'A year of hourly backups under the preset Critical',
		policy: 'critical,zone=Europe/Berlin',
		now: NOW,
		backups: series(NEWEST, 365 * 24, 1),
	},
	{
		name: 'configuration-year',
		title: 'A year of nightly backups under the preset Configuration',
		policy: 'configuration',
		now: NOW,
		backups: series(NEWEST, 365, 24),
	},
	{
		name: 'logs',
		title: 'Two months of nightly backups under the preset Logs',
		policy: 'logs',
		now: NOW,
		backups: series(NEWEST, 60, 24),
	},
	{
		name: 'seven-days',
		title: 'Two weeks of two backups a day under the preset Seven days',
		policy: 'seven-days',
		now: NOW,
		backups: series(NEWEST, 28, 12),
	},
	{
		name: 'autumn-night-berlin',
		title: 'The night of 25 October 2026 in Berlin: the hour from two to three comes twice',
		policy: 'hourly=6,daily=2,minimum=1,zone=Europe/Berlin',
		now: '2026-10-25T03:40:00Z',
		backups: series('2026-10-25T03:30:00Z', 10, 1),
	},
	{
		name: 'spring-night-new-york',
		title: 'The night of 8 March 2026 in New York: the hour from two to three does not come',
		policy: 'hourly=6,daily=2,minimum=1,zone=America/New_York',
		now: '2026-03-08T08:40:00Z',
		backups: series('2026-03-08T08:30:00Z', 10, 1),
	},
	{
		name: 'autumn-night-lord-howe',
		title: 'The night of 5 April 2026 on Lord Howe Island: the half hour from half past one to two comes twice',
		policy: 'hourly=6,daily=2,minimum=1,zone=Australia/Lord_Howe',
		now: '2026-04-04T17:05:00Z',
		backups: series('2026-04-04T17:00:00Z', 12, 0.5),
	},
	{
		name: 'weeks-around-new-year',
		title: 'Weeks around New Year, by ISO 8601: the first days of 2027 belong to the last week of 2026',
		policy: 'weekly=4,monthly=2,yearly=2,minimum=1',
		now: '2027-01-06T02:30:00Z',
		backups: series('2027-01-06T02:00:00Z', 40, 24),
	},
	{
		name: 'chains',
		title: 'A full backup each Monday, increments in between; of the one of 8 November it is not known what it needs',
		policy: 'daily=5,weekly=3,minimum=2',
		now: '2026-11-20T02:30:00Z',
		backups: chains(),
	},
	{
		name: 'not-verified',
		title: 'The newest backup is not verified, so nothing expires',
		policy: 'daily=3',
		now: NOW,
		backups: [...series('2026-11-19T02:00:00Z', 8, 24), backup(NEWEST, { verified: false })],
	},
	{
		name: 'nothing-fits',
		title: 'Runs fail, the newest backup is bad, old and small: everything that can hold a plan back',
		policy: 'daily=3,expect-every=25h',
		now: '2026-11-22T02:30:00Z',
		backups: [
			...series('2026-11-19T02:00:00Z', 8, 24),
			backup(NEWEST, { storedBytes: 100, verified: [checked('2026-11-20T02:10:00Z', 'readable', false)] }),
		],
		contexts: new Map([['app', { lastFailure: new Date('2026-11-22T02:00:00Z') }]]),
	},
	{
		name: 'risks-taken',
		title: 'The same, with every risk allowed',
		policy: 'daily=3,expect-every=25h,allow=failed,allow=outdated,allow=shrunk',
		now: '2026-11-22T02:30:00Z',
		backups: [
			...series('2026-11-19T02:00:00Z', 8, 24),
			backup(NEWEST, { storedBytes: 100, verified: [checked('2026-11-20T02:10:00Z', 'readable', false)] }),
		],
		contexts: new Map([['app', { lastFailure: new Date('2026-11-22T02:00:00Z') }]]),
	},
	{
		name: 'bad-and-unverified',
		title: 'Backups of one day of which some are bad and some are not verified',
		policy: 'daily=30,minimum=1',
		now: NOW,
		backups: [
			backup('2026-11-10T02:00:00Z'),
			backup('2026-11-10T08:00:00Z'),
			backup('2026-11-10T14:00:00Z', { verified: false }),
			backup('2026-11-10T20:00:00Z', { verified: [checked('2026-11-11T00:00:00Z', 'restored', false)] }),
			backup('2026-11-11T02:00:00Z', {
				verified: [checked('2026-11-12T00:00:00Z', 'readable', false), checked('2026-11-13T00:00:00Z', 'restored')],
			}),
			...series(NEWEST, 3, 24),
		],
	},
	{
		name: 'pins-and-tags',
		title: 'A pin, a tag, and a bad backup that is pinned',
		policy: 'daily=3,tag=audit',
		now: NOW,
		backups: [
			backup('2026-01-01T02:00:00Z', { pinned: true }),
			backup('2026-02-01T02:00:00Z', { tags: ['audit', 'quarter'] }),
			backup('2026-03-01T02:00:00Z', { tags: ['quarter'] }),
			backup('2026-04-01T02:00:00Z', { pinned: true, verified: [checked('2026-04-02T02:00:00Z', 'stored', false)] }),
			...series(NEWEST, 6, 24),
		],
	},
	{
		name: 'two-groups',
		title: 'Two groups of which one name begins with the other; a third of a single backup',
		policy: 'daily=3',
		now: NOW,
		backups: [
			...series(NEWEST, 6, 24),
			...series('2026-11-20T02:10:00Z', 6, 24, { group: 'app-staging', verified: false }),
			backup('2026-11-20T02:20:00Z', { group: 'app-test' }),
		],
	},
	{
		name: 'wrong-clocks',
		title: 'A backup from the future, evidence from the future, two backups in one second',
		policy: 'daily=3',
		now: NOW,
		backups: [
			...series('2026-11-19T02:00:00Z', 5, 24),
			backup('2026-11-18T08:00:00Z', { verified: [checked('2099-01-01T00:00:00Z')] }),
			backup(NEWEST, { suffix: 'aaaa' }),
			backup(NEWEST, { suffix: 'bbbb' }),
			backup('2099-01-01T00:00:00Z'),
		],
	},
];

function chains(): BackupFacts[] {
	const backups: BackupFacts[] = [];
	for (let week = 0; week < 5; week++) {
		const monday = Date.parse('2026-10-19T00:00:00Z') + week * 7 * DAY;
		backups.push(backup(monday, { storedBytes: 10_000 }));
		for (let day = 1; day <= 6 && monday + day * DAY < Date.parse(NOW); day++) {
			const parents = week === 2 && day === 6 ? null : [backups.at(-1)!.label];
			backups.push(backup(monday + day * DAY + HOUR, { type: 'incremental', parents, storedBytes: 500 }));
		}
	}
	return backups;
}
