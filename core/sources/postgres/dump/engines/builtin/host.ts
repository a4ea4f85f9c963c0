/** pg_dump in WebAssembly as an engine: this side owns the connection and the output, a worker thread runs the program. */
import path from 'node:path';
import { BackupError, abortError } from '../../../../../base/errors';
import { openSocket } from '../../../connection/connection';
import { cleanText, dumpError, toBackupError } from '../../../connection/errors';
import { stopServer } from '../../../connection/cancel-request';
import { type DatabaseTarget, describeTarget } from '../../../connection/target';
import { dumpArguments } from '../args';
import { DumpBody } from '../body';
import { memoryOf } from '../../../../../streams/chunk';
import type { DumpRequest, Engine, RunningDump } from '../engine';
import { createFeed } from './feed';
import { createGate, openGate } from '../../../../../streams/gate.ts';
import type { RecycledChunk, WorkerInput, WorkerMessage } from './messages.ts';
import { MoneyLocale } from './money';
import { BUILTIN_VERSION, loadProgram } from './program';
import { createRing } from './ring.ts';
import { StartupWatch } from './startup';
import { startThread } from '../../../../../base/thread';

/** From the sources in tests, from the built files in use. */
const WORKER_FILE = path.join(__dirname, `worker${path.extname(__filename)}`);
/** The program lives in a memory of its own; JavaScript needs little. MB. */
const WORKER_LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 };
const STDERR_LIMIT = 64 * 1024;

export function builtinEngine(): Engine {
	return {
		name: 'builtin',
		version: async () => (await loadProgram(), BUILTIN_VERSION),
		start: async (request, { signal }) => await start(request, signal),
	};
}

async function start(request: DumpRequest, signal: AbortSignal): Promise<RunningDump> {
	const { target, format } = request;
	const program = await loadProgram();
	const ring = createRing();
	const watch = new StartupWatch();
	const feed = createFeed(ring, (bytes) => watch.pass(bytes));
	const socket = await openSocket(target, { signal, onRead: feed.onRead });
	const gate = createGate();
	const input: WorkerInput = { program, ring, gate, args: dumpArguments(request), environment: environment(target) };
	const worker = startThread(WORKER_FILE, { workerData: input, resourceLimits: WORKER_LIMITS });
	const workerGone = new Promise<void>((resolve) => worker.once('exit', () => resolve()));

	const money = new MoneyLocale();
	const warnings: string[] = [];
	let stderr = '';
	const decoder = new TextDecoder();
	let lost: BackupError | undefined;
	let exitCode: number | undefined;
	/** Bytes that arrived while the consumer wanted none. */
	let held = 0;

	const body = new DumpBody({
		...{ format, of: describeTarget(target) },
		resume() {
			if (held > 0) openGate(gate, held);
			held = 0;
		},
		async stop() {
			signal.removeEventListener('abort', onAbort);
			const early = exitCode === undefined;
			socket.destroy();
			await worker.terminate();
			await workerGone;
			if (early && watch.backendKey) await stopServer(target, watch.backendKey);
		},
	});
	const onAbort = () => body.destroy(abortError(signal));

	feed.follow(socket);
	socket.on('error', (error) => (lost = toBackupError(error, target)));

	// From the program.
	worker.on('message', (message: WorkerMessage) => {
		switch (message.kind) {
			case 'send':
				if (socket.writable) socket.write(money.pass(message.bytes));
				break;
			case 'output':
				if (body.offer(Buffer.from(message.bytes.buffer as ArrayBuffer, 0, message.bytes.length))) {
					openGate(gate, message.bytes.length);
				} else held += message.bytes.length;
				break;
			case 'stderr':
				stderr = (stderr + decoder.decode(message.bytes, { stream: true })).slice(-STDERR_LIMIT);
				break;
			case 'exit':
				exitCode = message.code;
				break;
		}
	});
	worker.once('error', (error: Error) => body.destroy(broken(target, error.message)));
	worker.once('exit', () => {
		const text = withRealHost(stderr, target);
		if (exitCode !== 0) {
			body.destroy(lost ?? dumpError(text, target, watch.refusal));
			return;
		}
		if (!money.isSet) {
			body.destroy(broken(target, 'it did not set what it always sets first'));
			return;
		}
		warnings.push(...cleanText(text, target).split('\n').filter(Boolean));
		// Its last message says goodbye to the server, which otherwise complains in its log.
		socket.end(() => socket.destroy());
		body.complete();
	});

	const recycle = (chunk: Buffer) => {
		const memory = memoryOf(chunk);
		if (memory) worker.postMessage(memory satisfies RecycledChunk, [memory]);
	};

	signal.addEventListener('abort', onAbort, { once: true });
	if (signal.aborted) onAbort();
	return { body, recycle, warnings };
}

/**
 * The program's own. As variables, user and database are never read as a connection string. No host: with one, it would
 * look for it; without, it believes in a local socket.
 */
function environment(target: DatabaseTarget): Record<string, string> {
	return {
		HOME: '/',
		LANG: 'C',
		PGUSER: target.user,
		PGDATABASE: target.database,
		...(target.password !== undefined && { PGPASSWORD: target.password }),
	};
}

/** The program believes in a local socket and names it when it fails. */
function withRealHost(text: string, target: DatabaseTarget): string {
	return text.replaceAll(/on socket "[^"]*"/g, `at "${target.host}", port ${target.port}`);
}

function broken(target: DatabaseTarget, why: string): BackupError {
	return new BackupError('dump-failed', `the built-in pg_dump of ${describeTarget(target)} broke: ${why}`, {
		hint: 'Too little memory is the usual reason. If it happens again, choose the native engine, and report it.',
	});
}
