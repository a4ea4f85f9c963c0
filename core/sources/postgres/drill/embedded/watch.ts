/**
 * A thread beside the embedded database, which cannot hear anything while it works: when the process that wants its answers
 * is gone, however it went, this ends the whole process and removes its folder.
 */
import fs from 'node:fs';
import net from 'node:net';
import { workerData } from 'node:worker_threads';
import { LIFELINE } from './messages.ts';

const folder = workerData as string;

new net.Socket({ fd: LIFELINE, readable: true, writable: false })
	.on('error', () => undefined)
	.on('close', () => {
		try {
			fs.rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
		} finally {
			process.kill(process.pid, 'SIGKILL');
		}
	})
	.resume();
