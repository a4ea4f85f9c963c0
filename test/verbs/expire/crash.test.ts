/** An expiry whose storage dies after its n-th change, for every n: what is left is whole or says what it was. */
import type { Readable } from 'node:stream';
import { applyRetention } from '../../../core/verbs/expire/expire';
import { BackupError } from '../../../core/base/errors';
import { Repository } from '../../../core/records/repository';
import { MemoryStorage } from '../../../core/storage/memory';
import type { CallOptions, ReadOptions, StoredObject, WriteOptions } from '../../../core/storage/storage';
import { verifyBackup } from '../../../core/verbs/verify/verify';
import { GROUP } from '../../support/build-backup';
import { addBackup, NEVER } from '../../support/dated-backups';

const NOW = new Date('2026-11-20T12:00:00Z');

/** Answers nothing any more after so many changes; the last one is done, or not, before it fails. */
class MortalStorage extends MemoryStorage {
	changes = 0;
	diesAfter = Infinity;
	lastIsDone = false;

	override async write(key: string, body: Readable, options?: WriteOptions): Promise<StoredObject> {
		const act = async () => await super.write(key, body, options);
		try {
			return await this.#change(act);
		} finally {
			body.destroy();
		}
	}

	override async remove(key: string, options?: CallOptions): Promise<void> {
		await this.#change(async () => await super.remove(key, options));
	}

	override async read(key: string, options?: ReadOptions): Promise<Readable> {
		this.#assertAlive();
		return await super.read(key, options);
	}

	override async stat(key: string, options?: CallOptions): Promise<StoredObject | null> {
		this.#assertAlive();
		return await super.stat(key, options);
	}

	override async *list(prefix: string, options?: CallOptions): AsyncGenerator<StoredObject> {
		this.#assertAlive();
		yield* super.list(prefix, options);
	}

	async #change<T>(act: () => Promise<T>): Promise<T> {
		this.#assertAlive();
		this.changes++;
		if (this.changes < this.diesAfter) return await act();
		if (this.lastIsDone) await act();
		throw this.#dead();
	}

	#assertAlive(): void {
		if (this.changes >= this.diesAfter) throw this.#dead();
	}

	#dead(): BackupError {
		return new BackupError('storage-failed', 'the storage is gone');
	}
}

/** A chain that expires, a single one that expires, and three that stay. */
async function prepare(): Promise<{ storage: MortalStorage; repository: Repository; kept: string[] }> {
	const storage = new MortalStorage();
	const repository = await Repository.open(storage, { create: true });
	const full = await addBackup(repository, { at: '2026-11-01T02:00:00Z' });
	const parents = [full];
	await addBackup(repository, { at: '2026-11-02T02:00:00Z', type: 'incremental', parents });
	await addBackup(repository, { at: '2026-11-03T02:00:00Z' });
	const base = await addBackup(repository, { at: '2026-11-18T02:00:00Z' });
	const second = await addBackup(repository, { at: '2026-11-19T02:00:00Z', type: 'incremental', parents: [base] });
	const kept = [base, second, await addBackup(repository, { at: '2026-11-20T02:00:00Z' })];
	storage.changes = 0;
	return { storage, repository, kept };
}

const apply = async (repository: Repository) =>
	await applyRetention({
		repository,
		group: GROUP,
		policy: { last: 2, minimum: 1 },
		now: NOW,
		signal: NEVER,
	});

/** What must hold at every moment. */
async function expectSound(repository: Repository, kept: readonly string[]): Promise<void> {
	const { backups, leftovers } = await repository.survey(GROUP);
	const labels = backups.map(({ label }) => label);
	expect(labels).toEqual(expect.arrayContaining([...kept]));
	expect(leftovers.filter(({ expired }) => !expired)).toEqual([]);
	for (const { group, label } of backups) {
		expect(labels).toEqual(expect.arrayContaining((await repository.readManifest(group, label)).parents));
		const verified = await verifyBackup({ repository, group, label, depth: 'stored', keys: null, signal: NEVER });
		expect(verified).toMatchObject({ label, outcome: 'ok' });
	}
}

describe.each([
	['is not done', false],
	['is done, and its answer lost', true],
])('a crash at every step of an expiry, whose last change %s', (_, lastIsDone) => {
	it('leaves every backup whole, or gone, and the next apply finishes', async () => {
		const first = await prepare();
		await apply(first.repository);
		const steps = first.storage.changes;
		expect(steps).toBeGreaterThan(20);
		const ends = { failed: 0, resumed: 0 };
		for (let step = 1; step <= steps; step++) {
			const { storage, repository, kept } = await prepare();
			Object.assign(storage, { diesAfter: step, lastIsDone });
			// The last steps only give back the lock and write the journal: the removal was done.
			await apply(repository).catch((error: unknown) => {
				expect(error).toMatchObject({ code: expect.stringMatching(/^(storage-failed|locked)$/) });
				ends.failed++;
			});
			storage.diesAfter = Infinity;
			await expectSound(repository, kept);
			ends.resumed += (await apply(repository)).resumed.length;
			expect((await repository.list()).map(({ label }) => label)).toEqual(kept);
			expect(await repository.survey(GROUP)).toMatchObject({ leftovers: [] });
			await expectSound(repository, kept);
		}
		expect(ends.failed).toBeGreaterThan(15);
		expect(ends.resumed).toBeGreaterThan(5);
	});
});

it('an expiry that is stopped removes nothing further, and leaves no half backup', async () => {
	const { storage, repository, kept } = await prepare();
	const stop = new AbortController();
	const run = applyRetention({
		repository,
		group: GROUP,
		policy: { last: 2, minimum: 1 },
		now: NOW,
		signal: stop.signal,
		onProgress: () => stop.abort(),
	});
	await expect(run).rejects.toMatchObject({ code: 'cancelled', hint: expect.stringContaining('removed before that') });
	expect((await repository.list()).length).toBeGreaterThan(kept.length);
	await expectSound(repository, kept);
	expect((await storage.list('locks/')[Symbol.asyncIterator]().next()).done).toBe(true);
});
