/** Where a backup's bytes come from: a database, files, a bucket. */
import type { Readable } from 'node:stream';

/** Facts of a source that may stand in the clear beside the backup: engine and versions, never names or secrets. */
export type SourceDetails = Record<string, string | number | boolean | null>;

/** What must match after a restore. Stored encrypted whenever the backup is. */
export type Contents = { format: 1 } & Record<string, unknown>;

export interface OpenSource {
	/**
	 * Ends only when the source gave everything; any failure errors it. Its chunks belong to the consumer until it gives
	 * them back.
	 */
	readonly body: Readable;
	/** Takes a chunk of `body` back, whose memory the source uses again; absent where it does not. Then it is freed. */
	readonly recycle?: (chunk: Buffer) => void;
	/** Which server it is, as it may stand in the clear; null or absent where that is not known. */
	readonly server?: string | null;
	/** The object's name without the extensions of the codecs, e.g. `dump.sql`. */
	readonly objectName: string;
	/**
	 * Ends the source after `body` has ended: says what it held, and whether all of it was consistent to the end.
	 * @throws BackupError when the bytes cannot be trusted after all
	 */
	finish(): Promise<{
		details: SourceDetails;
		contents: Contents;
		/** SQL that makes what a dump needs of its server; stored beside the dump. */
		globals?: string;
		warnings: string[];
	}>;
	/** Gives back connections. Safe at any time, also after `finish`. */
	close(): Promise<void>;
}

export interface Source {
	readonly kind: 'postgres' | 'files' | 'config' | 'bucket';
	/**
	 * @param options.stallTimeoutMs how long it may wait for an answer, also later, milliseconds
	 * @throws BackupError when it cannot be opened; then nothing is left open
	 */
	open(options: { signal: AbortSignal; stallTimeoutMs?: number }): Promise<OpenSource>;
}
