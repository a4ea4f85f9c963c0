/** Gives pg_dump's module what it imports, and runs its main(). It knows nothing of threads. */
import { ProgramExit } from './errno.ts';
import { createFileImports, type FileSinks } from './files.ts';
import { Heap } from './heap.ts';
import { createSystemImports, PROGRAM_PATH, type ProgramExports } from './system.ts';

/** Bytes of data and table entries that the module wants, from its "dylink.0" section; fixed by the file's digest. */
const DATA_BYTES = 235_012;
const TABLE_ENTRIES = 230;
/** Where both begin. What lies before catches null pointers. */
const DATA_BASE = 1024;
const TABLE_BASE = 1;
/** 5 to 17 KB were seen in use; there is no guard below the stack, only the data. */
const STACK_BYTES = 8 * 1024 * 1024;
const STACK_TOP = alignUp(DATA_BASE + DATA_BYTES) + STACK_BYTES;
/** To start with. */
const FREE_BYTES = 16 * 1024 * 1024;

export interface Connection {
	/** Fills as much of the view as it can. @returns bytes; 0 at the end; -1 when the caller shall ask again */
	receive(into: Uint8Array): number;
	/** Bytes of the program's memory; to be copied before returning. */
	send(bytes: Uint8Array): void;
}

export interface MachineOptions {
	args: string[];
	environment: Record<string, string>;
	sinks: FileSinks;
	connection: Connection;
	/** Error number for a `receive` that returned -1. */
	tryAgain: number;
}

/**
 * Runs the program to its end, blocking.
 * @returns its exit code
 * @throws whatever breaks the program: running out of memory, a trap
 */
export function runProgram(module: WebAssembly.Module, options: MachineOptions): number {
	const heap = new Heap(STACK_TOP + FREE_BYTES);
	const table = new WebAssembly.Table({ initial: TABLE_BASE + TABLE_ENTRIES, element: 'anyfunc' });
	const imports: WebAssembly.Imports = {
		env: {
			...createSystemImports(heap, table, () => program),
			memory: heap.memory,
			__indirect_function_table: table,
			__memory_base: constant(DATA_BASE),
			__table_base: constant(TABLE_BASE),
			__stack_pointer: variable(STACK_TOP),
		},
		wasi_snapshot_preview1: createFileImports(heap, options.environment, options.sinks),
		'GOT.mem': { __heap_base: variable(STACK_TOP) },
	};
	const unknown = WebAssembly.Module.imports(module).filter(
		({ module: space, name }) => !(name in (imports[space] ?? {})),
	);
	if (unknown.length > 0)
		throw new Error(`pg_dump wants what we do not have: ${unknown.map(({ name }) => name).join(', ')}`);

	const program = new WebAssembly.Instance(module, imports).exports as unknown as ProgramExports;
	program.__wasm_apply_data_relocs();
	program.__wasm_call_ctors();

	const { connection, tryAgain } = options;
	const receive = (address: number, length: number) => {
		const count = connection.receive(heap.bytes.subarray(address, address + length));
		if (count < 0) heap.view.setInt32(program.__errno_location(), tryAgain, true);
		return count;
	};
	const send = (address: number, length: number) => {
		connection.send(heap.bytes.subarray(address, address + length));
		return length;
	};
	program.pgl_set_rw_cbs(addFunction(table, receive), addFunction(table, send));

	const values = [PROGRAM_PATH, ...options.args];
	const pointers = program.malloc(4 * (values.length + 1));
	const addresses = values.map((value) => {
		const address = program.malloc(Buffer.byteLength(value) + 1);
		heap.writeText(address, value);
		return address;
	});
	[...addresses, 0].forEach((address, index) => heap.view.setUint32(pointers + 4 * index, address, true));
	try {
		const code = program.__main_argc_argv(values.length, pointers);
		program.fflush(0);
		return code;
	} catch (error) {
		// C's exit() has flushed what was buffered.
		if (error instanceof ProgramExit) return error.code;
		throw error;
	}
}

function alignUp(address: number): number {
	return (address + 15) & ~15;
}

function constant(value: number): WebAssembly.Global {
	return new WebAssembly.Global({ value: 'i32', mutable: false }, value);
}

function variable(value: number): WebAssembly.Global {
	return new WebAssembly.Global({ value: 'i32', mutable: true }, value);
}

/**
 * Only WebAssembly functions fit into a table, so a minimal module lends its type to ours. Written out:
 * (module (import "e" "f" (func (param i32 i32) (result i32))) (export "f" (func 0)))
 */
// prettier-ignore
const LENDER = new Uint8Array([
	0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // "\0asm", version 1
	1, 7, 1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, // types: (i32, i32) -> i32
	2, 7, 1, 1, 0x65, 1, 0x66, 0, 0, // imports: e.f
	7, 5, 1, 1, 0x66, 0, 0, // exports: f
]);

function addFunction(table: WebAssembly.Table, implementation: (address: number, length: number) => number): number {
	const instance = new WebAssembly.Instance(new WebAssembly.Module(LENDER), { e: { f: implementation } });
	const index = table.grow(1);
	table.set(index, instance.exports.f);
	return index;
}
