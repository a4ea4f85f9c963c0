/**
 * A running BASE_BACKUP: the archives that a server makes of its own files, one after the other. Since PostgreSQL 15 each
 * message begins with a letter that says what it is; before, each archive is a copy of its own, without its last two blocks.
 * (PostgreSQL manual, "Streaming Replication Protocol", BASE_BACKUP.)
 */
import { Readable } from 'node:stream';
import type { Client } from 'pg';
import { BackupError } from '../../../../base/errors';
import { toBackupError } from '../../connection/errors';
import type { DatabaseTarget } from '../../connection/target';
import { explain } from '../errors';
import { ReplicationCommand } from '../replication';

/** The list of all files with their checksums, as the server calls it. */
export const BACKUP_MANIFEST = 'backup_manifest';
/** The archive of everything that is in no other tablespace. */
export const BASE_ARCHIVE = 'base.tar';

/** Room for the connection to run ahead of a consumer that pauses briefly. */
const BUFFER_BYTES = 1024 * 1024;
/** Two blocks of zeros. */
const END_OF_TAR = Buffer.alloc(1024);
const NEW_ARCHIVE = 'n'.charCodeAt(0);
const DATA = 'd'.charCodeAt(0);
const NEW_MANIFEST = 'm'.charCodeAt(0);
const MAX_ARCHIVES = 990;

/** One archive: `base.tar`, `<oid>.tar` of a tablespace, or the list of files. */
export interface BaseArchive {
	name: string;
	body: Readable;
}

/** A place in the log and the timeline it is on, as the server wrote them. */
export interface LogPoint {
	lsn: string;
	timeline: number;
}

/** A tablespace other than the two that every cluster has. */
export interface Tablespace {
	oid: number;
	/** Its folder on the server. */
	location: string;
}

/** What the server said of the whole. */
export interface BaseBackupFacts {
	start: LogPoint;
	end: LogPoint;
	tablespaces: Tablespace[];
}

/** Gives its bytes as they come, and lets the connection wait while nobody wants more. */
class ArchiveBody extends Readable {
	readonly #resume: () => void;

	constructor(resume: () => void) {
		super({ highWaterMark: BUFFER_BYTES });
		this.#resume = resume;
		// It may fail before somebody reads: a reader finds it broken, and until then nobody is to be told.
		this.on('error', () => undefined);
	}

	override _read(): void {
		this.#resume();
	}
}

export class BaseBackup {
	/** The server takes what it takes. */
	readonly warnings = [];
	readonly #command: ReplicationCommand;
	readonly #major: number;
	readonly #ready: BaseArchive[] = [];
	#body: ArchiveBody | null = null;
	#count = 0;
	#ended = false;
	#failure: Error | null = null;
	#wake: () => void = () => undefined;

