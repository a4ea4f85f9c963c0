/** The splitter in a thread of its own, which can be ended from outside when it does not end by itself. */
import { once } from 'node:events';
import path from 'node:path';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { isBackupError } from '../../core/base/errors';
import { splitDump } from '../../core/sources/postgres/replay/sql-splitter';

/** What became of an input: its items as text with one character per byte, or the code of the BackupError. */
export type Outcome = { items: SplitItem[]; code: string | null } | { crash: string };

export interface SplitItem {
	kind: 'statement' | 'copy' | 'command';
	text: string;
	rows?: string;
	byte: number;
	line: number;
}

interface Question {
	bytes: Uint8Array;
	/** Where chunks end; in ascending order. */
	cuts: readonly number[];
}

/** Starts the thread anew when it had to be ended. */
export class SplitterThread {
	#worker: Worker | null = null;
	#closed = false;

	/** @throws when there is no answer within this time: the splitter hangs */
	async split(bytes: Uint8Array, cuts: readonly number[], timeoutMs = 5000): Promise<Outcome> {
		// A property that was interrupted goes on with its last input.
		if (this.#closed) throw new Error('the thread is closed');
		this.#worker ??= new Worker(__filename, { execArgv: ['--require', path.join(__dirname, 'typescript.cjs')] });
		const worker = this.#worker;
		let timer: NodeJS.Timeout | undefined;
		const noEnd = new Promise<never>((_, reject) => {
			timer = setTimeout(() => reject(new Error(`the splitter hangs: no end after ${timeoutMs} ms`)), timeoutMs);
		});
		try {
			worker.postMessage({ bytes, cuts } satisfies Question);
			const [outcome] = (await Promise.race([once(worker, 'message'), noEnd])) as [Outcome];
			return outcome;
		} catch (error) {
			await this.#end();
			throw error;
		} finally {
			clearTimeout(timer);
		}
	}

	async close(): Promise<void> {
		this.#closed = true;
		await this.#end();
	}

	async #end(): Promise<void> {
		const worker = this.#worker;
		this.#worker = null;
		await worker?.terminate();
	}
}

/** The pieces between the cuts; two at the same place make an empty one. */
function* pieces(bytes: Buffer, cuts: readonly number[]): Generator<Buffer> {
	let from = 0;
	for (const to of [...cuts, bytes.length]) {
		yield bytes.subarray(from, to);
		from = to;
	}
}

async function answer({ bytes, cuts }: Question): Promise<Outcome> {
	const items: SplitItem[] = [];
	const source = (async function* () {
		yield* pieces(Buffer.from(bytes), cuts);
	})();
	try {
		for await (const item of splitDump(source)) {
			const { kind, byte, line } = item;
			if (item.kind === 'command') {
				items.push({ kind, text: `${item.name} ${item.argument}`, byte, line });
				continue;
			}
			const text = Buffer.concat(item.pieces).toString('latin1');
			if (item.kind === 'statement') {
				items.push({ kind, text, byte, line });
				continue;
			}
			const rows: Buffer[] = [];
			for await (const slice of item.rows) rows.push(slice);
			items.push({ kind, text, rows: Buffer.concat(rows).toString('latin1'), byte, line });
		}
		return { items, code: null };
	} catch (error) {
		return isBackupError(error) ? { items, code: error.code } : { crash: String(error) };
	}
}

if (!isMainThread && parentPort) {
	const port = parentPort;
	port.on('message', (question: Question) => {
		void answer(question).then((outcome) => port.postMessage(outcome));
	});
}
