/**
 * The files of the WebAssembly program's world (its WASI imports): a standard output that is the dump, a standard
 * error, a source of random bytes, and nothing else.
 */
import { randomFillSync } from 'node:crypto';
import { errno, ProgramExit } from './errno.ts';
import type { Heap } from './heap.ts';

export interface FileSinks {
	/** Bytes of the program's memory that belong to the dump; to be copied before returning. */
	output: (bytes: Uint8Array) => void;
	stderr: (bytes: Uint8Array) => void;
}

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const RANDOM = 3;
const RANDOM_PATHS = ['/dev/urandom', '/dev/random'];
const CHARACTER_DEVICE = 2;

/** Opens a file by name. @returns a descriptor, or a negative error number */
export function openFile(path: string): number {
	return RANDOM_PATHS.includes(path) ? RANDOM : -errno.noEntry;
}

/** The functions of wasi_snapshot_preview1 that the program imports. */
export function createFileImports(heap: Heap, environment: Record<string, string>, sinks: FileSinks) {
	const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
	return {
		fd_close: () => 0,
		fd_read(descriptor: number, vector: number, count: number, result: number) {
			let total = 0;
			if (descriptor === RANDOM) {
				for (const { address, length } of heap.pieces(vector, count)) {
					randomFillSync(heap.bytes, address, length);
					total += length;
				}
			} else if (descriptor !== STDIN) return errno.badDescriptor;
			heap.view.setUint32(result, total, true);
			return 0;
		},
		// Called for every KB of the dump: no generator and no allocation here beyond the view.
		fd_write(descriptor: number, vector: number, count: number, result: number) {
			if (descriptor !== STDOUT && descriptor !== STDERR) return errno.badDescriptor;
			const sink = descriptor === STDOUT ? sinks.output : sinks.stderr;
			let total = 0;
			for (let at = vector; at < vector + 8 * count; at += 8) {
				const length = heap.view.getUint32(at + 4, true);
				if (length === 0) continue;
				const address = heap.view.getUint32(at, true);
				sink(heap.bytes.subarray(address, address + length));
				total += length;
			}
			heap.view.setUint32(result, total, true);
			return 0;
		},
		// Makes pg_dump write its archives as into a pipe.
		fd_seek: () => errno.illegalSeek,
		fd_sync: () => 0,
		fd_fdstat_get(_descriptor: number, stat: number) {
			heap.bytes.fill(0, stat, stat + 24);
			heap.bytes[stat] = CHARACTER_DEVICE;
			return 0;
		},
		environ_sizes_get(count: number, size: number) {
			heap.view.setUint32(count, variables.length, true);
			heap.view.setUint32(size, Buffer.byteLength(variables.join('\0')) + 1, true);
			return 0;
		},
		environ_get(pointers: number, texts: number) {
			for (const variable of variables) {
				heap.view.setUint32(pointers, texts, true);
				pointers += 4;
				texts += heap.writeText(texts, variable);
			}
			return 0;
		},
		clock_time_get(clock: number, _precision: bigint, result: number) {
			const milliseconds = (clock === 0 ? performance.timeOrigin : 0) + performance.now();
			heap.view.setBigUint64(result, BigInt(Math.round(milliseconds * 1e6)), true);
			return 0;
		},
		proc_exit(code: number) {
			throw new ProgramExit(code);
		},
	};
}