	/**
	 * Begins; the server makes a checkpoint first.
	 * @param client of a connection for replication, which does nothing else meanwhile
	 * @param options.incremental on the list of files that was uploaded on this connection; PostgreSQL 17 or later
	 */
	constructor(client: Client, target: DatabaseTarget, options: { major: number; incremental: boolean }) {
		this.#major = options.major;
		this.#command = new ReplicationCommand(commandText(options), {
			onCopyOut: () => this.#nextCopy(),
			onData: (chunk) => this.#take(chunk),
		});
		client.query(this.#command);
		this.#command.done.then(
			() => this.#end(),
			(error: unknown) => this.#fail(explain(toBackupError(error, target), target)),
		);
	}

	/** Waits until the first archive comes. @throws BackupError of the connection or the server, which then does something else */
	async begun(): Promise<void> {
		while (this.#ready.length === 0 && !this.#ended) {
			if (this.#failure) throw this.#failure;
			await new Promise<void>((resolve) => (this.#wake = resolve));
		}
	}

	/**
	 * Gives the archives in the order in which the server sends them; the list of files is the last one.
	 * @throws BackupError of the connection or the server, as the bodies do
	 */
	async *archives(): AsyncGenerator<BaseArchive> {
		for (;;) {
			const next = this.#ready.shift();
			if (next) yield next;
			else if (this.#failure) throw this.#failure;
			else if (this.#ended) return;
			else await new Promise<void>((resolve) => (this.#wake = resolve));
		}
	}

	/** What the server said when all archives were sent. @throws BackupError 'incomplete' */
	facts(): BaseBackupFacts {
		const { answers } = this.#command;
		const [start, spaces] = answers;
		const end = answers.at(-1);
		if (!this.#ended || !start || !spaces || !end || answers.length < 3) {
			throw new BackupError('incomplete', 'the server ended the base backup without saying where', {
				hint: 'Look into the server’s log, and run it again.',
			});
		}
		return {
			start: placeOf(start.rows),
			end: placeOf(end.rows),
			tablespaces: spaces.rows.flatMap(([oid, location]) =>
				oid === null || oid === undefined ? [] : [{ oid: Number(oid), location: location ?? '' }],
			),
		};
	}

	/** A copy of its own for each archive, before PostgreSQL 15. */
	#nextCopy(): void {
		if (this.#major >= 15) return;
		const spaces = this.#command.answers[1]?.rows ?? [];
		if (this.#count > 0) this.#push(END_OF_TAR);
		const space = spaces[this.#count];
		if (space) this.#open(space[0] === null ? BASE_ARCHIVE : `${space[0]}.tar`);
		else this.#open(BACKUP_MANIFEST);
	}

	#take(chunk: Buffer): void {
		if (this.#major < 15) return this.#push(chunk);
		switch (chunk[0]) {
			case NEW_ARCHIVE:
				return this.#open(chunk.toString('utf8', 1, chunk.indexOf(0, 1)));
			case NEW_MANIFEST:
				return this.#open(BACKUP_MANIFEST);
			case DATA:
				return this.#push(chunk.subarray(1));
		}
	}

	#open(name: string): void {
		if (!/^(?:base|\d{1,10})\.tar$|^backup_manifest$/.test(name) || ++this.#count > MAX_ARCHIVES) {
			throw new BackupError(
				'unsupported',
				`the server sends an archive that no base backup has: ${name.slice(0, 100)}`,
				{
					hint: 'Check host and port, and who answers there.',
				},
			);
		}
		this.#body?.push(null);
		this.#body = new ArchiveBody(() => this.#command.resume());
		this.#ready.push({ name, body: this.#body });
		this.#wake();
	}

	/** The memory of the chunk is `pg`'s, and used again. */
	#push(chunk: Buffer): void {
		if (this.#body && !this.#body.destroyed && !this.#body.push(Buffer.from(chunk))) this.#command.pause();
	}

	#end(): void {
		this.#ended = true;
		this.#body?.push(null);
		this.#wake();
	}

	#fail(error: Error): void {
		this.#failure = error;
		this.#body?.destroy(error);
		this.#wake();
	}
}

/**
 * With the log that the backup itself needs, so that it can be restored alone; a checkpoint at once; and a map of the
 * tablespaces instead of links, so that nothing of it can lead into the running server.
 */
function commandText({ major, incremental }: { major: number; incremental: boolean }): string {
	if (major < 15) return `BASE_BACKUP LABEL 'n8n-nodes-backup' FAST WAL TABLESPACE_MAP MANIFEST 'yes'`;
	const options = [`LABEL 'n8n-nodes-backup'`, `CHECKPOINT 'fast'`, 'WAL', 'TABLESPACE_MAP', `MANIFEST 'yes'`];
	return `BASE_BACKUP (${[...options, ...(incremental ? ['INCREMENTAL'] : [])].join(', ')})`;
}

function placeOf(rows: Array<Array<string | null>>): LogPoint {
	const [lsn, timeline] = rows[0] ?? [];
	return { lsn: lsn ?? '', timeline: Number(timeline) };
}
