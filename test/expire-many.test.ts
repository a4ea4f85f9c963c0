/** Retention of a hundred thousand backups: one listing, one plan, one pass. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { formatEvidence } from '../core/evidence';
import { applyRetention, surveyRetention } from '../core/expire';
import { parseLabel } from '../core/label';
import { formatManifest } from '../core/manifest';
import { PROGRAM } from '../core/program';
import { Repository } from '../core/repository';
import { MemoryStorage } from '../core/storage/memory';
import type { ReadOptions, StoredObject, WriteOptions } from '../core/storage/storage';
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

function manifestOf(label: string): string {
	const at = parseLabel(label)!.startedAt.toISOString();
	const digests = { original: { bytes: 1, blake2b512: '0'.repeat(128) }, stored: { bytes: 1, sha256: '0'.repeat(64) } };
	return formatManifest({
		...{ format: 1, program: PROGRAM, group: GROUP, label, type: 'full', parents: [], startedAt: at, finishedAt: at },
		...{ source: { kind: 'postgres' }, codecs: ['zstd'], encryption: null, warnings: [] },
		object: { name: 'dump.sql.zst', ...digests },
		contents: { name: 'contents.json.zst', ...digests },
	});
}

function evidenceOf(label: string): string {
	const at = '2026-11-20T02:15:00.000Z';
	return formatEvidence({
		...{ format: 1, program: PROGRAM, group: GROUP, label, depth: 'stored', outcome: 'ok', failure: null, facts: {} },
		...{ startedAt: at, finishedAt: at },
		manifestSha256: createHash('sha256').update(manifestOf(label)).digest('hex'),
	});
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

	override async read(key: string, options?: ReadOptions): Promise<Readable> {
		const label = key.split('/').at(-2)!;
		if (key.endsWith('/manifest.json')) return Readable.from([Buffer.from(manifestOf(label))]);
		return key.includes('/verified-')
			? Readable.from([Buffer.from(evidenceOf(label))])
			: await super.read(key, options);
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
	// One listing of the backups, nothing written, and only those are opened for whose sake others expire.
	const ofBackups = storage.calls.filter(({ key }) => !/^(runs|locks)\//.test(key));
	expect(ofBackups.filter(({ on }) => on !== 'read')).toEqual([{ on: 'list', key: '' }]);
	expect(ofBackups.length).toBeGreaterThan(100);
	expect(ofBackups.length).toBeLessThan(250);
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
