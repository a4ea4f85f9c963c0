/** The memory of the WebAssembly program, as its host reads and writes it. Addresses and lengths are in bytes. */

const PAGE_BYTES = 65_536;
/** 2 GB: what the program's signed addresses can reach. */
const MAX_PAGES = 32_768;
/** The module asks for no less. */
const MIN_PAGES = 1024;
/** Grow by at most this much more than asked for, so that one huge row does not double everything. */
const MAX_SURPLUS_BYTES = 96 * 1024 * 1024;

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export class Heap {
	readonly memory: WebAssembly.Memory;
	bytes!: Uint8Array;
	view!: DataView;

	/** @param size bytes needed at once */
	constructor(size: number) {
		const initial = Math.max(MIN_PAGES, Math.ceil(size / PAGE_BYTES));
		this.memory = new WebAssembly.Memory({ initial, maximum: MAX_PAGES });
		this.#refresh();
	}

	/** Makes the memory at least `size` large. @returns false when there is not as much */
	grow(size: number): boolean {
		const current = this.memory.buffer.byteLength;
		const wanted = Math.max(size, Math.min(current * 1.2, current + MAX_SURPLUS_BYTES));
		const pages = Math.min(MAX_PAGES, Math.ceil(wanted / PAGE_BYTES));
		if (size > pages * PAGE_BYTES) return false;
		try {
			this.memory.grow(pages - current / PAGE_BYTES);
		} catch (error) {
			// The program handles this itself, as "out of memory".
			if (error instanceof RangeError) return false;
			throw error;
		}
		this.#refresh();
		return true;
	}

	/** Growing detaches what looked at the memory before. */
	#refresh(): void {
		this.bytes = new Uint8Array(this.memory.buffer);
		this.view = new DataView(this.memory.buffer);
	}

	/** A C string. */
	readText(address: number): string {
		const end = this.bytes.indexOf(0, address);
		return decoder.decode(this.bytes.subarray(address, end));
	}

	/** Writes a C string. @returns the bytes it took, with its zero */
	writeText(address: number, text: string): number {
		const encoded = encoder.encode(`${text}\0`);
		this.bytes.set(encoded, address);
		return encoded.length;
	}

	/** Each piece of an array of `struct iovec`. */
	*pieces(vector: number, count: number): Generator<{ address: number; length: number }> {
		for (let at = vector; at < vector + 8 * count; at += 8) {
			yield { address: this.view.getUint32(at, true), length: this.view.getUint32(at + 4, true) };
		}
	}
}
