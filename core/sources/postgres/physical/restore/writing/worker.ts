/** The thread that writes the files of a cluster: blocking calls, one after the other, while the main thread reads the storage. */
import fs from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { Fault } from '../../../../files/fault.ts';
import { IncrementalFile } from './incremental-file.ts';
import type { Deed, FromWriter, ToWriter } from './messages.ts';

/** Takes the bytes of a file. */
interface Sink {
	take(bytes: Buffer): void;
	end(): void;
	close(): void;
}

let current: Sink | null = null;
/** The file of the log that is open; its path, or '' for none. */
let log = { path: '', fd: -1 };

function act(deed: Deed, bytes: Buffer): void {
	switch (deed.kind) {
		case 'folder':
			fs.mkdirSync(deed.path, { recursive: true, mode: deed.mode });
			break;
		case 'file':
			current = wholeFile(deed.path, deed.mode);
			break;
		case 'blocks':
			current = new IncrementalFile(deed.path);
			break;
		case 'bytes':
			current!.take(bytes.subarray(deed.from, deed.to));
			break;
		case 'end':
			current!.end();
			current!.close();
			current = null;
			break;
		case 'log':
			writeAll(openLog(deed.path, deed.size), bytes.subarray(deed.from, deed.to), deed.at);
	}
}

function wholeFile(path: string, mode: number): Sink {
	const fd = fs.openSync(path, 'w', mode);
	return {
		take: (bytes) => writeAll(fd, bytes, null),
		end: () => undefined,
		close: () => fs.closeSync(fd),
	};
}

/** What the base backup has of a file may be longer than what was written when a piece was: it is replaced, byte by byte. */
function openLog(path: string, size: number): number {
	if (path === log.path) return log.fd;
	closeLog();
	log = { path, fd: fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600) };
	fs.ftruncateSync(log.fd, size);
	return log.fd;
}

function closeLog(): void {
	if (log.fd >= 0) fs.closeSync(log.fd);
	log = { path: '', fd: -1 };
}

/** @param at null: behind what was written before */
function writeAll(fd: number, bytes: Buffer, at: number | null): void {
	for (let done = 0; done < bytes.length; ) {
		done += fs.writeSync(fd, bytes, done, bytes.length - done, at === null ? null : at + done);
	}
}

function post(message: FromWriter): void {
	parentPort!.postMessage(message);
}

function work({ deeds, bytes }: ToWriter): void {
	try {
		const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
		for (const deed of deeds) act(deed, all);
		// Left to the garbage collector, it would pile up.
		bytes.buffer.transfer(0);
		// A disk may be full only when a file is closed.
		if (deeds.length === 0) closeLog();
		post({ kind: 'took' });
	} catch (error) {
		// What waits behind it is not done: the numbers of closed files belong to others of this process by then.
		parentPort!.off('message', work);
		if (error instanceof Fault) post({ kind: 'failed', message: error.message, hint: error.hint, code: error.code });
		else {
			const { message, code } = error as NodeJS.ErrnoException;
			post({ kind: 'failed', message, system: code });
		}
		// Node closes the files that a thread leaves open when it ends.
		parentPort!.close();
	}
}

parentPort!.on('message', work);
