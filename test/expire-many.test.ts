/** Retention of a hundred thousand backups: one listing, one plan, one pass. */
import type { Readable } from 'node:stream';
import { applyRetention, surveyRetention } from '../core/expire';
import { Repository } from '../core/repository';
import { MemoryStorage } from '../core/storage/memory';
import type { StoredObject, WriteOptions } from '../core/storage/storage';
import { FaultyStorage } from './support/faulty-storage';
import { GROUP, NEVER } from './support/dated-backups';

const COUNT = 100_000;
const HOUR_MS = 3_600_000;
const NEWEST = Date.parse('2026-11-20T02:00:00Z');
const NAMES = ['contents.json.zst', 'dump.sql.zst', 'manifest.json', 'verified-20261120T021500Z-stored-ok.json'];
const SIZE = 1000;

function labelAt(index: number): string {
	const at = new Date(NEWEST - (COUNT - 1 - index) * HOUR_MS).toISOString().replace(/[-:]|\.\d+/g, '');
	return `${at}-full-aaaa`;
}

/** Makes up its backups, one an hour for eleven years, while it lists them; it remembers what was removed of them. */
class LargeStorage extends MemoryStorage {
	/** By label: names of objects that are gone, and of those that came. */
	readonly gone = new Map<string, Set<string>>();

	override async *list(prefix: string): AsyncGenerator<StoredObject> {
		if (/^(runs|locks)\//.test(prefix)) return yield* super.list(prefix);
		const [, label] = new RegExp(`^${GROUP}/([^/]+)/$`).exec(prefix) ?? [];
		if (label !== undefined) return yield* this.#objectsOf(label);
		for (let index = 0; index < COUNT; index++) yield* this.#objectsOf(labelAt(index));
	}

	override async write(key: string, body: Readable, options?: WriteOptions): Promise<StoredObject> {
		if (!key.startsWith(GROUP)) return await super.write(key, body, options);
		body.destroy();
		return { key, size: SIZE, modifiedAt: new Date() };
	}

	override async remove(key: string): Promise<void> {
		if (!key.startsWith(GROUP)) return await super.remove(key);
		const [label, name] = key.split('/').slice(-2);
		this.gone.set(label!, (this.gone.get(label!) ?? new Set()).add(name!));
	}

	*#objectsOf(label: string): Generator<StoredObject> {
		const gone = this.gone.get(label);
		for (const name of NAMES) {
			if (!gone?.has(name)) yield { key: `${GROUP}/${label}/${name}`, size: SIZE, modifiedAt: new Date(0) };
		}
	}
}

it('100,000 backups are listed once, planned, and expired in one pass', async () => {
	const large = new LargeStorage();
	const storage = new FaultyStorage(large);
	const repository = await Repository.open(storage, { create: true });
	const policy = { hourly: 48, daily: 30, weekly: 12, monthly: 12 };
	const now = new Date(NEWEST + HOUR_MS / 2);
	storage.calls.length = 0;
	const started = performance.now();
	const { groups } = await surveyRetention({ repository, policy, now, signal: NEVER });
	const surveyed = performance.now();
	// One listing of the backups; no backup is opened, and nothing is written.
	const ofBackups = storage.calls.filter(({ key }) => !/^(runs|locks)\//.test(key));
	expect(ofBackups).toEqual([{ on: 'list', key: '' }]);
	const expired = groups[0]!.backups.filter(({ action }) => action === 'expire').length;
	expect(groups[0]!.backups).toHaveLength(COUNT);
	expect(expired).toBeGreaterThan(COUNT - 110);

	const result = await applyRetention({ repository, group: GROUP, policy, now, signal: NEVER });
	const applied = performance.now();
	expect(result).toMatchObject({ skipped: [], warnings: [], freedBytes: expired * NAMES.length * SIZE });
	expect(result.removed).toHaveLength(expired);
	expect(large.gone.size).toBe(expired);
	for (const names of large.gone.values()) expect(names.size).toBe(NAMES.length + 1);
	expect(await repository.list(GROUP)).toHaveLength(COUNT - expired);
	const seconds = (from: number, to: number) => ((to - from) / 1000).toFixed(1);
	process.stdout.write(
		`${COUNT} backups: survey and plan ${seconds(started, surveyed)} s, apply of ${expired} ${seconds(surveyed, applied)} s\n`,
	);
}, 300_000);
