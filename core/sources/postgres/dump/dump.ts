/** A database as the source of a backup: snapshot, facts and pg_dump's bytes, all of one moment. */
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { BackupError, isBackupError } from '../../../base/errors';
import { watchStall } from '../../../base/limits';
import type { OpenSource, Source, SourceDetails } from '../../source';
import { serverMark } from '../server-mark';
import { contentsText, type DatabaseFacts } from './contents';
import { warnIfEmpty } from './empty-database';
import { chooseEngine, type EngineChoice } from './engines/choose';
import type { DumpFilter, DumpFormat, RunningDump } from './engines/engine';
import type { GlobalsChoice } from './globals';
import { type Before, type LostRows, lostSince } from './lost-rows';
import { patienceOf } from '../connection/silence';
import { openSnapshot } from './snapshot';
import type { DatabaseTarget } from '../connection/target';

export interface PostgresDumpOptions {
	engine: EngineChoice;
	/** The native engine's program, when it is not in PATH. */
	nativePath?: string;
	format: DumpFormat;
	filter: DumpFilter;
	/** Give up when a table stays locked for this long, milliseconds. */
	lockTimeoutMs: number;
	/** Hash the rows of every table too, so that a restore proves more than their number. Reads all of them once more. */
	contentHash?: boolean;
	/** Save the roles of the server beside the dump. */
	globals?: GlobalsChoice;
	/** A person must approve it when a table lost more of its rows than this since the backup before, percent. @default 50 */
	maxLostPercent?: number;
	/** Names of all databases that the same run backs up. */
	alongside?: readonly string[];
	/** Warn when the snapshot held back vacuum for longer than this, milliseconds. */
	snapshotWarningMs: number;
}

export const DEFAULT_DUMP_OPTIONS: PostgresDumpOptions = {
	engine: 'auto',
	format: 'plain',
	filter: {},
	lockTimeoutMs: 60_000,
	snapshotWarningMs: 3_600_000,
};

/** The object's name says how to open it by hand; pg_dump's custom format has no usual extension. */
const OBJECT_NAME = { plain: 'dump.sql', custom: 'dump.pgdump' } as const;

/** The source of a backup of one database. */
export function postgresSource(target: DatabaseTarget, options: PostgresDumpOptions = DEFAULT_DUMP_OPTIONS): Source {
	return {
		kind: 'postgres',
		open: async ({ signal, stallTimeoutMs, previous, readPrevious }) =>
			await openPersistently({ patienceMs: stallTimeoutMs, ...target }, options, { previous, readPrevious }, signal),
	};
}

/** How often a dump begins whose tables come and go. */
const ATTEMPTS = 3;

/** pg_dump reads all definitions before its first byte, so that nothing was stored yet when it misses one. */
async function openPersistently(
	target: DatabaseTarget,
	options: PostgresDumpOptions,
	before: Before,
	signal: AbortSignal,
): Promise<OpenSource> {
	for (let attempt = 1; ; attempt++) {
		try {
			return await openDump(target, options, before, signal);
		} catch (error) {
			if (!isBackupError(error, 'source-changing') || attempt === ATTEMPTS || signal.aborted) throw error;
		}
	}
}

