/** A kind of source besides PostgreSQL goes through every verb, with chains of all types, and no verb knows of it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { generateIdentity } from '../../core/codecs/age/keys';
import { DEPTHS } from '../../core/records/evidence';
import { readRuns } from '../../core/records/journal/runs';
import { objectKey } from '../../core/records/layout';
import { Repository } from '../../core/records/repository';
import { registerKind } from '../../core/sources/registry';
import type { Restorer } from '../../core/sources/source';
import { openStream } from '../../core/streams/pipeline';
import { MemoryStorage } from '../../core/storage/memory';
import { type BackupRequest, backUp } from '../../core/verbs/backup/backup';
import { copyBackup } from '../../core/verbs/copy/copy';
import { applyRetention } from '../../core/verbs/expire/expire';
import { restoreBackup } from '../../core/verbs/restore/restore';
import { verifyBackup } from '../../core/verbs/verify/verify';
import { makeTinyBackup } from '../support/tiny-backups';
import { noteDrill, noteKind, noteRestorer, type NoteOptions, noteSource } from '../support/note-kind';
import { until } from '../support/until';

const GROUP = 'notes/diary';
const { signal } = new AbortController();
/** What the file held at each backup. */
const TEXTS = ['monday\ntuesday', 'monday\ntuesday\nwednesday', 'monday\nTuesday!\nwednesday\nthursday'];

registerKind(noteKind);

let folder: string;
let file: string;
let keys: { identities: string[] };
let recipient: string;
let storage: MemoryStorage;
let repository: Repository;
beforeEach(async () => {
	folder = mkdtempSync(join(tmpdir(), 'second-kind-'));
	file = join(folder, 'diary.txt');
	storage = new MemoryStorage();
	repository = await Repository.open(storage, { create: true });
	const pair = await generateIdentity();
	keys = { identities: [pair.identity] };
	recipient = pair.recipient;
});
afterEach(() => rmSync(folder, { recursive: true }));

async function back(type: BackupRequest['type'], text: string, options: NoteOptions = {}, change = {}) {
	writeFileSync(file, text);
	const encryption = { recipients: [recipient] };
	const source = noteSource(file, options);
	const { manifest } = await backUp({
		...{ storage, group: GROUP, source, type, encryption, proveWith: keys, signal },
		...change,
	});
	return manifest;
}

/** Full, differential, incremental. */
async function chain() {
	const full = await back('full', TEXTS[0]!);
	const differential = await back('differential', TEXTS[1]!);
	const incremental = await back('incremental', TEXTS[2]!);
	return [full, differential, incremental] as const;
}

async function restored(label: string, from = repository, restorer: Restorer = noteRestorer(join(folder, 'restored'))) {
	await restoreBackup({ repository: from, group: GROUP, label, keys, restorer, signal });
	return readFileSync(join(folder, 'restored'), 'utf8');
}

const verify = async (label: string, depth: (typeof DEPTHS)[number], from = repository) =>
	await verifyBackup({
		...{ repository: from, group: GROUP, label, depth, keys, signal },
		drills: depth === 'restored' ? [noteDrill()] : [],
	});

