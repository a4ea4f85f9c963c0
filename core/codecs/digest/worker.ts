/** The thread that hashes: bytes in, their memory back; after the last ones the digest. */
import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';

const hash = createHash(workerData as string);

parentPort!.on('message', (bytes: Uint8Array<ArrayBuffer> | null) => {
	if (bytes) {
		hash.update(bytes);
		parentPort!.postMessage(bytes.buffer, [bytes.buffer]);
	} else {
		parentPort!.postMessage(hash.digest('hex'));
		parentPort!.close();
	}
});
