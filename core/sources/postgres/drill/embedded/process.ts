/** Our side of the embedded database's process: messages in, answers out, one at a time, until it is stopped. */
import { abortError, BackupError, messageOf } from '../../../../base/errors';
import { AnswerReader } from './answers';
import { type CageOptions, type CagedProcess, inheritedDescriptors, spawnCaged } from './cage';
import { noSpaceLeft } from './no-space';
import { type DatabaseAnswer, type ChildInput, type ChildSays, HEAD_BYTES } from './messages.ts';

/** Of what the process complained of, characters: its last words. */
const MAX_COMPLAINT = 2000;

interface Waiting {
	resolve: (answer: DatabaseAnswer | null) => void;
	reject: (error: Error) => void;
}

export class DatabaseProcess {
	readonly #child: CagedProcess;
	readonly #gone: Promise<void>;
	readonly #waiting: Waiting[] = [];
	readonly #answers = new AnswerReader();
	#complaint = '';
	/** Why there are no more answers. */
	#end: Error | undefined;

	private constructor(cage: CageOptions) {
		this.#child = spawnCaged(cage);
		const { stdin, stdout, stderr } = this.#child;
		// With "close" its pipes are read to their ends. A process that could not be started has no "exit".
		this.#gone = new Promise((resolve) => this.#child.once('close', () => resolve()));
		this.#child.once('error', (error) => this.#finish(brokenDown(error)));
		this.#child.once('close', () => this.#finish(brokenDown(new Error(this.#complaint))));
		stdout.on('data', (piece: Buffer) => this.#take(piece));
		stderr.on('data', (piece: Buffer) => {
			this.#complaint = (this.#complaint + piece.toString('utf8')).slice(-MAX_COMPLAINT);
		});
		// Its end says more than a pipe that broke.
		for (const pipe of this.#child.stdio) pipe?.on('error', () => undefined);
		stdin.on('error', () => undefined);
	}

	/**
	 * Starts a process and waits until its task is done, or it is ready to answer.
	 * @throws BackupError 'connection-lost' or 'storage-full' when the database does not start; 'cancelled'
	 */
	static async start(
		input: Omit<ChildInput, 'inherited'>,
		cage: CageOptions,
		signal: AbortSignal,
	): Promise<DatabaseProcess> {
		const inherited = inheritedDescriptors();
		const started = new DatabaseProcess(cage);
		const onAbort = () => void started.stop(abortError(signal));
		signal.addEventListener('abort', onAbort, { once: true });
		try {
			if (signal.aborted) onAbort();
			await started.#send(Buffer.from(JSON.stringify({ ...input, inherited } satisfies ChildInput)));
			return started;
		} catch (error) {
			await started.stop();
			throw error;
		} finally {
			signal.removeEventListener('abort', onAbort);
		}
	}

	get pid(): number {
		return this.#child.pid!;
	}

	/**
	 * @param message of PostgreSQL's protocol
	 * @throws BackupError 'connection-lost' or 'storage-full' when the database broke down; what it was stopped with
	 */
	async ask(message: Buffer): Promise<DatabaseAnswer> {
		const answer = await this.#send(message);
		const { status = null, tag = null, refusal = null } = answer ?? {};
		const isWhole = status !== null && (tag !== null || refusal !== null);
		if (answer && isWhole && !/^(?:FATAL|PANIC)$/.test(refusal?.severity ?? '')) return answer;
		// It says nothing at all when its WebAssembly program traps; after a PANIC it answers nonsense.
		await this.stop(brokenDown(refusal && new Error(refusal.message)));
		throw this.#end!;
	}

	/** Ends the process, whatever it is doing. Whoever waits for an answer gets `reason` as an error. */
	async stop(reason: Error = new BackupError('connection-lost', 'the embedded database was closed')): Promise<void> {
		this.#finish(reason);
		this.#child.kill('SIGKILL');
		await this.#gone;
	}

	async #send(message: Buffer): Promise<DatabaseAnswer | null> {
		return await new Promise((resolve, reject) => {
			if (this.#end) return reject(this.#end);
			this.#waiting.push({ resolve, reject });
			const head = Buffer.alloc(HEAD_BYTES);
			head.writeUInt32BE(message.length);
			this.#child.stdin.write(head);
			this.#child.stdin.write(message);
		});
	}

	#take(piece: Buffer): void {
		if (this.#end) return;
		let said: ChildSays | undefined;
		try {
			said = this.#answers.add(piece);
		} catch (error) {
			void this.stop(error as Error);
			return;
		}
		if (said === undefined) return;
		if (said && 'broken' in said) void this.stop(brokenDown(new Error(said.broken)));
		else this.#waiting.shift()?.resolve(said);
	}

	#finish(reason: Error): void {
		this.#end ??= reason;
		for (const { reject } of this.#waiting.splice(0)) reject(this.#end);
	}
}

function brokenDown(cause?: Error | null): BackupError {
	if (/ENOSPC|No space left/.test(messageOf(cause ?? ''))) {
		return noSpaceLeft(cause);
	}
	return new BackupError('connection-lost', 'the embedded database broke down', {
		hint: 'Too little memory is the usual reason. Use a scratch database on a server.',
		cause: cause ?? undefined,
	});
}
