/** Digests that the stream could use instead of a hash on the main thread, for bench/filters.ts. */
import { createHash } from 'node:crypto';
import { type Duplex, Transform } from 'node:stream';
import { Worker } from 'node:worker_threads';

/** SHA-256 in a worker thread: chunks must be copied to get there. */
export function workerDigest(): Duplex {
	const worker = new Worker(
		`const { parentPort } = require('node:worker_threads'); const hash = require('node:crypto').createHash('sha256');
		parentPort.on('message', (bytes) => { if (bytes) hash.update(bytes); parentPort.postMessage(bytes ? null : hash.digest('hex')); });`,
		{ eval: true },
	);
	let inFlight = 0;
	let answered = () => {};
	worker.on('message', () => {
		inFlight--;
		answered();
	});
	const post = async (bytes: Uint8Array | null) => {
		worker.postMessage(bytes, bytes ? [bytes.buffer as ArrayBuffer] : []);
		inFlight++;
		// A few chunks may wait: enough that the worker never does.
		while (inFlight > (bytes ? 8 : 0)) await new Promise<void>((resolve) => (answered = resolve));
	};
	return new Transform({
		transform(chunk: Buffer, _encoding, done) {
			post(Uint8Array.from(chunk)).then(() => done(null, chunk), done);
		},
		flush(done) {
			post(null)
				.then(() => worker.terminate())
				.then(() => done(), done);
		},
	});
}

/** A SHA-256 of the SHA-256 of each MiB, computed on the thread pool. Not what `sha256sum` prints: shown for what it would save. */
export function treeDigest(): Duplex {
	const parts: Array<Promise<ArrayBuffer>> = [];
	let block: Buffer[] = [];
	let size = 0;
	const endBlock = async () => {
		parts.push(crypto.subtle.digest('SHA-256', Buffer.concat(block)));
		block = [];
		size = 0;
		await parts.at(-4);
	};
	return new Transform({
		transform(chunk: Buffer, _encoding, done) {
			block.push(chunk);
			size += chunk.length;
			if (size < 1 << 20) done(null, chunk);
			else endBlock().then(() => done(null, chunk), done);
		},
		flush(done) {
			endBlock()
				.then(() => Promise.all(parts))
				.then((all) => {
					const root = createHash('sha256');
					for (const part of all) root.update(new Uint8Array(part));
					root.digest();
					done();
				}, done);
		},
	});
}
