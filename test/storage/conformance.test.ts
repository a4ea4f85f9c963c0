/** Every storage against the one contract. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { FolderStorage } from '../../core/storage/folder/folder';
import { limitStorage } from '../../core/storage/limited';
import { MemoryStorage } from '../../core/storage/memory';
import { RetryingStorage } from '../../core/storage/retrying';
import type { Storage } from '../../core/storage/storage';
import { describeStorage, type Subject } from './conformance';

async function memory(): Promise<Subject> {
	const storage = new MemoryStorage();
	return { storage, everything: () => keysOf(storage) };
}

async function folder(): Promise<Subject> {
	const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'folder-'));
	return {
		storage: new FolderStorage({ path: dir }),
		// Folders too, but only as parts of names: an empty one would show.
		everything: async () => {
			const entries = await fs.readdir(dir, { recursive: true });
			return entries.filter((name) => !entries.some((other) => other.startsWith(`${name}/`)));
		},
		done: () => fs.rm(dir, { recursive: true }),
	};
}

async function keysOf(storage: Storage): Promise<string[]> {
	const keys: string[] = [];
	for await (const { key } of storage.list('')) keys.push(key);
	return keys;
}

const files = { namesAreFoldersOrObjects: { reason: 'a path in a file system is a file or a folder' } };

describeStorage('memory', memory);
describeStorage('folder', folder, files);
describeStorage('retries around memory', async () => {
	const { storage, ...rest } = await memory();
	return { storage: new RetryingStorage(storage), ...rest };
});
describeStorage('limits around memory', async () => {
	const { storage, ...rest } = await memory();
	const signal = new AbortController().signal;
	return { storage: limitStorage(storage, { stallTimeoutMs: 60_000, signal }), ...rest };
});
describeStorage(
	'retries around a folder',
	async () => {
		const { storage, ...rest } = await folder();
		return { storage: new RetryingStorage(storage), ...rest };
	},
	files,
);
