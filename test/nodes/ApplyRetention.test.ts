import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type IDataObject, type INodeProperties, type INodePropertyOptions, NodeOperationError } from 'n8n-workflow';
import { acquireLock } from '../../core/records/locks/lock';
import { Repository } from '../../core/records/repository';
import { POLICY_PRESETS, RISKS } from '../../core/retention/policy';
import { createStorage } from '../../core/storage/create';
import type { Storage } from '../../core/storage/storage';
import { ApplyRetention } from '../../nodes/ApplyRetention/ApplyRetention.node';
import type { BuildOptions } from '../support/build-backup';
import { addBackup, addOrphan, keysOf } from '../support/dated-backups';
import { ACTOR, fakeContext, type FakeNode } from '../support/fake-node';
import { runsIn } from '../support/runs';

const node = new ApplyRetention();
const APP = 'postgres/app';
const STAGING = 'postgres/app-staging';
const DAY_MS = 24 * 3_600_000;
const LAST_TWO = { policy: 'custom', keep: { last: 2 }, options: { minimum: 1 } };

let folder: string;
let storage: Storage;
let repository: Repository;

beforeEach(async () => {
	folder = mkdtempSync(join(tmpdir(), 'apply-retention-'));
	storage = createStorage({ type: 'folder', path: folder });
	repository = await Repository.open(storage, { create: true });
});

afterEach(async () => {
	await storage.close();
	rmSync(folder, { recursive: true, force: true });
});

async function run(parameters: Record<string, unknown>, more: Partial<FakeNode> = {}) {
	const defaults = { operation: 'plan', choose: 'all', policy: 'critical', options: {} };
	const credentials = { backupStorageApi: { type: 'folder', path: folder } };
	const fake = fakeContext({ parameters: { ...defaults, ...parameters }, credentials, ...more });
	const [items] = await node.execute.call(fake.context);
	return { items: items!, json: items!.map((item) => item.json), ...fake };
}

/** One backup a day, the last one an hour ago. @returns labels, oldest first */
async function addDaily(group: string, days: number, more: Omit<BuildOptions, 'at'> = {}): Promise<string[]> {
	const labels: string[] = [];
	for (let day = days - 1; day >= 0; day--) labels.push(await addDaysAgo(group, day, more));
	return labels;
}

async function addDaysAgo(group: string, days: number, more: Omit<BuildOptions, 'at'> = {}): Promise<string> {
	const at = new Date(Date.now() - days * DAY_MS - 3_600_000).toISOString();
	return await addBackup(repository, { group, at, ...more });
}

const labelsOf = async (group: string) => (await repository.list(group)).map(({ label }) => label);

function field(name: string, among: INodeProperties[] = node.description.properties): INodeProperties {
	return among.find((each) => each.name === name)!;
}

const valuesOf = ({ options }: INodeProperties) => (options as INodePropertyOptions[]).map(({ value }) => value);