describe('a chain of backups of another kind', () => {
	it('says in each manifest its type, what it needs, and which backup came before', async () => {
		const [full, differential, incremental] = await chain();
		expect([full, differential, incremental].map(({ type, parents }) => ({ type, parents }))).toEqual([
			{ type: 'full', parents: [] },
			{ type: 'differential', parents: [full.label] },
			{ type: 'incremental', parents: [differential.label, full.label] },
		]);
		expect(incremental.previous).toMatchObject({ label: differential.label });
		expect(full.previous).toBeNull();
		expect((await repository.list(GROUP)).map(({ type }) => type)).toEqual(['full', 'differential', 'incremental']);
	});

	it('is verified at all three depths and restored, each of it to what it held', async () => {
		for (const [at, { label }] of (await chain()).entries()) {
			for (const depth of DEPTHS) expect(await verify(label, depth)).toMatchObject({ outcome: 'ok', depth });
			expect(await restored(label)).toBe(TEXTS[at]);
		}
		const runs = await readRuns(storage, { from: new Date(0), to: new Date('2100-01-01') });
		expect(runs.filter(({ verb }) => verb === 'restore').map(({ state, facts }) => [state, facts.lines])).toEqual([
			['ok', 2],
			['ok', 3],
			['ok', 4],
		]);
	});

	it('is copied with all that a backup needs, and restored from there', async () => {
		const [full, differential, incremental] = await chain();
		const to = new MemoryStorage('memory:elsewhere');
		const copied = await copyBackup({ from: repository, to, group: GROUP, label: incremental.label, signal });
		expect(copied).toMatchObject({ status: 'copied', parents: [full.label, differential.label] });
		const there = await Repository.open(to);
		expect(await verify(incremental.label, 'restored', there)).toMatchObject({ outcome: 'ok' });
		expect(await restored(incremental.label, there)).toBe(TEXTS[2]);
	});

	it('expires only together: what a kept backup needs stays', async () => {
		const [full, differential, incremental] = await chain();
		for (const { label } of [full, differential, incremental]) await verify(label, 'stored');
		const apply = async () =>
			await applyRetention({ repository, group: GROUP, policy: { last: 1, minimum: 1 }, signal });
		expect(await apply()).toMatchObject({ removed: [] });
		const next = await back('full', TEXTS[2]!);
		await verify(next.label, 'stored');
		expect((await apply()).removed.toSorted()).toEqual([full, differential, incremental].map(({ label }) => label));
		expect(await restored(next.label)).toBe(TEXTS[2]);
	});

	it('is held as a whole while one of it is restored', async () => {
		const labels = (await chain()).map(({ label }) => label);
		let marked: string[] = [];
		const slow = noteRestorer(join(folder, 'restored'));
		const watching: Restorer = {
			kind: 'note',
			async restore(backup, run) {
				marked = [];
				for await (const { key } of storage.list('locks/')) {
					if (!key.includes('.reading-')) continue;
					const chunks: Buffer[] = [];
					for await (const chunk of await storage.read(key)) chunks.push(chunk as Buffer);
					marked.push((JSON.parse(Buffer.concat(chunks).toString()) as { label: string }).label);
				}
				return await slow.restore(backup as Parameters<typeof slow.restore>[0], run);
			},
		};
		await restored(labels[2]!, repository, watching);
		expect(marked.toSorted()).toEqual(labels);
		await until('the marks are gone', async () => {
			for await (const { key } of storage.list('locks/')) if (key.includes('.reading-')) return false;
			return true;
		});
	});
});

describe('a chain that is broken', () => {
	it('because a parent is gone is bad, and is refused by a restore', async () => {
		const [full, , incremental] = await chain();
		await storage.remove(objectKey(GROUP, full.label, 'manifest.json'));
		expect(await verify(incremental.label, 'stored')).toMatchObject({
			outcome: 'bad',
			message: expect.stringContaining(full.label),
		});
		await expect(restored(incremental.label)).rejects.toMatchObject({ message: expect.stringContaining(full.label) });
		await expect(back('incremental', 'more')).rejects.toMatchObject({ message: expect.stringContaining(full.label) });
	});

	it('because the data of a parent is gone is bad at every depth', async () => {
		const [full, , incremental] = await chain();
		await storage.remove(objectKey(GROUP, full.label, full.parts[0]!.name));
		for (const depth of DEPTHS) {
			expect(await verify(incremental.label, depth)).toMatchObject({
				outcome: 'bad',
				code: 'not-found',
				message: expect.stringContaining(`it needs ${full.label}`),
			});
		}
		await expect(restored(incremental.label)).rejects.toMatchObject({ code: 'not-found' });
	});

	it('is never made: without a backup to build on, a differential is refused with what to do', async () => {
		await expect(back('differential', TEXTS[0]!)).rejects.toMatchObject({
			code: 'not-found',
			hint: 'Make a full backup first.',
		});
		expect(await repository.list(GROUP)).toEqual([]);
	});
});

