/**
 * The contract of how a cluster is read: its files and its log. Two ways give the same bytes, over the replication protocol and over plain
 * SQL, so that nothing above knows which of them it has.
 */
import type { Readable } from 'node:stream';
import type { Client } from 'pg';
import type { OpenBackup } from '../../../source';
import type { BaseArchive, BaseBackupFacts } from '../base/base-backup';
import type { ClusterContents } from '../base/contents';

/** As manifests, items and Check name it. */
export type TransportName = 'replication' | 'sql';

/** Which cluster it is, and how far its log goes. */
export interface Identity {
	/** For its whole life, also on its standbys; a number of 64 bits, as text. */
	systemIdentifier: string;
	timeline: number;
	/** The end of the log that is safe on the server's disk. */
	flushed: string;
}

export interface BaseRequest {
	/** Of the server: 18. */
	major: number;
	/** Size of a file of the write-ahead log. */
	segmentBytes: number;
	/** Whether data pages have checksums. */
	checksums: boolean;
	/** What an incremental backup builds on; null for a full one. Only where {@link Transport.fullOnly} is null. */
	onto: OpenBackup<ClusterContents> | null;
}

/** A base backup that has begun. */
export interface RunningBase {
	/** What it lacks, or has, that nobody expects. */
	readonly warnings: readonly string[];
	/**
	 * Gives the archives, each when the one before has been read; the list of files is the last one.
	 * @throws BackupError of the connection or the server, as the bodies do
	 */
	archives(): AsyncGenerator<BaseArchive>;
	/** What is known when all archives were given. @throws BackupError 'incomplete' */
	facts(): BaseBackupFacts;
}

export interface LogRequest {
	/** The server keeps its log by this slot. */
	slot: string;
	/** What lies before it is stored: the server need not keep that. */
	stored: bigint;
	timeline: number;
	from: bigint;
	/** Where to end; the bytes may go a little further. Null: to the end of the timeline. */
	until: bigint | null;
}

/** The bytes of the log of one timeline, and how they end. */
export interface LogReading extends Readable {
	/** The timeline that followed, and where; null where this one has not ended. Known when the stream has ended. */
	readonly next: { timeline: number; start: bigint } | null;
}

/** One connection to a server, and what can be had through it. */
export interface Transport {
	readonly name: TransportName;
	/** Why it is not replication, for people; null where it is. */
	readonly reason: string | null;
	/** For questions in SQL; as texts without values. */
	readonly client: Client;
	/** Why the server keeps no log for us, with what to do; null where slots can be made and moved. */
	readonly noSlots: string | null;
	/** Why it makes full backups only; null where incremental ones may be asked for. */
	readonly fullOnly: string | null;
	/** @throws what `pg` throws */
	identify(): Promise<Identity>;
	/** Has the server keep its log from the last checkpoint on; `temporary`, as long as this connection lives. @throws what `pg` throws */
	createSlot(name: string, options?: { temporary?: boolean }): Promise<void>;
	/** The server then keeps its log no longer than for itself. @throws what `pg` throws */
	dropSlot(name: string): Promise<void>;
	/** Begins; resolves when the server has. @throws BackupError of the connection or the server, which then does something else */
	beginBase(request: BaseRequest): Promise<RunningBase>;
	/** Begins to read. The stream fails with 'broken-log' where the server does not have it. Nothing else goes on meanwhile. */
	readLog(request: LogRequest): LogReading;
	/** The file that says where a timeline comes from; empty where there is none. @throws what `pg` throws */
	readHistory(timeline: number): Promise<string>;
	/** Gives the connection back, which ends whatever goes on. Never fails. */
	close(): Promise<void>;
}
