/** A storage in memory whose objects look older in its listings than they are. */
import { MemoryStorage } from '../../core/storage/memory';
import type { CallOptions, StoredObject } from '../../core/storage/storage';

export class AgedStorage extends MemoryStorage {
	/** @param keys which objects; by how many hours */
	constructor(
		private readonly keys: RegExp,
		private readonly hours: number,
	) {
		super();
	}

	override async *list(prefix: string, options?: CallOptions): AsyncGenerator<StoredObject> {
		for await (const object of super.list(prefix, options)) {
			const isOld = this.keys.test(object.key) && !object.key.startsWith('locks/');
			const modifiedAt = new Date(object.modifiedAt.getTime() - (isOld ? this.hours * 3_600_000 : 0));
			yield { ...object, modifiedAt };
		}
	}
}
