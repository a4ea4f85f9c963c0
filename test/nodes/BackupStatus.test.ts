/** Backup Status: real folders and journals; n8n itself is in test/e2e. */
import fs from 'node:fs';
import path from 'node:path';
import { Repository } from '../../core/records/repository';
import { createStorage } from '../../core/storage/create';
import { verifyBackup } from '../../core/verbs/verify/verify';
import { BackupStatus } from '../../nodes/BackupStatus/BackupStatus.node';
import { buildBackup } from '../support/build-backup';
import { type FakeNode, fakeContext } from '../support/fake-node';
import { createFolder, removeFolder } from '../support/folders';
import type { Json } from '../support/report-items';

const HOUR = 3_600_000;
const { signal } = new AbortController();
const node = new BackupStatus();
let top: string;
let labels: string[];
let repository: Repository;

beforeEach(async () => {
	top = createFolder('backup-status');
	for (const name of ['first', 'second']) fs.mkdirSync(path.join(top, name));
	repository = await Repository.open(createStorage({ type: 'folder', path: path.join(top, 'first') }), {
		create: true,
	});
	labels = [];
	for (let hours = 6; hours > 0; hours--) {
		const at = new Date(Date.now() - hours * HOUR);
		labels.push(await buildBackup(repository, { bytes: 1000, verified: 'restored', at }));
	}
});
afterEach(() => removeFolder(top));

async function run(parameters: Record<string, unknown>, more: Partial<FakeNode> = {}): Promise<Json[]> {
	const fake = fakeContext({
		parameters: { storages: 'first', groups: '', expected: '', retention: '', options: {}, ...parameters },
		credentials: {
			backupStorageApi: { type: 'folder', path: path.join(top, 'first') },
			backupStorageSecondApi: { type: 'folder', path: path.join(top, 'second') },
		},
		...more,
	});
	const [items] = await node.execute.call(fake.context);
	return items!.map(({ json }) => json as Json);
}

it('Health: the answer first, and what is asked of it', async () => {
	const [ok] = await run({ operation: 'health', retention: '* = thirtyDays' });
	expect(Object.entries(ok!)[0]).toEqual(['summary', 'OK: The one source can be restored.']);
	expect(ok).toMatchObject({
		ok: true,
		verdict: 'ok',
		httpStatus: 200,
		groups: [{ restorable: true, everySeconds: expect.any(Number) }],
	});
	// The backups were made one after the other, which takes a moment.
	expect(Math.abs(Number((ok!.groups as Json[])[0]!.everySeconds) - 3600)).toBeLessThan(30);
	const [bad] = await run({
		...{ operation: 'health', expected: 'postgres/shop = 0.5\nfiles/www' },
		options: { rpo: 0.1, rto: 1, capacity: 0 },
	});
	expect(bad).toMatchObject({ ok: false, verdict: 'critical', httpStatus: 503 });
	expect(
		(bad!.groups as Json[]).map(({ group, reasons }) => [group, (reasons as Json[]).map(({ code }) => code)]),
	).toEqual([
		['files/www', ['missing']],
		['postgres/shop', ['late', 'rpo']],
	]);
	await expect(run({ operation: 'health', expected: 'x = y' })).rejects.toThrow('Expected, x');
	await expect(run({ operation: 'health', retention: 'x' })).rejects.toThrow('without a policy');
});

it('Health: a storage that is away is part of the answer, and no error', async () => {
	fs.rmSync(path.join(top, 'second'), { recursive: true });
	const [found] = await run({ operation: 'health', storages: 'second' });
	expect(found).toMatchObject({ verdict: 'critical', groups: [{ verdict: 'ok' }] });
	expect(found!.sentence).toContain('cannot be looked at');
});

it('List Backups: newest first, with proofs, and where each lies', async () => {
	const items = await run({ operation: 'list', limit: 2 });
	expect(items).toMatchObject([
		{
			label: labels[5],
			name: `postgres/shop/${labels[5]}`,
			proved: 'restored',
			bad: false,
			storages: [`file://${top}/first`],
		},
		{ label: labels[4] },
	]);
	expect(await run({ operation: 'list', groups: 'files/*', limit: 50 })).toEqual([]);
});

it('Storage, Metrics and Dashboard', async () => {
	const [storage] = await run({ operation: 'storage' });
	expect(storage).toMatchObject({ location: `file://${top}/first`, groups: [{ group: 'postgres/shop', backups: 6 }] });
	const [metrics] = await run({ operation: 'metrics' });
	expect(metrics!.metrics).toContain('n8n_backup_group_verdict{group="postgres/shop"} 0');
	const [page] = await run({ operation: 'dashboard', query: JSON.stringify({ group: 'postgres/shop' }) });
	expect(page!.html).toMatch(/^<!doctype html>[^]*postgres\/shop/);
	const one = { group: 'postgres/shop', label: labels[0] };
	const [backup] = await run({ operation: 'dashboard', storages: 'second', query: JSON.stringify(one) });
	expect(backup!.html).toMatch(new RegExp(`<span>${labels[0]}</span>[^]*restored</td>\\s*<td>ok</td>`));
	expect(backup!.html).toContain('cannot be looked at');
	await expect(run({ operation: 'dashboard', query: '[' })).rejects.toThrow('"Query" is not an object');
});

it('Runs: from the journal, newest first', async () => {
	for (const label of labels.slice(0, 2)) {
		await verifyBackup({ repository, group: 'postgres/shop', label, depth: 'stored', keys: null, drills: [], signal });
	}
	const items = await run({ operation: 'runs', days: 1, limit: 50 });
	expect(items).toMatchObject([
		{
			verb: 'verify',
			label: labels[1],
			state: 'ok',
			summary: expect.stringMatching(/^verify postgres\/shop\/.*: ok$/),
		},
		{ label: labels[0] },
	]);
});
