/** What the main thread and the worker tell each other. */
import type { GateMemory } from '../../../../../streams/gate.ts';
import type { RingMemory } from './ring.ts';

/** What a worker is started with. */
export interface WorkerInput {
	program: WebAssembly.Module;
	/** pg_dump's options, without its name. */
	args: string[];
	/** The program's own environment, password included; never this process's. */
	environment: Record<string, string>;
	/** Bytes from the server. */
	ring: RingMemory;
	/** Bytes on their way to the main thread. */
	gate: GateMemory;
}

/** A chunk's memory that comes back to the worker, to be filled again. */
export type RecycledChunk = ArrayBuffer;

export type WorkerMessage =
	/** Bytes for the server. */
	| { kind: 'send'; bytes: Uint8Array }
	/** Bytes of the dump; they have passed the gate. */
	| { kind: 'output'; bytes: Uint8Array }
	/** A piece of what the program wrote to stderr. */
	| { kind: 'stderr'; bytes: Uint8Array }
	/** Nothing follows. */
	| { kind: 'exit'; code: number };
