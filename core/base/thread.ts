/** How threads of ours are started. */
import { Worker, type WorkerOptions } from 'node:worker_threads';

/** What Node takes the place of compiled code from, where whoever runs this process has named one. */
const COMPILE_CACHE = 'NODE_COMPILE_CACHE';

/**
 * Starts a thread that has nothing of this process but what it is given: none of its options, and of its environment only where
 * Node keeps compiled code.
 * @param file absolute path of the script
 * @param options data for it, its name, and the limits of its memory
 */
export function startThread(
	file: string,
	options: Pick<WorkerOptions, 'workerData' | 'name' | 'resourceLimits'> = {},
): Worker {
	const cache = process.env[COMPILE_CACHE];
	return new Worker(file, {
		...options,
		env: cache === undefined ? {} : { [COMPILE_CACHE]: cache },
		// Node says on stderr that its SQLite is an experiment, and, in tests, that it must look into sources to see what they are.
		execArgv: ['--disable-warning=ExperimentalWarning', '--disable-warning=MODULE_TYPELESS_PACKAGE_JSON'],
	});
}
