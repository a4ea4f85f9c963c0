/** What writes a dump: a pg_dump, wherever it comes from. */
import type { Readable } from 'node:stream';
import type { DatabaseTarget } from '../../connection/target';

export type DumpFormat = 'plain' | 'custom';

/** What to leave out. Names are pg_dump patterns (psql's rules: * and ?, "quoted" names are exact). Empty means everything. */
export interface DumpFilter {
	schemas?: string[];
	excludeSchemas?: string[];
	tables?: string[];
	excludeTables?: string[];
	/** Tables whose definition is dumped but not their rows. */
	excludeTableData?: string[];
	schemaOnly?: boolean;
}

export interface DumpRequest {
	target: DatabaseTarget;
	format: DumpFormat;
	filter: DumpFilter;
	/** Name from pg_export_snapshot(): the dump sees exactly what the exporting transaction sees. */
	snapshot?: string;
	/** Give up when a table's lock is not granted within this time. */
	lockTimeoutMs: number;
}

export interface EngineVersion {
	major: number;
	/** "18.3" */
	text: string;
}

export interface RunningDump {
	/**
	 * The dump's bytes. Ends only when pg_dump ended with success and (plain format) its closing comment was written;
	 * everything else errors the stream with a BackupError. Destroying it stops pg_dump and its connection.
	 */
	readonly body: Readable;
	/** Takes a chunk of `body` back, to be filled again; absent where chunks are not used again. */
	readonly recycle?: (chunk: Buffer) => void;
	/** Lines pg_dump wrote to stderr although it succeeded; complete once `body` has ended. */
	readonly warnings: readonly string[];
}

export interface Engine {
	readonly name: 'builtin' | 'native';
	/** @throws BackupError 'engine-not-found' */
	version(): Promise<EngineVersion>;
	/**
	 * Starts a dump.
	 * @throws BackupError 'wrong-credentials', 'database-not-found', 'unreachable', … when it cannot start
	 */
	start(request: DumpRequest, options: { signal: AbortSignal }): Promise<RunningDump>;
}
