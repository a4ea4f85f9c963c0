import { removeLeftovers } from '../../../core/verbs/backup/leftovers';
import { createLabel } from '../../../core/records/label';
import { acquireLock } from '../../../core/records/locks/lock';
import { Repository } from '../../../core/records/repository';
import { objectKey } from '../../../core/records/layout';
import { writeText } from '../../../core/records/small-objects';
import { prune } from '../../../core/verbs/prune/prune';
import { MemoryStorage } from '../../../core/storage/memory';
import { AgedStorage } from '../../support/aged-storage';

const GROUP = 'postgres/shop';

describe('what runs leave that did not finish', () => {
	it('goes with the next run of its group a day later, and nothing else does', async () => {
		const storage = new AgedStorage(/shop\//, 25);
		const repository = await Repository.open(storage, { create: true });
		const label = () => createLabel('full', new Date());
		const staying = [
			objectKey(GROUP, label(), 'manifest.json'),
			objectKey(`${GROUP}/inner`, label(), 'dump.sql.zst'),
			objectKey(`${GROUP}-staging`, label(), 'dump.sql.zst'),
			`${GROUP}/notes of the administrator.txt`,
		];
		const leftovers = [objectKey(GROUP, label(), 'dump.sql.zst'), objectKey(GROUP, label(), 'contents.json.zst')];
		for (const key of [...staying, ...leftovers]) await writeText(storage, key, 'x');
		const lock = await acquireLock(storage, GROUP);
		try {
			expect(await removeLeftovers(repository, GROUP, lock)).toEqual([
				'removed 2 leftovers of earlier runs that did not finish',
			]);
		} finally {
			await lock.release();
		}
		for (const key of staying) expect(await storage.stat(key)).not.toBeNull();
		for (const key of leftovers) expect(await storage.stat(key)).toBeNull();
	});

	it('keeps a backup whose manifest was lost, because evidence, a pin or a tag lies beside it', async () => {
		const storage = new AgedStorage(/shop\//, 1000);
		const repository = await Repository.open(storage, { create: true });
		const labels: string[] = [];
		const companions = ['verified-20261120T020000Z-stored-ok.json', 'pin.json', 'tag-audit.json'];
		for (const companion of companions) {
			const label = createLabel('full', new Date());
			labels.push(label);
			for (const name of ['dump.sql.zst', companion]) await writeText(storage, objectKey(GROUP, label, name), 'x');
		}
		const lock = await acquireLock(storage, GROUP);
		try {
			const warnings = await removeLeftovers(repository, GROUP, lock);
			expect(warnings.sort()).toEqual(
				labels.sort().map((label) => expect.stringContaining(`${label} has lost its manifest`)),
			);
		} finally {
			await lock.release();
		}
		// Prune says the same, whatever its grace time.
		const pruned = await prune({ repository, graceHours: 0, apply: true, signal: new AbortController().signal });
		expect(pruned).toMatchObject({ orphans: [], warnings: labels.map((label) => expect.stringContaining(label)) });
		expect(await repository.objects(GROUP, labels[0]!)).toHaveLength(2);
	});

	it('stays for a day: what is younger may be a backup that lost its manifest before anybody verified it', async () => {
		const storage = new MemoryStorage();
		const repository = await Repository.open(storage, { create: true });
		const key = objectKey(GROUP, createLabel('full', new Date()), 'dump.sql.zst');
		await writeText(storage, key, 'x');
		const lock = await acquireLock(storage, GROUP);
		expect(await removeLeftovers(repository, GROUP, lock)).toEqual([
			'left what 1 earlier run stored within the last 24 hours',
		]);
		await lock.release();
		expect(await storage.stat(key)).not.toBeNull();
	});
});