describe('a host that knows recipients only', () => {
	it('makes no incremental without a host key, and says why', async () => {
		await back('full', TEXTS[0]!, {}, { proveWith: undefined });
		await expect(back('incremental', TEXTS[1]!, {}, { proveWith: undefined })).rejects.toMatchObject({
			code: 'wrong-identity',
			message: expect.stringContaining('no key was given'),
		});
	});

	it('makes one with a host key, which opens the contents and no data', async () => {
		const host = await generateIdentity();
		const only = { proveWith: undefined, hostKey: host.identity };
		const full = await back('full', TEXTS[0]!, {}, only);
		expect(full.encryption).toMatchObject({ recipients: [recipient], host: host.recipient });
		const { label } = await back('incremental', TEXTS[1]!, {}, only);
		expect(await restored(label)).toBe(TEXTS[1]);
		const read = { storage, group: GROUP, label: full.label, keys: { identities: [host.identity] }, signal };
		const [data, contents] = full.parts;
		expect((await buffer(await openStream({ ...read, stream: contents! }))).length).toBeGreaterThan(0);
		await expect(buffer(await openStream({ ...read, stream: data! }))).rejects.toMatchObject({
			code: 'wrong-identity',
		});
	});

	it('with another host key than that of the backup before makes no incremental', async () => {
		const keyOf = async () => ({ proveWith: undefined, hostKey: (await generateIdentity()).identity });
		await back('full', TEXTS[0]!, {}, await keyOf());
		await expect(back('incremental', TEXTS[1]!, {}, await keyOf())).rejects.toMatchObject({ code: 'wrong-identity' });
	});
});

describe('a backup of another kind', () => {
	it('is full where its source cannot build on what is there', async () => {
		await back('full', TEXTS[0]!);
		const again = await back('incremental', TEXTS[1]!, { alwaysFull: true });
		expect(again).toMatchObject({ type: 'full', parents: [], label: expect.stringContaining('-full-') });
		expect(await restored(again.label)).toBe(TEXTS[1]);
	});

	it('builds on nothing that a verification found bad', async () => {
		const full = await back('full', TEXTS[0]!);
		const bad = await back('full', TEXTS[1]!);
		await storage.remove(objectKey(GROUP, bad.label, bad.parts[0]!.name));
		expect(await verify(bad.label, 'stored')).toMatchObject({ outcome: 'bad' });
		expect(await back('differential', TEXTS[2]!)).toMatchObject({ parents: [full.label] });
	});

	it('that could not take everything says so, and its run is degraded', async () => {
		expect(await back('full', TEXTS[0]!, { incomplete: true })).toMatchObject({
			status: 'incomplete',
			warnings: ['a line could not be read'],
		});
		const [run] = await readRuns(storage, { from: new Date(0), to: new Date('2100-01-01') });
		expect(run).toMatchObject({ verb: 'backup', state: 'degraded' });
	});

	it('is not restored where databases are, and the other way round', async () => {
		const { label } = await back('full', TEXTS[0]!);
		const wrong: Restorer = { ...noteRestorer(file), kind: 'postgres' };
		await expect(restored(label, repository, wrong)).rejects.toMatchObject({
			code: 'invalid-input',
			message: `${GROUP}/${label} is a backup of a note`,
		});
		expect(
			await verifyBackup({
				...{ repository, group: GROUP, label, depth: 'restored', keys, signal },
				drills: [{ ...noteDrill(), kind: 'postgres' }],
			}),
		).toMatchObject({ outcome: 'environment', code: 'invalid-input', evidence: null });
		const database = await makeTinyBackup(storage, 'postgres/shop');
		await expect(
			restoreBackup({
				...{ repository, group: 'postgres/shop', label: database.label, keys, signal },
				restorer: noteRestorer(file),
			}),
		).rejects.toMatchObject({ message: expect.stringContaining('is a backup of a database') });
	});

	it('shares no group with databases', async () => {
		await makeTinyBackup(storage, GROUP);
		await expect(back('incremental', TEXTS[0]!)).rejects.toMatchObject({
			code: 'invalid-input',
			hint: 'Give each source a group of its own.',
		});
	});

	it('is of a kind that this version does not know: it is copied and its bytes are verified, and nothing else', async () => {
		const { label } = await back('full', TEXTS[0]!);
		const manifest = await repository.readManifest(GROUP, label);
		await storage.remove(objectKey(GROUP, label, 'manifest.json'));
		await repository.writeManifest({ ...manifest, source: { ...manifest.source, kind: 'moon' } });
		expect(await verify(label, 'stored')).toMatchObject({ outcome: 'ok' });
		expect(await verify(label, 'readable')).toMatchObject({ outcome: 'environment', code: 'unsupported' });
		await expect(restored(label)).rejects.toMatchObject({
			code: 'unsupported',
			hint: expect.stringContaining('Update'),
		});
		const to = new MemoryStorage('memory:elsewhere');
		expect(await copyBackup({ from: repository, to, group: GROUP, label, signal })).toMatchObject({ status: 'copied' });
	});
});
