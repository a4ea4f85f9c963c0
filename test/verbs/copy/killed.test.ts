/** `n8n-backup copy`, killed with -9 at random moments: never a false backup, and a last copy ends what they began. */
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { copyToAll } from '../../../core/verbs/copy/copy';
import { findStaleLocks, removeStaleLocks } from '../../../core/records/locks/lock';
import { Repository } from '../../../core/records/repository';
import { createStorage } from '../../../core/storage/create';
import { type StorageConfig } from '../../../core/storage/config';
import type { Storage } from '../../../core/storage/storage';
import { type CompiledProgram, compileProgram } from '../../support/compiled-program';
import { sharedS3 } from '../../support/s3';
import { NEVER } from '../../support/small-backup';
import { goesOn, rounds, tell } from '../../support/soak';
import { buildBackup } from '../../support/build-backup';
import { assertConsistent, assertSound, contentOf } from '../../support/stored-backups';

const s3 = sharedS3();
/** Into each kind of destination. */
const ROUNDS = rounds(8, 100);
const BYTES = 12_000_000;

let program: CompiledProgram;
let base: string;
let from: Repository;
let labels: string[];
beforeAll(async () => {
	program = compileProgram();
	// A process that ends well leaves what it compiled to those that are killed.
	await once(program.start(['--help']), 'exit');
	// A killed process takes no file along: a folder in memory proves the same, many times faster.
	base = fs.mkdtempSync(path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), 'copy-killed-'));
	from = await Repository.open(createStorage(newFolder('source')), { create: true });
	const full = await buildBackup(from, { bytes: BYTES, tags: ['audit'] });
	labels = [full, await buildBackup(from, { type: 'incremental', parents: [full], bytes: BYTES })];
}, 120_000);
afterAll(() => {
	program.remove();
	fs.rmSync(base, { recursive: true, force: true });
});

function newFolder(name: string): StorageConfig {
	fs.mkdirSync(path.join(base, name));
	return { type: 'folder', path: path.join(base, name) };
}

interface Destination {
	config: StorageConfig;
	url: string;
	env: NodeJS.ProcessEnv;
}

const DESTINATIONS: Record<string, () => Promise<Destination>> = {
	folder: async () => ({ config: newFolder('second'), url: `file://${base}/second`, env: {} }),
	s3: async () => {
		const bucket = await s3().makeBucket();
		const { accessKey, secretKey } = s3().keys;
		return {
			config: { type: 's3', ...s3().options(bucket) },
			url: `s3://${bucket}?endpoint=${s3().endpoint}&region=us-east-1`,
			env: { N8N_BACKUP_TO_AWS_ACCESS_KEY_ID: accessKey, N8N_BACKUP_TO_AWS_SECRET_ACCESS_KEY: secretKey },
		};
	},
};

/** Starts a copy and kills it some time after it has begun to read. */
async function killAfter(ms: number, { url, env }: Destination): Promise<void> {
	const marks = () =>
		fs.readdirSync(path.join(base, 'source'), { recursive: true }).filter((file) => /reading/.test(String(file)));
	const before = marks().length;
	const child = program.start(['copy', '--storage', `file://${base}/source`, '--to-storage', url, '--missing'], env);
	const ended = once(child, 'exit');
	while (marks().length === before && child.exitCode === null) await delay(2);
	await Promise.race([delay(ms), ended]);
	child.kill('SIGKILL');
	await ended;
	expect([null, 0]).toContain(child.exitCode);
}

async function clear(storage: Storage): Promise<void> {
	for await (const { key } of storage.list('')) await storage.remove(key);
	await storage.removeUnfinished('');
}

it.each(Object.keys(DESTINATIONS))(
	`${ROUNDS} times into %s`,
	async (kind) => {
		const destination = await DESTINATIONS[kind]!();
		const to = createStorage(destination.config);
		const seen = { none: 0, parts: 0, one: 0, all: 0 };
		// Until when a kill still comes in time is learned as we go: late ones make the next ones earlier.
		let longest = 1000;
		const struck = () => seen.one + seen.parts;
		for (let round = 0; goesOn(round, ROUNDS, struck()); round++) {
			await killAfter(Math.random() * longest, destination);
			const there = await assertConsistent(to);
			const state =
				there.length === 2 ? 'all' : there.length === 1 ? 'one' : (await contentOf(to)).size > 0 ? 'parts' : 'none';
			seen[state]++;
			longest *= state === 'all' ? 0.9 : 1.05;
			// What has arrived is where the next one goes on; when all has, begin anew.
			if (state === 'all') await clear(to);
		}
		tell(`killed in the middle of a copy into ${kind}: ${JSON.stringify(seen)}`);
		// Else the test would prove nothing.
		expect(struck()).toBeGreaterThan(0);

		const { outcome } = await copyToAll({ from, to: [to], missing: {}, signal: NEVER });
		expect(outcome).toBe('ok');
		expect(await assertConsistent(to)).toEqual(labels);
		for (const storage of [from.storage, to]) {
			await assertSound(storage);
			await removeStaleLocks(storage);
			expect(await findStaleLocks(storage)).toEqual([]);
			// What was written to learn the storage's time tells nothing of its writer, and goes by its age.
			await removeStaleLocks(storage, { staleAfterMs: 0 });
			for await (const { key } of storage.list('locks/')) expect(key).toBe('none is left');
		}
		for await (const { key } of to.unfinished('postgres/')) expect(key).toBe('none is left');
		const copied = await contentOf(to);
		for (const [key, bytes] of await contentOf(from.storage)) {
			// The source was verified once more just now.
			if (!key.includes('/verified-')) expect(copied.get(key)?.equals(bytes)).toBe(true);
		}
		await to.close();
	},
	60_000 + ROUNDS * 30_000,
);
