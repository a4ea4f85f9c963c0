/** Reading and writing objects that are small enough for memory: manifests, locks, evidence. */
import { Readable } from 'node:stream';
import { collect } from '../base/collect';
import { BackupError } from '../base/errors';
import type { Storage, StoredObject, WriteOptions } from '../storage/storage';

/** A manifest has a few kilobytes; a megabyte is a sign of an attack or an accident. */
const MAX_TEXT_BYTES = 1024 * 1024;

/**
 * The text of a small object.
 * @throws BackupError 'not-found', 'damaged' when it is larger than a megabyte
 */
export async function readText(storage: Storage, key: string, signal?: AbortSignal): Promise<string> {
	const tooLarge = () =>
		new BackupError('damaged', `${storage.location}/${key} is larger than a megabyte`, {
			hint: 'This is not a file this program wrote. Look at who else writes to this storage.',
		});
	return (await collect(await storage.read(key, { signal }), MAX_TEXT_BYTES, tooLarge)).toString('utf8');
}

/**
 * Stores a small text; never overwrites.
 * @throws BackupError 'invalid-input' for one of more than a megabyte, which could not be read again
 */
export async function writeText(
	storage: Storage,
	key: string,
	text: string,
	options?: WriteOptions,
): Promise<StoredObject> {
	const bytes = Buffer.from(text);
	if (bytes.length > MAX_TEXT_BYTES) {
		throw new BackupError('invalid-input', `${storage.location}/${key} would be larger than a megabyte`, {
			hint: 'It could not be read again. Make fewer things one backup.',
		});
	}
	return await storage.write(key, Readable.from([bytes]), options);
}
