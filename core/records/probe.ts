/** A small object that is written to learn something of a storage, and does not stay where it can be removed. */
import { randomUUID } from 'node:crypto';
import { randomWord } from '../base/random-word';
import type { Storage } from '../storage/storage';
import { probeKey } from './layout';
import { writeText } from './small-objects';

/**
 * Writes the object, does something with it, and removes it. In a storage that keeps everything it stays, under a name that
 * prune removes elsewhere.
 * @param text what to say to somebody who finds it
 */
export async function withProbe<T>(
	storage: Storage,
	text: string,
	use: (key: string) => Promise<T>,
	signal?: AbortSignal,
): Promise<T> {
	const key = storage.appendOnly ? probeKey('check', randomWord(12)) : `check-${randomUUID()}.txt`;
	await writeText(storage, key, text, { signal });
	try {
		return await use(key);
	} finally {
		if (!storage.appendOnly) await storage.remove(key);
	}
}