describe('Apply Retention: Plan', () => {
	it('is what the node does unless told otherwise', () => {
		expect(field('operation').default).toBe('plan');
		expect([field('choose').default, field('group').default]).toEqual([
			'group',
			{ mode: 'name', value: '={{ $json.group }}' },
		]);
		expect(field('pruneMode').default).toBe('show');
	});

	it('shows for every group what would stay and go, and why, and deletes nothing', async () => {
		const app = await addDaily(APP, 4);
		await addDaily(STAGING, 1);
		const before = await keysOf(repository);
		const { items, json, hints } = await run(LAST_TWO);
		expect(await keysOf(repository)).toEqual(before);
		expect(items.map(({ pairedItem }) => pairedItem)).toEqual([{ item: 0 }, { item: 0 }]);
		expect(json).toEqual([
			expect.objectContaining({
				...{ ok: true, status: 'planned', group: APP, policy: 'custom', kept: 2, expired: 2, held: 0, heldBytes: 0 },
				...{ removed: [], resumed: [], skipped: [], blocked: [], warnings: [] },
				keptBytes: expect.any(Number),
				freedBytes: expect.any(Number),
			}),
			expect.objectContaining({ group: STAGING, kept: 1, expired: 0, freedBytes: 0 }),
		]);
		expect(json[0]!.freedBytes).toBeGreaterThan(0);
		expect(Object.entries(json[0]!)[0]).toEqual([
			'summary',
			expect.stringMatching(/^postgres\/app: would keep 2, remove 2 and free \d/),
		]);
		const reasons = json[0]!.reasons as IDataObject[];
		expect(reasons.map(({ label, action }) => [label, action])).toEqual(
			app.map((label, index) => [label, index < 2 ? 'expire' : 'keep']),
		);
		for (const each of reasons) expect(each.reasons).not.toEqual([]);
		expect(hints).toEqual([]);
	});

	it('plans every group once, however many items ask for it', async () => {
		await addDaily(APP, 1);
		await addDaily(STAGING, 1);
		const groups = async (...asked: Parameters<typeof run>) => (await run(...asked)).json.map(({ group }) => group);
		expect(await groups({ choose: 'all' }, { items: 3 })).toEqual([APP, STAGING]);
		const parametersOf = [APP, STAGING, APP].map((group) => ({ group }));
		expect(await groups({ choose: 'group' }, { parametersOf })).toEqual([APP, STAGING]);
	});

	it('does not touch app-staging when app is named', async () => {
		await addDaily(APP, 1);
		await addDaily(STAGING, 1);
		const groups = async (parameters: object) => (await run({ ...parameters })).json.map(({ group }) => group);
		expect(await groups({ choose: 'named', groups: APP })).toEqual([APP]);
		expect(await groups({ choose: 'group', group: APP })).toEqual([APP]);
		expect(await groups({ choose: 'named', groups: `${APP}*` })).toEqual([APP, STAGING]);
		expect(await groups({ choose: 'named', groups: '*staging, postgres/ap?' })).toEqual([APP, STAGING]);
	});

	it('says that there is no such group instead of planning for nothing', async () => {
		await expect(run({})).rejects.toThrow(/there is no backup in/);
		await addDaily(APP, 1);
		await expect(run({ choose: 'named', groups: `${APP}, postgres/ap` })).rejects.toThrow(
			/no backup of postgres\/ap in/,
		);
		await expect(run({ choose: 'group', group: 'postgres/ap' })).rejects.toThrow(/no backup of postgres\/ap in/);
	});

	it('plans groups by the policy of their own', async () => {
		await addDaily(APP, 10);
		await addDaily(STAGING, 10);
		const policies = { group: [{ pattern: '*-staging', policy: 'sevenDays' }] };
		const { json } = await run({ policy: 'thirtyDays', options: { policies } });
		expect(json.map(({ group, policy, kept }) => ({ group, policy, kept }))).toEqual([
			{ group: APP, policy: 'thirtyDays', kept: 10 },
			{ group: STAGING, policy: 'sevenDays', kept: 7 },
		]);
	});

	it('takes rules as text where an expression gives them', async () => {
		await addDaily(APP, 5);
		const { json } = await run({ policy: 'last=2,minimum=1' });
		expect(json).toEqual([expect.objectContaining({ policy: 'last=2,minimum=1', kept: 2, expired: 3 })]);
	});

	it('counts days in the time zone of the workflow, of the option, or of the policy’s text', async () => {
		// An hour ago it was another day in at least two of these.
		const zones = ['Pacific/Kiritimati', 'Pacific/Pago_Pago', 'UTC'];
		const label = await addDaysAgo(APP, 0);
		const startedAt = (await repository.list(APP))[0]!.startedAt;
		const dayIn = (timeZone: string) => new Intl.DateTimeFormat('sv-SE', { timeZone }).format(startedAt);
		const reasons = async (parameters: object, timeZone: string) =>
			(await run({ ...parameters }, { timeZone })).json[0]!.reasons;
		for (const zone of zones) {
			const expected = [expect.objectContaining({ label, reasons: expect.arrayContaining([`daily ${dayIn(zone)}`]) })];
			expect(await reasons({ policy: 'custom', keep: { daily: 3 } }, zone)).toEqual(expected);
			const options = { timeZone: zone };
			expect(await reasons({ policy: 'custom', keep: { daily: 3 }, options }, zones[0]!)).toEqual(expected);
			expect(await reasons({ policy: `daily=3,zone=${zone}` }, zones[1]!)).toEqual(expected);
		}
	});
});

