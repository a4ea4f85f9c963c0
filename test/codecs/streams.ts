/** Small means of the filter tests: feeding streams, collecting them, running programs. */
import { spawn } from 'node:child_process';
import { type Duplex, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Everything that comes out of `filters` when `chunks` are fed in. */
export async function through(chunks: Iterable<Buffer>, ...filters: Duplex[]): Promise<Buffer> {
	const out: Buffer[] = [];
	const sink = new Writable({
		write(chunk: Buffer, _encoding, done) {
			out.push(chunk);
			done();
		},
	});
	await pipeline([Readable.from(chunks, { objectMode: false }), ...filters, sink]);
	return Buffer.concat(out);
}

/** Cuts a buffer at the given sizes, in turn. */
export function* cut(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
	for (let at = 0, i = 0; at < bytes.length; i++) {
		const size = sizes[i % sizes.length] as number;
		yield bytes.subarray(at, at + size);
		at += size;
	}
}

/** Bytes like those of a plain dump, the same for the same size. */
export function dumpText(size: number): Buffer {
	const rows: string[] = [];
	let length = 0;
	for (let i = 0, state = 7; length < size; i++) {
		state = (Math.imul(state, 1103515245) + 12345) >>> 0;
		const row = `${i}\t${state % 977}\tcustomer${state}@example.org\t${(state / 1000).toFixed(2)}\n`;
		rows.push(row);
		length += row.length;
	}
	return Buffer.from(rows.join('')).subarray(0, size);
}

/** Runs a program with `input` on its stdin. Rejects with what it wrote to stderr when it fails. */
export function run(program: string, args: string[], input: Buffer): Promise<Buffer> {
	return new Promise((resolve, reject) => {
		const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
		const out: Buffer[] = [];
		const errors: Buffer[] = [];
		child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
		child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
		child.on('error', reject);
		// The program may end without reading everything; its exit code says whether that is right.
		child.stdin.on('error', (error: NodeJS.ErrnoException) => {
			if (error.code !== 'EPIPE') reject(error);
		});
		child.on('close', (code) =>
			code === 0
				? resolve(Buffer.concat(out))
				: reject(new Error(`${program} ended with ${code}: ${Buffer.concat(errors).toString()}`)),
		);
		child.stdin.end(input);
	});
}
