/** Waiting for what other processes do: by looking, never by a guessed time. */
import { setTimeout as delay } from 'node:timers/promises';

const DEADLINE_MS = 60_000;

/**
 * Looks again and again until something is so.
 * @param what for the message: "the dump reads rows"
 * @throws Error when it is not so after a minute
 */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
	const deadline = Date.now() + DEADLINE_MS;
	while (!(await isSo())) {
		if (Date.now() > deadline) throw new Error(`waited for a minute in vain until ${what}`);
		await delay(50);
	}
}
