/** The thread that looks at files of configuration: the parsers block, for a second or two in the worst case. */
import { parentPort } from 'node:worker_threads';
import { inspect } from './inspect.ts';
import type { InspectAnswer, InspectRequest } from './inspector.ts';

parentPort!.on('message', ({ path, bytes, digestKey }: InspectRequest) => {
	const file = { path, bytes: Buffer.from(bytes) };
	parentPort!.postMessage(inspect(file, digestKey) satisfies InspectAnswer);
});
