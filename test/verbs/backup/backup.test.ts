import { contentsOf } from '../../../core/records/manifest';
import { openFull } from '../../support/database-verbs';
import { type GivenDump, openDump } from '../../support/dump-source';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type BackupRequest, backUp } from '../../../core/verbs/backup/backup';
import { BackupError } from '../../../core/base/errors';
import type { DecryptionKeys, Encryption } from '../../../core/codecs/age/age';
import { generateIdentity } from '../../../core/codecs/age/keys';
import { createLabel } from '../../../core/records/label';
import { openStream } from '../../../core/streams/pipeline';
import { Repository } from '../../../core/records/repository';
import { objectKey } from '../../../core/records/layout';
import { writeText } from '../../../core/records/small-objects';
import type { Source } from '../../../core/sources/source';
import { AgedStorage } from '../../support/aged-storage';
import { MemoryStorage } from '../../../core/storage/memory';
import type { Storage } from '../../../core/storage/storage';
import { keysBesideJournal, keysIn } from '../../support/journal';

const GROUP = 'postgres/shop';
const CONTENTS = { format: 1, tables: [{ schema: 'public', name: 'secret_table', rows: 3 }] };
const DATA = Buffer.from(Array.from({ length: 300_000 }, (_, i) => `row ${i} ${i * 7919}\n`).join(''));

/** A source whose every step a test can change. */
function source(change: Partial<GivenDump> & { onClose?: () => void } = {}): Source {
	return {
		kind: 'postgres',
		open: async () =>
			openDump({
				body: Readable.from(slices(DATA)),
				finish: async () => ({ details: { engine: 'builtin' }, contents: CONTENTS, warnings: ['of the source'] }),
				close: async () => change.onClose?.(),
				...change,
			}),
	};
}

function* slices(data: Buffer): Generator<Buffer> {
	for (let at = 0; at < data.length; at += 100_000) yield data.subarray(at, at + 100_000);
}

/** A body that gives some bytes and then does what `then` says. */
function bodyThen(then: () => Promise<void>): Readable {
	return Readable.from(
		(async function* () {
			yield* slices(DATA);
			await then();
		})(),
	);
}

let keys: DecryptionKeys;
let encryption: Encryption;
beforeAll(async () => {
	const { identity, recipient } = await generateIdentity();
	keys = { identities: [identity] };
	encryption = { recipients: [recipient] };
});

function request(change: Partial<BackupRequest> = {}): BackupRequest & { storage: Storage } {
	const signal = new AbortController().signal;
	return { storage: new MemoryStorage(), group: GROUP, source: source(), encryption, signal, ...change };
}

describe('a backup', () => {
	it('stores object, contents and manifest, and what comes back is what the source gave', async () => {
		const job = request({ proveWith: keys });
		const { manifest } = await backUp(job);
		expect(await keysBesideJournal(job.storage)).toEqual(
			['contents.json.zst.age', 'dump.sql.zst.age', 'manifest.json']
				.map((name) => objectKey(GROUP, manifest.label, name))
				.concat('repository.json'),
		);
		const open = { storage: job.storage, group: GROUP, label: manifest.label, keys, signal: job.signal };
		expect(DATA.equals(await buffer(await openStream({ ...open, stream: manifest.parts[0]! })))).toBe(true);
		const contents = await buffer(await openStream({ ...open, stream: contentsOf(manifest) }));
		expect(JSON.parse(contents.toString())).toEqual(CONTENTS);
		const repository = await Repository.open(job.storage);
		expect(await repository.readManifest(GROUP, manifest.label)).toEqual(manifest);
		expect(manifest).toMatchObject({
			encryption: { method: 'recipients', proved: true },
			source: { kind: 'postgres', details: { engine: 'builtin' } },
			warnings: ['of the source'],
		});
	});

	it('opens by hand with age and zstd, and b2sum and sha256sum agree with its manifest', async () => {
		const folder = mkdtempSync(join(tmpdir(), 'by-hand-'));
		try {
			const job = request();
			const { manifest } = await backUp(job);
			const stored = await buffer(await job.storage.read(objectKey(GROUP, manifest.label, 'dump.sql.zst.age')));
			writeFileSync(join(folder, 'dump.sql.zst.age'), stored);
			writeFileSync(join(folder, 'key.txt'), `${keys.identities![0]}\n`);
			const sh = (command: string) => execFileSync('sh', ['-c', command], { cwd: folder, maxBuffer: 1e9 }).toString();
			sh('age -d -i key.txt dump.sql.zst.age | zstd -dq > dump.sql');
			expect(sh('b2sum dump.sql').split(' ')[0]).toBe(manifest.parts[0]!.original.blake2b512);
			expect(sh('sha256sum dump.sql.zst.age').split(' ')[0]).toBe(manifest.parts[0]!.stored.sha256);
		} finally {
			rmSync(folder, { recursive: true });
		}
	});

	it('without encryption needs zstd only, and the manifest says so', async () => {
		const job = request({ encryption: null });
		const { manifest } = await backUp(job);
		expect(manifest).toMatchObject({ encryption: null, codecs: ['zstd'], parts: [{ name: 'dump.sql.zst' }, {}] });
		const open = { storage: job.storage, group: GROUP, label: manifest.label, keys: null, signal: job.signal };
		expect(DATA.equals(await buffer(await openStream({ ...open, stream: manifest.parts[0]! })))).toBe(true);
	});

	it('says when nobody here could prove that it opens', async () => {
		expect((await backUp(request())).manifest.encryption).toMatchObject({ proved: false });
	});

	it('names no table in what is not encrypted', async () => {
		const job = request();
		await backUp(job);
		for (const key of await keysIn(job.storage)) {
			expect((await buffer(await job.storage.read(key))).includes('secret_table')).toBe(false);
		}
	});

	it('has a label behind that of the one before, also within one second', async () => {
		const { storage } = request();
		const labels: string[] = [];
		for (let n = 0; n < 12; n++) {
			const { manifest } = await backUp(
				request({ storage, source: source({ body: Readable.from([Buffer.from('x')]) }) }),
			);
			expect(manifest.previous?.label ?? null).toBe(labels.at(-1) ?? null);
			labels.push(manifest.label);
		}
		expect(labels).toEqual(labels.toSorted());
	});

	it('removes what an earlier run left, and says so', async () => {
		const job = { ...request(), storage: new AgedStorage(/dump/, 25) };
		const orphan = objectKey(GROUP, createLabel('full', new Date(0)), 'dump.sql.zst.age');
		await writeText(job.storage, orphan, 'half a dump');
		const { manifest } = await backUp(job);
		expect(manifest.warnings).toContain('removed 1 leftover of earlier runs that did not finish');
		expect(await keysIn(job.storage)).not.toContain(orphan);
	});
});

