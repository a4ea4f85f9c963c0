/** A run killed with -9 leaves no object, and nothing that the next run cannot remove. */
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createStorage } from '../../../core/storage/create';
import { type StorageConfig } from '../../../core/storage/config';
import { sharedS3 } from '../../support/s3';
import { rounds } from '../../support/soak';

const server = sharedS3();
const KILLS = rounds(1, 40);
const TIMEOUT_MS = 180_000 + KILLS * 10_000;

/** Starts a writer, kills it once bytes are safe, and gives the storage it wrote to. */
async function killWriter(config: StorageConfig) {
	const hook = path.join(__dirname, '../../support/typescript.cjs');
	const child = spawn(process.execPath, ['--require', hook, path.join(__dirname, 'endless-writer.ts')], {
		env: { ...process.env, CONFIG: JSON.stringify(config) },
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	const gone = new Promise((resolve) => child.once('exit', resolve));
	await Promise.race([new Promise((resolve) => child.stdout.once('data', resolve)), gone]);
	expect(child.exitCode).toBeNull();
	child.kill('SIGKILL');
	await gone;
	const storage = createStorage(config);
	expect(await storage.stat('shop/1/dump.sql')).toBeNull();
	expect((await storage.list('')[Symbol.asyncIterator]().next()).done).toBe(true);
	return storage;
}

it(
	'in a folder',
	async () => {
		const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'folder-'));
		for (let round = 0; round < KILLS; round++) {
			const storage = await killWriter({ type: 'folder', path: dir });
			expect(await fs.readdir(path.join(dir, 'shop/1'))).toHaveLength(1);
			expect(await storage.removeUnfinished('shop/')).toBe(1);
			expect(await fs.readdir(dir)).toEqual([]);
		}
		await fs.rm(dir, { recursive: true });
	},
	TIMEOUT_MS,
);

it(
	'in S3',
	async () => {
		const bucket = await server().makeBucket();
		for (let round = 0; round < KILLS; round++) {
			const storage = await killWriter({ type: 's3', ...server().options(bucket) });
			expect(await server().unfinished(bucket)).toEqual(['shop/1/dump.sql']);
			expect(await storage.removeUnfinished('shop/')).toBe(1);
			expect(await server().unfinished(bucket)).toEqual([]);
			await storage.close();
		}
	},
	TIMEOUT_MS,
);
