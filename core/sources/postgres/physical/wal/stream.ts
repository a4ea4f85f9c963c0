/**
 * The log of one timeline while a server sends it, from one place up to another. (PostgreSQL manual, "Streaming Replication
 * Protocol", START_REPLICATION.)
 */
import { Readable } from 'node:stream';
import type { Client } from 'pg';
import { BackupError } from '../../../../base/errors';
import { toBackupError } from '../../connection/errors';
import type { DatabaseTarget } from '../../connection/target';
import { explainLog } from '../errors';
import { formatLsn, parseLsn } from '../lsn';
import { ReplicationCommand } from '../replication';
import type { LogReading, LogRequest } from '../transport/transport';

const BUFFER_BYTES = 1024 * 1024;
const LOG = 'w'.charCodeAt(0);
const KEEPALIVE = 'k'.charCodeAt(0);
const STATUS = 'r'.charCodeAt(0);
/** Letter, place, end of the log, time. */
const LOG_HEADER = 25;
/** Between 1970 and 2000, where PostgreSQL's times begin, in microseconds. */
const EPOCH_US = 946_684_800_000_000n;

/** Gives the bytes of the log, and how they end. */
export class LogStream extends Readable implements LogReading {
	next: { timeline: number; start: bigint } | null = null;
	readonly #request: LogRequest;
	readonly #command: ReplicationCommand;
	#position: bigint;
	#isEnding = false;

	/** Begins. @param client of a connection for replication, which does nothing else meanwhile */
	constructor(client: Client, target: DatabaseTarget, request: LogRequest) {
		super({ highWaterMark: BUFFER_BYTES });
		this.#request = request;
		this.#position = request.from;
		// It may fail before somebody reads: a reader finds it broken.
		this.on('error', () => undefined);
		const { slot, timeline, from } = request;
		const text = `START_REPLICATION SLOT "${slot}" PHYSICAL ${formatLsn(from)} TIMELINE ${timeline}`;
		this.#command = new ReplicationCommand(text, {
			onCopyStart: () => this.#confirm(),
			onData: (chunk) => this.#take(chunk),
			onCopyDone: () => this.#finish(),
		});
		client.query(this.#command);
		this.#command.done.then(
			() => this.#end(),
			(error: unknown) => this.destroy(explainLog(toBackupError(error, target), target)),
		);
	}

	/** Behind the last byte that was given. */
	get position(): bigint {
		return this.#position;
	}

	override _read(): void {
		this.#command.resume();
	}

	#take(chunk: Buffer): void {
		if (this.#isEnding) return; // what the server sent before it heard that we are ending
		const { until } = this.#request;
		if (chunk[0] === LOG) {
			const at = chunk.readBigUInt64BE(1);
			if (at !== this.#position) {
				throw new BackupError(
					'damaged',
					`the server sent log at ${formatLsn(at)}, not at ${formatLsn(this.#position)}`,
					{
						hint: 'Look into the server’s log, and run it again.',
					},
				);
			}
			const bytes = Buffer.from(chunk.subarray(LOG_HEADER));
			this.#position += BigInt(bytes.length);
			if (!this.push(bytes)) this.#command.pause();
		} else if (chunk[0] === KEEPALIVE && chunk[17] === 1) this.#confirm();
		if (until !== null && this.#position >= until) this.#finish();
	}

	/** Tells the server what lies in the storage: what is read now is not stored yet. */
	#confirm(): void {
		const { stored } = this.#request;
		const message = Buffer.alloc(34);
		message[0] = STATUS;
		for (const at of [1, 9, 17]) message.writeBigUInt64BE(stored, at);
		message.writeBigInt64BE(BigInt(Date.now()) * 1000n - EPOCH_US, 25);
		this.#command.send(message);
	}

	#finish(): void {
		if (this.#isEnding) return;
		this.#isEnding = true;
		// A server whose words wait for us would not hear it.
		this.#command.resume();
		this.#command.endCopy();
	}

	#end(): void {
		const following = this.#command.answers.find(({ columns }) => columns[0] === 'next_tli')?.rows[0];
		const [timeline, start] = following ?? [];
		if (timeline && start) this.next = { timeline: Number(timeline), start: parseLsn(start) };
		this.push(null);
	}
}