async function openDump(
	target: DatabaseTarget,
	options: PostgresDumpOptions,
	before: Before,
	signal: AbortSignal,
): Promise<OpenSource> {
	const { filter, format, lockTimeoutMs } = options;
	const snapshot = await openSnapshot(target, { signal, lockTimeoutMs, filter });
	let dump: RunningDump | undefined;
	try {
		const server = snapshot.systemIdentifier === null ? null : serverMark(snapshot.systemIdentifier);
		const engine = await chooseEngine(options.engine, snapshot.serverVersionNumber, { nativePath: options.nativePath });
		const version = await engine.version();
		const running = await engine.start({ target, format, filter, snapshot: snapshot.id, lockTimeoutMs }, { signal });
		const { body } = (dump = running);
		// Who reads it finds it errored; until then, an error that nobody hears would end the process.
		body.on('error', () => undefined);
		// pg_dump keeps its own copy of the snapshot, but without ours nobody can say what the dump must hold.
		snapshot.lost.catch((error: Error) => body.destroy(error));
		const counting = snapshot.facts({ contentHash: options.contentHash });
		counting.catch((error: Error) => body.destroy(error));
		await begun(body, patienceOf(target));
		const warnings: string[] = [];
		let details: SourceDetails = {};
		let lost: LostRows = { shrunk: [], named: [] };
		return {
			server,
			async *parts() {
				yield { role: 'data', name: OBJECT_NAME[format], body, recycle: running.recycle };
				const { contents, warnings: emptied } = await counting;
				const globals = options.globals && (await snapshot.globals(options.globals));
				const held = await snapshot.end();
				warnings.push(...running.warnings, ...emptied, ...heldBack(held, options.snapshotWarningMs));
				details = {
					engine: engine.name,
					engineVersion: version.text,
					serverVersion: contents.serverVersion,
					format,
					filtered: isFiltered(filter),
					tables: contents.tables.length,
					contentHash: options.contentHash === true,
					databaseBytes: contents.databaseBytes,
					snapshotMs: Math.round(held.heldMs),
				};
				const { compared, ...found } = await lostSince(before, { details, contents }, options.maxLostPercent);
				lost = found;
				if (compared !== null) details.rowsCompared = compared;
				warnings.push(...(await aboutContents(contents, target, options, signal)));
				if (globals !== undefined) yield { role: 'globals', name: 'globals.sql', body: bodyOf(globals) };
				yield { role: 'contents', name: 'contents.json', body: bodyOf(contentsText(contents)) };
			},
			finish: async () => ({ details, warnings, ...lost }),
			close: async () => {
				body.destroy();
				await snapshot.close();
			},
		};
	} catch (error) {
		dump?.body.destroy();
		await snapshot.close();
		throw error;
	}
}

function bodyOf(text: string): Readable {
	return Readable.from([Buffer.from(text)]);
}

function heldBack(
	{ heldMs, heldTransactions }: { heldMs: number; heldTransactions: number },
	limitMs: number,
): string[] {
	if (heldMs <= limitMs) return [];
	const minutes = Math.round(heldMs / 60_000);
	return [`the dump's snapshot held back vacuum for ${minutes} minutes (${heldTransactions} transactions)`];
}

/** What somebody should know of what was dumped. */
async function aboutContents(
	{ tables }: DatabaseFacts,
	target: DatabaseTarget,
	{ filter, alongside, contentHash }: PostgresDumpOptions,
	signal: AbortSignal,
): Promise<string[]> {
	const warnings: string[] = [];
	if (tables.length === 0 && !isFiltered(filter)) {
		const warning = await warnIfEmpty(target, alongside, signal);
		if (warning !== null) warnings.push(warning);
	}
	const unhashed = tables.filter(({ rows, hash }) => rows !== null && hash === undefined).length;
	if (contentHash && unhashed > 0) {
		warnings.push(`${unhashed} of ${tables.length} tables could not be hashed: a row is too long or not text`);
	}
	return warnings;
}

/** Waits until there is something to read, which takes nothing away. @throws BackupError 'stalled', those of the stream */
async function begun(body: Readable, patienceMs: number): Promise<void> {
	const watch = watchStall(
		patienceMs,
		(error) => body.destroy(error),
		() => ({ moved: 0, waitingFor: 'source' }),
	);
	try {
		if (body.errored) throw body.errored;
		await once(body, 'readable');
	} finally {
		watch.stop();
	}
}

/** Whether anything of the database is left out. */
export function isFiltered(filter: DumpFilter): boolean {
	return Object.values(filter).some((value) => (Array.isArray(value) ? value.length > 0 : value));
}

/** Names what a filter may not be, before anything starts. @throws BackupError 'invalid-input' */
export function assertFilter(filter: DumpFilter): void {
	const lists = [filter.schemas, filter.excludeSchemas, filter.tables, filter.excludeTables, filter.excludeTableData];
	const bad = lists.flatMap((list) => list ?? []).find((pattern) => pattern.trim() === '' || pattern.includes('\0'));
	if (bad !== undefined) {
		throw new BackupError('invalid-input', 'a schema or table pattern is empty', {
			hint: 'Remove the extra comma from the list of patterns.',
		});
	}
}
