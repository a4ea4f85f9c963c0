/** The thread that restores: blocking calls, one after the other, while the main thread reads the storage. */
import { parentPort, workerData } from 'node:worker_threads';
import { toDisplay } from '../names.ts';
import { faultOf } from '../thread-faults.ts';
import type { FromRestorer, RestoreJob, ToRestorer } from './messages.ts';
import { Restoring } from './restoring.ts';

const job = workerData as RestoreJob;

function post(message: FromRestorer): void {
	parentPort!.postMessage(message);
}

function guarded(work: () => void): void {
	try {
		work();
	} catch (error) {
		// What waits behind it is not done.
		parentPort!.removeAllListeners('message');
		const { code, message, hint } = faultOf(error, 'restored', toDisplay(job.to));
		post({ kind: 'fault', fault: { code, message, hint } });
		parentPort!.close();
	}
}

function answer(restoring: Restoring, message: ToRestorer): void {
	switch (message.kind) {
		case 'begin':
			restoring.writer.begin(message.plan);
			break;
		case 'data':
			restoring.writer.take(message.at, message.bytes);
			// Left to the garbage collector, it would pile up.
			message.bytes.buffer.transfer(0);
			post({ kind: 'took' });
			break;
		case 'end':
			post({ kind: 'again', plan: restoring.writer.end() });
			break;
		case 'finish': {
			const summary = restoring.finish((phase) => post({ kind: 'phase', phase }));
			post({ kind: 'done', summary });
			parentPort!.close();
		}
	}
}

guarded(() => {
	const restoring = new Restoring(job);
	const plans = restoring.prepare();
	parentPort!.on('message', (message: ToRestorer) => guarded(() => answer(restoring, message)));
	post({ kind: 'plans', plans });
});