describe('Apply Retention: Apply', () => {
	it('removes what the plan said, and says so', async () => {
		const labels = await addDaily(APP, 5);
		const [planned] = (await run(LAST_TWO)).json;
		const { json, hints } = await run({ ...LAST_TWO, operation: 'apply' });
		const summary = expect.stringMatching(/^postgres\/app: 2 kept, 3 removed, \d.* freed$/);
		expect(json).toEqual([{ ...planned, summary, status: 'applied', removed: labels.slice(0, 3) }]);
		expect(hints).toEqual([]);
		expect(await labelsOf(APP)).toEqual(labels.slice(3));
		expect((await keysOf(repository)).filter((key) => labels.slice(0, 3).some((label) => key.includes(label)))).toEqual(
			[],
		);
	});

	it('is a hint and no error when nothing is removed because the newest backup is not verified', async () => {
		await addDaily(APP, 5);
		await addBackup(repository, { group: APP, at: new Date(Date.now() - 60_000).toISOString(), verified: null });
		const { json, hints } = await run({ ...LAST_TWO, operation: 'apply' });
		expect(json).toEqual([
			expect.objectContaining({
				...{ ok: false, status: 'blocked', group: APP, kept: 6, expired: 0, removed: [], freedBytes: 0 },
				blocked: [{ risk: 'unverified', message: expect.any(String), hint: expect.any(String) }],
				held: expect.any(Number),
			}),
		]);
		expect(json[0]!.held).toBeGreaterThan(0);
		expect(hints).toEqual([
			expect.objectContaining({
				type: 'warning',
				message: expect.stringMatching(/^postgres\/app: nothing is removed: /),
			}),
		]);
		expect(await labelsOf(APP)).toHaveLength(6);

		const allow = ['unverified'];
		const taken = await run({ ...LAST_TWO, operation: 'apply', options: { ...LAST_TWO.options, allow } });
		expect(taken.json).toEqual([expect.objectContaining({ ok: true, status: 'applied', blocked: [] })]);
		expect((taken.json[0]!.removed as string[]).length).toBeGreaterThan(0);
	});

	it('offers to take every risk that can hold something back, and says what it may cost', () => {
		const options = field('options').options as INodeProperties[];
		const risks = field('allow', options).options as INodePropertyOptions[];
		expect(risks.map(({ value }) => value).sort()).toEqual([...RISKS].sort());
		for (const { description } of risks) expect(description).toMatch(/^Remove although .*\. .+\.$/);
	});

	it('applies to all groups before it fails because of one that is locked', async () => {
		await addDaily(APP, 5);
		await addDaily(STAGING, 5);
		const lock = await acquireLock(storage, APP);
		const atOnce = { ...LAST_TWO, operation: 'apply', options: { ...LAST_TWO.options, lockWait: 0 } };
		try {
			const failure: unknown = await run(atOnce).catch((error: unknown) => error);
			expect(failure).toBeInstanceOf(NodeOperationError);
			expect(failure).toMatchObject({
				message: expect.stringMatching(/^retention failed for 1 of 2 groups: postgres\/app: .*since/),
				description: expect.stringMatching(/^Done all the same: 1\. /),
			});
			expect(await labelsOf(APP)).toHaveLength(5);
			expect(await labelsOf(STAGING)).toHaveLength(2);

			const { items } = await run(atOnce, { continueOnFail: true });
			// n8n routes by these keys: see toErrorItem.
			expect(items[0]).toEqual({
				pairedItem: { item: 0 },
				json: {
					error: expect.any(String),
					details: {
						...{ ok: false, status: 'failed', group: APP, policy: 'custom', code: 'locked' },
						hint: expect.any(String),
					},
				},
			});
			expect(items[1]!.json).toMatchObject({ ok: true, status: 'applied', group: STAGING, removed: [] });
		} finally {
			await lock.release();
		}
	});

	it('waits for another run in the group where it is told to', async () => {
		await addDaily(APP, 3);
		const lock = await acquireLock(storage, APP);
		const options = { ...LAST_TWO.options, lockWait: 1 };
		const ended = run({ ...LAST_TWO, operation: 'apply', options });
		await lock.release();
		expect((await ended).json).toEqual([expect.objectContaining({ status: 'applied', kept: 2 })]);
	});

	it('warns that a folder cannot lock what it keeps', async () => {
		await addDaily(APP, 1);
		const options = { extendLocks: 'governance' };
		const { json, hints } = await run({ operation: 'apply', options });
		expect(json[0]).toMatchObject({ ok: true, warnings: [expect.stringContaining('cannot protect')] });
		expect(hints).toHaveLength(1);
	});

	it('leaves in the journal which workflow, execution and node it was', async () => {
		await addDaily(APP, 1);
		await run({ operation: 'apply' });
		expect(await runsIn(storage)).toEqual([{ verb: 'expire', state: 'ok', actor: ACTOR }]);
	});

	it('stops when the run is stopped, and removes nothing', async () => {
		await addDaily(APP, 5);
		await expect(run({ ...LAST_TWO, operation: 'apply' }, { signal: AbortSignal.abort() })).rejects.toThrow(/stopped/);
		expect(await labelsOf(APP)).toHaveLength(5);
	});
});

