/** The system calls of the WebAssembly program's world (its `env` imports), as far as pg_dump comes to use them. */
import { errno, LongJump, ProgramExit } from './errno.ts';
import { openFile } from './files.ts';
import type { Heap } from './heap.ts';

/** The program looks for itself, to find its relatives. */
export const PROGRAM_PATH = '/usr/bin/pg_dump';

const GET_FILE_FLAGS = 3;
const READ_WRITE = 2;
const CHARACTER_DEVICE = 0o020666;
const EXECUTABLE = 0o100755;
const STAT_BYTES = 96;
const EAI_NONAME = -2;

/** What instances need from each other, known once the module is instantiated. */
export interface ProgramExports {
	__wasm_call_ctors(): void;
	__wasm_apply_data_relocs(): void;
	__main_argc_argv(count: number, values: number): number;
	__errno_location(): number;
	malloc(size: number): number;
	fflush(file: number): number;
	setThrew(threw: number, value: number): void;
	emscripten_stack_get_current(): number;
	_emscripten_stack_restore(stack: number): void;
	pgl_set_rw_cbs(read: number, write: number): void;
}

type Functions = Record<string, (...args: never[]) => unknown>;

/** @param program the instance's exports, asked for only while the program runs */
export function createSystemImports(heap: Heap, table: WebAssembly.Table, program: () => ProgramExports): Functions {
	const call = (index: number, ...args: number[]): unknown =>
		(table.get(index) as (...args: number[]) => unknown)(...args);
	/** Calls a function that may jump out of itself; the caller then finds out by setThrew(). */
	const invoke = (index: number, ...args: number[]): unknown => {
		const stack = program().emscripten_stack_get_current();
		try {
			return call(index, ...args);
		} catch (error) {
			if (!(error instanceof LongJump)) throw error;
			program()._emscripten_stack_restore(stack);
			program().setThrew(1, 0);
			return 0;
		}
	};
	const notImplemented = () => -errno.notImplemented;
	const notThere = () => -errno.noEntry;
	const describe = (address: number, mode: number) => {
		heap.bytes.fill(0, address, address + STAT_BYTES);
		heap.view.setInt32(address + 4, mode, true);
		return 0;
	};
	return {
		// Leaving
		exit: leave,
		emscripten_exit_with_live_runtime: () => leave(0),
		_abort_js() {
			throw new Error('pg_dump aborted');
		},
		pg_encoding_to_char() {
			throw new Error('pg_dump used a function that is not in it');
		},
		_emscripten_throw_longjmp() {
			throw new LongJump('longjmp');
		},
		invoke_ii: invoke,
		invoke_iiii: invoke,
		invoke_vii: invoke,
		__call_sighandler: call,

		// Files
		__syscall_openat: (_folder: number, path: number) => openFile(heap.readText(path)),
		__syscall_fcntl64: (_descriptor: number, command: number) => (command === GET_FILE_FLAGS ? READ_WRITE : 0),
		__syscall_ioctl: () => -errno.notTerminal,
		__syscall_fstat64: (_descriptor: number, address: number) => describe(address, CHARACTER_DEVICE),
		__syscall_stat64: (path: number, address: number) =>
			heap.readText(path) === PROGRAM_PATH ? describe(address, EXECUTABLE) : -errno.noEntry,
		__syscall_faccessat: (_folder: number, path: number) => (heap.readText(path) === PROGRAM_PATH ? 0 : -errno.noEntry),
		__syscall_newfstatat: notThere,
		__syscall_lstat64: notThere,
		__syscall_readlinkat: () => -errno.invalid,
		__syscall_getcwd: (address: number) => heap.writeText(address, '/'),
		__syscall_chmod: () => 0,
		__syscall_fadvise64: () => 0,
		// Closing does nothing, so a copy of a descriptor can be the descriptor itself.
		__syscall_dup: (descriptor: number) => descriptor,
		__syscall_dup3: notImplemented,
		__syscall_mkdirat: notImplemented,
		__syscall_unlinkat: notImplemented,
		__syscall_getdents64: notImplemented,
		__syscall_pipe: notImplemented,

		// Network: the program speaks through two callbacks instead; this is what its start asks for before it does.
		__syscall_socket: () => 100,
		__syscall__newselect: notImplemented,
		getaddrinfo: () => EAI_NONAME,
		getnameinfo: () => EAI_NONAME,

		// Time: the program lives in UTC.
		emscripten_date_now: () => Date.now(),
		emscripten_get_now: () => performance.now(),
		_tzset_js(timezone: number, daylight: number, standardName: number, daylightName: number) {
			heap.view.setInt32(timezone, 0, true);
			heap.view.setInt32(daylight, 0, true);
			heap.writeText(standardName, 'UTC');
			heap.writeText(daylightName, 'UTC');
		},
		_mktime_js(fields: number) {
			const field = (index: number) => heap.view.getInt32(fields + 4 * index, true);
			return BigInt(Date.UTC(field(5) + 1900, field(4), field(3), field(2), field(1), field(0)) / 1000);
		},
		_localtime_js: (seconds: bigint, fields: number) => writeTime(heap, fields, new Date(Number(seconds) * 1000)),
		_setitimer_js: () => 0,
		_emscripten_runtime_keepalive_clear: () => undefined,

		// Memory
		emscripten_resize_heap: (size: number) => (heap.grow(size >>> 0) ? 1 : 0),
	};
}

function leave(code: number): never {
	throw new ProgramExit(code);
}

/** Fills a `struct tm`. */
function writeTime(heap: Heap, fields: number, time: Date): void {
	const dayOfYear = Math.floor((time.getTime() - Date.UTC(time.getUTCFullYear(), 0, 1)) / 86_400_000);
	const values = [
		time.getUTCSeconds(),
		time.getUTCMinutes(),
		time.getUTCHours(),
		time.getUTCDate(),
		time.getUTCMonth(),
		time.getUTCFullYear() - 1900,
		time.getUTCDay(),
		dayOfYear,
		0, // no daylight saving
		0, // no offset from UTC
	];
	values.forEach((value, index) => heap.view.setInt32(fields + 4 * index, value, true));
}
