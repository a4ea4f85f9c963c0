/** A process of its own that writes without end into the storage of the environment variable CONFIG, to be killed. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { createStorage } from '../../../core/storage/create';
import { type StorageConfig } from '../../../core/storage/config';

const storage = createStorage(JSON.parse(process.env.CONFIG ?? '') as StorageConfig);
const body = Readable.from(
	(function* () {
		for (;;) yield randomBytes(1024 * 1024);
	})(),
	{ objectMode: false },
);
const onProgress = (bytes: number) => process.stdout.write(`${bytes}\n`);
storage.write('shop/1/dump.sql', body, { onProgress }).catch((error: unknown) => {
	throw error;
});
