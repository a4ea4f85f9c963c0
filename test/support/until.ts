/** Waiting for what other processes do: by looking, never by a guessed time. */
import { setTimeout as delay } from 'node:timers/promises';

const DEADLINE_MS = 60_000;
const FIRST_PAUSE_MS = 20;
/** To look at n8n twenty times a second takes as much of a core as what is waited for. */
const LONGEST_PAUSE_MS = 500;

/**
 * Looks again and again until something is so, less often the longer it takes.
 * @param what for the message: "the dump reads rows"
 * @throws Error when it is not so after a minute
 */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
	const deadline = Date.now() + DEADLINE_MS;
	for (let pause = FIRST_PAUSE_MS; !(await isSo()); pause = Math.min(pause * 1.25, LONGEST_PAUSE_MS)) {
		if (Date.now() > deadline) throw new Error(`waited for a minute in vain until ${what}`);
		await delay(pause);
	}
}
