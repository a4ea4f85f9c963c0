/** Retention of very many backups: one listing, one plan, one pass. */
import { manifestOf } from '../../support/manifest';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { formatEvidence } from '../../../core/records/evidence';
import { applyRetention, surveyRetention } from '../../../core/verbs/expire/expire';
import { formatManifest } from '../../../core/records/manifest';
import { PROGRAM } from '../../../core/base/program';
import { Repository } from '../../../core/records/repository';
import { MemoryStorage } from '../../../core/storage/memory';
import type { ReadOptions, StoredObject, WriteOptions } from '../../../core/storage/storage';
import { FaultyStorage } from '../../support/faulty-storage';
import { GROUP } from '../../support/build-backup';
import { NEVER } from '../../support/dated-backups';
import { rounds } from '../../support/soak';

const HOUR_MS = 3_600_000;
const NEWEST = Date.parse('2026-11-20T02:00:00Z');
const NAMES = ['contents.json.zst', 'dump.sql.zst', 'manifest.json', 'verified-20261120T021500Z-stored-ok.json'];
const SIZE = 1000;

function labelAt(index: number, count: number): string {
	const at = new Date(NEWEST - (count - 1 - index) * HOUR_MS).toISOString().replace(/[-:]|\.\d+/g, '');
	return `${at}-full-aaaa`;
}

function manifestText(label: string): string {
	return formatManifest(manifestOf(GROUP, label));
}

function evidenceOf(label: string): string {
	const at = '2026-11-20T02:15:00.000Z';
	return formatEvidence({
		...{ format: 1, program: PROGRAM, group: GROUP, label, depth: 'stored', outcome: 'ok', failure: null, facts: {} },
		...{ startedAt: at, finishedAt: at },
		manifestSha256: createHash('sha256').update(manifestText(label)).digest('hex'),
	});
}

/** Makes up its backups, one an hour for years, while it lists them; it remembers what was removed of them. */
class LargeStorage extends MemoryStorage {
	/** By label: names of objects that are gone, and of those that came. */
	readonly gone = new Map<string, Set<string>>();

	constructor(private readonly count: number) {
		super();
	}

	override async *list(prefix: string): AsyncGenerator<StoredObject> {
		if (/^(runs|locks)\//.test(prefix)) return yield* super.list(prefix);
		const [, label] = new RegExp(`^${GROUP}/([^/]+)/$`).exec(prefix) ?? [];
		if (label !== undefined) return yield* this.#objectsOf(label);
		for (let index = 0; index < this.count; index++) yield* this.#objectsOf(labelAt(index, this.count));
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
		if (key.endsWith('/manifest.json')) return Readable.from([Buffer.from(manifestText(label))]);
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

const policy = { hourly: 48, daily: 30, weekly: 12, monthly: 12 };
const now = new Date(NEWEST + HOUR_MS / 2);

it('20,000 backups, or with time 100,000, are listed once, and planned', async () => {
	const count = rounds(20_000, 100_000);
	const storage = new FaultyStorage(new LargeStorage(count));
	const repository = await Repository.open(storage, { create: true });
	storage.calls.length = 0;
	const started = performance.now();
	const { groups } = await surveyRetention({ repository, policy, now, signal: NEVER });
	report(count, 'survey and plan', started);
	// One listing of the backups, nothing written, and only those are opened for whose sake others expire.
	const ofBackups = storage.calls.filter(({ key }) => !/^(runs|locks)\//.test(key));
	expect(ofBackups.filter(({ on }) => on !== 'read')).toEqual([{ on: 'list', key: '' }]);
	expect(ofBackups.length).toBeGreaterThan(100);
	expect(ofBackups.length).toBeLessThan(250);
	expect(groups[0]!.backups).toHaveLength(count);
	expect(groups[0]!.backups.filter(({ action }) => action === 'expire').length).toBeGreaterThan(count - 110);
}, 300_000);

it('3,000 backups, or with time 100,000, are expired in one pass', async () => {
	const count = rounds(3_000, 100_000);
	const large = new LargeStorage(count);
	const repository = await Repository.open(large, { create: true });
	const started = performance.now();
	const result = await applyRetention({ repository, group: GROUP, policy, now, signal: NEVER });
	report(count, 'apply', started);
	const expired = result.removed.length;
	expect(expired).toBeGreaterThan(count - 110);
	expect(result).toMatchObject({ skipped: [], warnings: [], freedBytes: expired * NAMES.length * SIZE });
	expect(large.gone.size).toBe(expired);
	for (const names of large.gone.values()) expect(names.size).toBe(NAMES.length + 1);
	expect(await repository.list(GROUP)).toHaveLength(count - expired);
}, 300_000);

function report(count: number, what: string, started: number): void {
	process.stdout.write(`${count} backups: ${what} ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
}