describe('Apply Retention: Pin and Unpin', () => {
	it('keeps a backup whatever the policy says, until it is unpinned', async () => {
		const [oldest] = await addDaily(APP, 4);
		const backup = { group: APP, label: oldest };
		const pinned = await run({ operation: 'pin', ...backup, reason: 'before the move' });
		expect(pinned.items).toEqual([
			{
				pairedItem: { item: 0 },
				json: expect.objectContaining({ ok: true, status: 'pinned', changed: true, ...backup }),
			},
		]);
		await run({ ...LAST_TWO, operation: 'apply' });
		expect(await labelsOf(APP)).toContain(oldest);
		expect((await run({ operation: 'pin', ...backup, reason: '' })).json).toMatchObject([{ changed: false }]);

		expect((await run({ operation: 'unpin', ...backup })).json).toMatchObject([{ status: 'unpinned', changed: true }]);
		await run({ ...LAST_TWO, operation: 'apply' });
		expect(await labelsOf(APP)).not.toContain(oldest);
	});

	it('says when there is no such backup', async () => {
		const [label] = await addDaily(APP, 1);
		const other = label!.replace(/....$/, 'aaaa');
		for (const operation of ['pin', 'unpin', 'approve']) {
			const failure: unknown = await run({ operation, group: APP, label: other }).catch((error: unknown) => error);
			expect(failure).toMatchObject({ message: expect.stringContaining('there is no backup') });
		}
	});
});

describe('Apply Retention: Approve', () => {
	it('lets retention go on after a source lost much', async () => {
		await addDaily(APP, 4);
		const lost = { what: 'rows of 1 table', from: 1000, to: 4 };
		const at = new Date(Date.now() - 60_000).toISOString();
		const label = await addBackup(repository, { group: APP, at, shrunk: lost });
		const held = await run({ ...LAST_TWO, operation: 'apply' });
		expect(held.json).toMatchObject([{ ok: false, status: 'blocked', removed: [], blocked: [{ risk: 'shrunk' }] }]);
		const approved = await run({ operation: 'approve', group: APP, label, reason: 'the old shop is gone' });
		expect(approved.items).toEqual([
			{
				pairedItem: { item: 0 },
				json: {
					...{ summary: `${APP}/${label}: approved`, ok: true, status: 'approved', group: APP, label },
					...{ changed: true, warnings: [] },
					approved: [expect.stringMatching(/^99 % of the rows of 1 table are gone since .*: 4 now, 1000 then$/)],
				},
			},
		]);
		expect((await run({ ...LAST_TWO, operation: 'apply' })).json).toMatchObject([{ status: 'applied' }]);
		expect(await labelsOf(APP)).toHaveLength(2);
	});
});

describe('Apply Retention: Prune', () => {
	it('shows what killed runs left and what is nobody’s, and removes only the former, only when told to', async () => {
		const [label] = await addDaily(APP, 1);
		const orphan = await addOrphan(repository, APP, new Date(Date.now() - 2 * DAY_MS));
		writeFileSync(join(folder, 'notes.txt'), 'mine');
		const parameters = { operation: 'prune', graceHours: 0, pruneMode: 'show' };
		const shown = await run(parameters);
		const found = expect.objectContaining({
			ok: true,
			status: 'planned',
			orphans: [expect.objectContaining({ group: APP, label: orphan, objects: 1, modifiedAt: expect.any(String) })],
			unknown: ['notes.txt'],
		});
		expect(shown.items).toEqual([{ pairedItem: { item: 0 }, json: found }]);
		expect(await keysOf(repository, `${APP}/${orphan}`)).toHaveLength(1);

		expect((await run({ ...parameters, pruneMode: 'remove' })).json).toMatchObject([{ status: 'removed' }]);
		expect(await keysOf(repository, `${APP}/${orphan}`)).toEqual([]);
		expect(await keysOf(repository)).toContain('notes.txt');
		expect(await labelsOf(APP)).toEqual([label]);
	});

	it('leaves alone what is younger than the grace time', async () => {
		await addDaily(APP, 1);
		const orphan = await addOrphan(repository, APP, new Date());
		const { json } = await run({ operation: 'prune', graceHours: 24, pruneMode: 'remove' });
		expect(json).toMatchObject([{ orphans: [] }]);
		expect(await keysOf(repository, `${APP}/${orphan}`)).toHaveLength(1);
	});
});