describe('a backup that fails', () => {
	const lost = new BackupError('connection-lost', 'the server went away');

	async function expectNothingLeft(job: BackupRequest, error: object): Promise<void> {
		await expect(backUp(job)).rejects.toMatchObject(error);
		expect(await keysBesideJournal(job.storage)).toEqual(['repository.json']);
		// The next run is not held up by anything.
		await backUp({ ...job, source: source(), signal: new AbortController().signal, limits: {}, proveWith: undefined });
	}

	it('because the source broke leaves nothing', async () => {
		const body = bodyThen(() => Promise.reject(lost));
		await expectNothingLeft(request({ source: source({ body }) }), lost);
	});

	it('because the source ended without a word, and not at its end, leaves nothing', async () => {
		let left = 5;
		const body = new Readable({
			read() {
				if (left-- > 0) this.push(DATA.subarray(0, 100_000));
				else this.destroy();
			},
		});
		await expectNothingLeft(request({ source: source({ body }) }), { code: 'incomplete' });
	});

	it('because the source takes its word back at the end leaves nothing', async () => {
		await expectNothingLeft(request({ source: source({ finish: () => Promise.reject(lost) }) }), lost);
	});

	it('because it was cancelled leaves nothing and closes the source', async () => {
		const stop = new AbortController();
		let closed = 0;
		const body = bodyThen(async () => {
			stop.abort();
			await new Promise(() => undefined);
		});
		const job = request({ source: source({ body, onClose: () => closed++ }), signal: stop.signal });
		await expectNothingLeft(job, { code: 'cancelled' });
		expect(closed).toBeGreaterThan(0);
	});

	it('because the source stalled says which side it waited for', async () => {
		const body = bodyThen(() => new Promise(() => undefined));
		const job = request({ source: source({ body }), limits: { stallTimeoutMs: 200 } });
		await expectNothingLeft(job, { code: 'stalled', message: expect.stringContaining('waiting for the source') });
	});

	it('because it took too long leaves nothing', async () => {
		const endless = Readable.from(
			(async function* () {
				for (;;) {
					yield DATA.subarray(0, 1000);
					await new Promise((resolve) => setTimeout(resolve, 5));
				}
			})(),
		);
		const job = request({ source: source({ body: endless }), limits: { hardTimeoutMs: 300 } });
		await expectNothingLeft(job, { code: 'timed-out' });
	});

	it('because the identity of the credential does not open it leaves nothing', async () => {
		const { identity } = await generateIdentity();
		const job = request({ proveWith: { identities: [identity] } });
		await expectNothingLeft(job, { code: 'wrong-identity', hint: expect.stringContaining('recipient') });
	});

	it('because the storage stalls says so', async () => {
		const storage = new MemoryStorage();
		const write = storage.write.bind(storage);
		storage.write = async (key, body, options) => {
			if (!key.includes('dump')) return await write(key, body, options);
			return await new Promise((_, reject) =>
				options!.signal!.addEventListener('abort', () => reject(options!.signal!.reason as Error)),
			);
		};
		await expect(backUp(request({ storage, limits: { stallTimeoutMs: 200 } }))).rejects.toMatchObject({
			code: 'stalled',
			message: expect.stringContaining('waiting for the storage memory:'),
		});
	});

	it('does not start while another run writes to the group', async () => {
		const storage = new MemoryStorage();
		let release!: () => void;
		const held = new Promise<void>((resolve) => (release = resolve));
		const opened = new Promise<void>((resolve) => {
			const body = bodyThen(() => held);
			const slow = {
				...source(),
				open: async () => (resolve(), await openFull(source({ body }))),
			};
			first = backUp(request({ storage, source: slow }));
		});
		await opened;
		await expect(backUp(request({ storage }))).rejects.toMatchObject({ code: 'locked' });
		release();
		await first;
	});
	let first: Promise<unknown>;
});

describe('a rate limit', () => {
	it('holds the source back', async () => {
		const bytes = DATA.subarray(0, 1_000_000);
		const job = request({
			source: source({ body: Readable.from(slices(bytes)) }),
			limits: { bytesPerSecond: 2_000_000 },
		});
		const start = performance.now();
		await backUp(job);
		expect(performance.now() - start).toBeGreaterThan(450);
	});
});
