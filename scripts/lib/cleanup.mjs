/** What has to be undone when the program ends: in any order of events, once, newest first. */

/** @type {Set<() => unknown>} */
const pending = new Set();
/** @type {Promise<void> | undefined} */
let running;
let interrupted = false;

/** Exit codes that shells know for a program ended by a signal. */
const SIGNALS = /** @type {const} */ ({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 });

/**
 * Has `undo` called when the program is interrupted or {@link cleanUp} is called.
 * @param {() => unknown} undo may return a promise
 * @returns {() => void} forgets it, when it is done or no longer needed
 */
export function onCleanup(undo) {
	pending.add(undo);
	return () => void pending.delete(undo);
}

/** Undoes everything. One failure does not keep the others from being undone; it is reported and sets the exit code. */
export function cleanUp() {
	running ??= (async () => {
		for (const undo of [...pending].reverse()) {
			try {
				await undo();
			} catch (error) {
				process.exitCode = 1;
				process.stderr.write(`cleaning up: ${error instanceof Error ? error.message : error}\n`);
			}
			pending.delete(undo);
		}
	})().finally(() => (running = undefined));
	return running;
}

/**
 * Cleans up and exits when somebody asks the program to end. A Ctrl-C reaches the terminal's whole process group and
 * is sometimes passed on as well, so a second signal must not cut the cleaning short.
 */
export function cleanUpOnSignals() {
	for (const [signal, code] of Object.entries(SIGNALS)) {
		process.on(signal, () => {
			interrupted = true;
			void cleanUp().then(() => process.exit(code));
		});
	}
}

/** Tells the failure of the program, unless it only follows from its being interrupted. Sets the exit code. @param {unknown} error */
export function report(error) {
	process.exitCode = 1;
	if (!interrupted) process.stderr.write(`\n${error instanceof Error ? error.message : error}\n`);
}
