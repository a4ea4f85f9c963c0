/** Says what is going on, and that it still goes on, so that nobody stares at silence. */

const STILL_EVERY_MS = 10_000;
const began = Date.now();

/** @param {string} text one line for people, with the seconds since the program began */
export function say(text) {
	process.stdout.write(`[${String(Math.round((Date.now() - began) / 1000)).padStart(4)} s] ${text}\n`);
}

/**
 * Announces a piece of work, repeats every ten seconds that it is still going on, and says how long it took.
 * @template T
 * @param {string} title "install n8n"
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(title, work) {
	const start = Date.now();
	const seconds = () => Math.round((Date.now() - start) / 1000);
	say(`${title} …`);
	const still = setInterval(() => say(`  still at it: ${title} (${seconds()} s)`), STILL_EVERY_MS);
	try {
		const result = await work();
		if (Date.now() - start > 1000) say(`  done: ${title} (${seconds()} s)`);
		return result;
	} finally {
		clearInterval(still);
	}
}