it.each(['plan', 'apply'])(
	'one group of which nothing would be kept does not stop the others, when asked to %s',
	async (operation) => {
		await addDaily(APP, 3, { ok: false });
		await addDaily(STAGING, 4);
		const parameters = { operation, ...LAST_TWO, options: { minimum: 1, allow: ['failed'] } };
		const { json } = await run(parameters, { continueOnFail: true });
		expect(json).toHaveLength(2);
		expect(json).toContainEqual(expect.objectContaining({ group: STAGING, ok: true }));
		expect(json).toContainEqual(
			expect.objectContaining({ details: expect.objectContaining({ group: APP, ok: false }) }),
		);
		await expect(run(parameters)).rejects.toThrow(`${APP}: the plan would keep no backup of ${APP} at all`);
		expect(await labelsOf(APP)).toHaveLength(3);
		expect(await labelsOf(STAGING)).toHaveLength(operation === 'apply' ? 2 : 4);
	},
);

describe('Apply Retention', () => {
	it('offers every preset, with what it keeps', () => {
		expect(valuesOf(field('policy')).sort()).toEqual([...Object.keys(POLICY_PRESETS), 'custom'].sort());
		const names = (field('policy').options as INodePropertyOptions[]).map(({ name }) => name);
		expect(names).toEqual(['Configuration', 'Critical', 'Custom', 'Logs', 'Seven Days', 'Thirty Days']);
	});

	it.each([
		['an unknown operation', { operation: 'purge' }, /invalid value for "Operation": purge/],
		['an operation that every object has', { operation: 'constructor' }, /invalid value for "Operation": constructor/],
		['an unknown choice', { choose: 'some' }, /invalid value for "Which Groups": some/],
		['no group', { choose: 'named', groups: ' , ' }, /"Groups" is empty/],
		['a pattern where one group is meant', { choose: 'group', group: 'postgres/*' }, /postgres\/\*/],
		['an unknown policy', { policy: 'forever' }, /"Policy": .*"forever" is neither a rule nor a preset/],
		['no policy', { policy: '' }, /invalid value for "Policy"/],
		['an empty policy', { policy: 'custom', keep: {} }, /no rule, so it keeps nothing/],
		['half a backup', { policy: 'custom', keep: { daily: 1.5 } }, /invalid value for "Daily": 1.5/],
		['an unknown zone', { options: { timeZone: 'Mars/Olympus' } }, /Mars\/Olympus|time zone|timeZone/],
		['no minimum', { options: { minimum: 0 } }, /invalid value for "Minimum Backups": 0/],
		['an unknown risk', { options: { allow: ['everything'] } }, /invalid value for "Risks to Take": everything/],
		['an unknown depth', { options: { trust: 'deep' } }, /invalid value for "Verified Means": deep/],
		['an unknown lock', { options: { extendLocks: 'iron' } }, /invalid value for "Extend Retention Locks": iron/],
		['a line without a group', { options: { policies: { group: [{ pattern: ' ', policy: 'logs' }] } } }, /line 1/],
		['a line of an unknown policy', { options: { policies: { group: [{ pattern: '*', policy: 'x' }] } } }, /line 1/],
		[
			'an unknown way to prune',
			{ operation: 'prune', pruneMode: 'all', graceHours: 1 },
			/invalid value for "What to Do": all/,
		],
		['no grace time', { operation: 'prune', pruneMode: 'show', graceHours: -1 }, /-1 hours/],
		['no backup to pin', { operation: 'pin', group: APP, label: '' }, /"Backup" is empty/],
	])('%s is a clear error with a hint, and nothing happens', async (_, parameters, message) => {
		await addDaily(APP, 5);
		const before = await keysOf(repository);
		const operation = 'operation' in parameters ? parameters.operation : 'apply';
		const failure: unknown = await run({ ...parameters, operation }).catch((error: unknown) => error);
		expect(failure).toBeInstanceOf(NodeOperationError);
		expect(failure).toMatchObject({
			message: expect.stringMatching(message),
			description: expect.stringMatching(/\.$/),
		});
		expect(await keysOf(repository)).toEqual(before);
	});
});
