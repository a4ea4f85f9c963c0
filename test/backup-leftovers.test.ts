import { removeLeftovers } from '../core/backup-leftovers';
import { createLabel } from '../core/label';
import { acquireLock } from '../core/lock';
import { objectKey, Repository } from '../core/repository';
import { writeText } from '../core/small-objects';
import { MemoryStorage } from '../core/storage/memory';

const GROUP = 'postgres/shop';

describe('what runs leave that did not finish', () => {
	it('goes with the next run of its group, and nothing else does', async () => {
		const storage = new MemoryStorage();
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
});
