/** A storage whose server ignores "only if absent": who writes looks before, and writes over what came to be meanwhile. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { BackupError } from '../../core/base/errors';
import { MemoryStorage } from '../../core/storage/memory';
import type { OnlyIfAbsent, StoredObject, WriteOptions } from '../../core/storage/storage';

export class OverwritingStorage extends MemoryStorage {
	/** How often somebody asked. */
	asked = 0;

	constructor(private readonly found: OnlyIfAbsent = 'ignored') {
		super();
	}

	async onlyIfAbsent(): Promise<OnlyIfAbsent> {
		this.asked++;
		return this.found;
	}

	override async write(key: string, body: Readable, options?: WriteOptions): Promise<StoredObject> {
		const bytes = await buffer(body);
		if (await this.stat(key)) throw new BackupError('already-exists', `${key} already exists`);
		// Time for others to look as well.
		await sleep(20);
		await this.remove(key);
		return await super.write(key, Readable.from([bytes], { objectMode: false }), options);
	}
}
