/** The restore drill: a dump becomes a scratch database, which is compared, questioned and dropped again, whatever happens. */
import type { Client, QueryArrayConfig } from 'pg';
import { abortError, BackupError, isBackupError, messageOf } from '../../../base/errors';
import type { Allowance } from '../replay/allowances';
import { askAll, prepareChecks } from '../../checks';
import type { AssertionResult, Check, Drill, DrillResult } from '../../source';
import { dumpOf, dumpFormatOf, postgresKind } from '../kind';
import { type Assertion, assertQuestions, runAssertions } from './assertions';
import { compareContents } from '../dump/compare';
import { queryOf } from '../connection/query';
import { type Query } from '../connection/query';
import { connect, disconnect } from '../connection/connection';
import type { DatabaseFacts } from '../dump/contents';
import { readStart } from '../dump/custom-archive';
import { setInSession } from '../dump/database-settings';
import { EMBEDDED_MAX_BYTES, openEmbeddedDatabase } from './embedded/database';
import {
	type Dump,
	type Executed,
	type FillOptions,
	PG_RESTORE,
	type PlainDump,
	restoreDump,
	restoreDumpInto,
} from '../restore/fill';
import { assertNativeRestore } from '../restore/native';
import { DRILL_RULES, ONLY_FOR_SUPERUSERS, type RewriteRules } from '../replay/rewrite';
import { createScratchDatabase, type Scratch, type ScratchServer } from './scratch-database';
import { scratchError } from './scratch-errors';
import { sqlStateOf } from '../connection/sql-state';
import { describeTarget } from '../connection/target';

/** Asks a restored database. */
export type DrillCheck = Check<DatabaseFacts, Query>;

/** Where and how backups of databases are restored as a test. */
export interface DrillOptions {
	scratch: Scratch;
	/** Asked of the restored database. */
	assertions?: readonly Assertion[];
	checks?: readonly DrillCheck[];
	/** {@link DRILL_RULES} by default. Subscriptions are left out in any case: they would begin to pull rows. */
	rules?: RewriteRules;
	/** What the dump may do that is refused otherwise. */
	allow?: readonly Allowance[];
	/** A pg_restore for dumps in custom format, when it is not in PATH. */
	nativePath?: string;
}

/** One drill. */
interface DrillRequest extends Omit<DrillOptions, 'checks'> {
	dump: Dump;
	assertions: readonly Assertion[];
	questions: ReadonlyArray<(query: Query) => Promise<AssertionResult>>;
	signal: AbortSignal;
	/** `waiting`: for the embedded database, while another drill of this process uses it. */
	onProgress: (phase: 'waiting' | 'restoring' | 'comparing', bytes: number) => void;
	/** Also told of a scratch database that could not be dropped. */
	warn: (text: string) => void;
}

/** For hints. */
const WHERE_TO_NAME = '"Scratch Database: On a Server" in the node, --scratch postgres://… on the command line';
/** From here on the embedded database is slow: 8,000 tables took it 11 minutes, and a server one. */
const MANY_TABLES = 2000;

/** The drill for backups of databases: a scratch database is made, compared, questioned and dropped again. */
export function postgresDrill(options: DrillOptions): Drill<DatabaseFacts> {
	return {
		kind: postgresKind.kind,
		async run(backup, { signal, stallTimeoutMs, onProgress, warn }) {
			const { manifest, contents, open } = backup;
			const dump = dumpOf(manifest);
			const { checks = [], assertions = [], ...rest } = options;
			return await drill({
				...rest,
				assertions,
				questions: await prepareChecks(checks, backup, { signal, warn }),
				scratch: withPatience(options.scratch, stallTimeoutMs),
				dump: {
					open: async () => await open(dump),
					format: dumpFormatOf(manifest),
					originalBytes: dump.original.bytes,
					contents,
				},
				signal,
				onProgress: (phase, bytes) => onProgress({ phase, bytes }),
				warn,
			});
		},
	};
}

function withPatience(scratch: Scratch, patienceMs: number): Scratch {
	return scratch.kind === 'server' ? { ...scratch, target: { patienceMs, ...scratch.target } } : scratch;
}

/** @throws BackupError 'invalid-input' for assertions that are no questions; those of the dump's stream, of a server */
async function drill(request: DrillRequest): Promise<DrillResult> {
	const { scratch } = request;
	assertQuestions(request.assertions);
	return scratch.kind === 'server'
		? await drillOnServer(request, scratch)
		: await drillEmbedded(request, scratch.maxBytes ?? EMBEDDED_MAX_BYTES);
}

/** Beside this process: there is no source that it could be, and closing it removes it. */
async function drillEmbedded(request: DrillRequest, maxBytes: number): Promise<DrillResult> {
	const { dump, signal } = request;
	const { contents } = dump;
	assertFits(dump, maxBytes);
	if (contents.tables.length > MANY_TABLES) {
		request.warn(
			`${contents.tables.length} tables take the embedded database minutes, about ten times as long as a server: ${WHERE_TO_NAME}`,
		);
	}
	const names = contents.extensions.map(({ name }) => name);
	const database = await openEmbeddedDatabase({
		signal,
		onWait: () => request.onProgress('waiting', 0),
		extensions: names,
	});
	try {
		const scratch = `embedded PostgreSQL ${database.version}`;
		const start = performance.now();
		const settings = contents.properties?.settings ?? [];
		await setInSession(database.query, settings);
		tell(request, await restoreDumpInto(dump, database.session, scratch, fillOptions(request, rulesOf(request))));
		const restoreSeconds = (performance.now() - start) / 1000;
		// A session as a new connection would have it, has them as well.
		await setInSession(database.query, settings);
		return { scratch, restoreSeconds, ...(await examine(request, database.query, database.query)) };
	} catch (error) {
		if (signal.aborted) throw abortError(signal);
		throw isBackupError(error) ? byItsName(error) : embeddedError(error);
	} finally {
		await database.close();
	}
}

/** A full disk refuses statements, but it is not the restore that failed. */
function byItsName(error: BackupError): BackupError {
	const { message, hint, details } = error;
	const isFull = details?.sqlState === '53100';
	return isFull ? new BackupError('storage-full', message, { hint, details, cause: error }) : error;
}

/** @throws BackupError 'unsupported' */
function assertFits(dump: Dump, maxBytes: number): asserts dump is PlainDump {
	const { format, originalBytes } = dump;
	const hint = `Name a scratch server for the drill: ${WHERE_TO_NAME}.`;
	if (format === 'custom') {
		throw new BackupError('unsupported', 'a backup in custom format cannot be restored into the embedded database', {
			hint,
		});
	}
	if (originalBytes > maxBytes) {
		const [size, limit] = [originalBytes, maxBytes].map((bytes) => `${Math.ceil(bytes / 1_000_000)} MB`);
		throw new BackupError('unsupported', `the dump has ${size}, and the embedded database takes up to ${limit}`, {
			hint,
		});
	}
}

/** What the embedded database refused to our own queries: never the dump's fault. */
function embeddedError(cause: unknown): BackupError {
	const code = sqlStateOf(cause) === '53100' ? 'storage-full' : 'restore-failed';
	return new BackupError(code, `the embedded database failed: ${messageOf(cause)}`, {
		hint: `Try again, or name a scratch server for the drill: ${WHERE_TO_NAME}.`,
		cause,
	});
}

async function drillOnServer(request: DrillRequest, server: ScratchServer): Promise<DrillResult> {
	const { dump, signal, warn } = request;
	const rules = rulesOf(request);
	if (dump.format === 'custom') await assertPgRestore(request, rules);
	const database = await createScratchDatabase(server, dump.contents, { rules, signal, warn });
	const { target, createExtension } = database;
	const isPlainRole = target.user !== server.target.user;
	let client: Client | undefined;
	try {
		const start = performance.now();
		const leaveOut = [
			...(rules.leaveOut ?? []),
			...(isPlainRole && dump.format === 'plain' ? ONLY_FOR_SUPERUSERS : []),
		];
		const options = { ...fillOptions(request, { ...rules, leaveOut }), createExtension };
		tell(request, await restoreDump(dump, target, options));
		const restoreSeconds = (performance.now() - start) / 1000;
		client = await connect(target, { signal });
		const found = await examine(request, queryOf(client), questions(client));
		return { scratch: describeTarget(target), restoreSeconds, ...found };
	} catch (error) {
		if (signal.aborted) throw abortError(signal);
		const named = isBackupError(error) ? byItsName(error) : scratchError(error, target);
		throw isPlainRole ? asPlainRole(named) : named;
	} finally {
		if (client) await disconnect(client);
		await database.drop();
	}
}

/** What only a superuser may do, a drill's own role may not, though its user might be one. */
function asPlainRole(error: BackupError): BackupError {
	const { code, message, details, cause } = error;
	// What pg_restore says has no SQLSTATE.
	const isRefused = details?.sqlState === '42501' || code === 'access-denied';
	const lacksClass = details?.sqlState === '42704' && /operator class|operator family/.test(message);
	if (!isRefused && !lacksClass) return error;
	return new BackupError(code, message, {
		hint: 'The drill worked as a role of its own, which is not a superuser. If you know who made this backup, allow "superuser": then what the dump says runs with all rights on the scratch server.',
		details: { ...details, environment: true },
		cause,
	});
}

function rulesOf({ rules = DRILL_RULES, allow }: DrillRequest): RewriteRules {
	const leaveOut = [...new Set([...(rules.leaveOut ?? []), 'subscriptions' as const])];
	return { ...rules, leaveOut, ...(allow && { allow }) };
}

function fillOptions({ nativePath, signal, onProgress }: DrillRequest, rules: RewriteRules): FillOptions {
	return { rules, nativePath, signal, onProgress: (phase, { bytes }) => onProgress(phase, bytes) };
}

function tell({ warn }: DrillRequest, { warnings }: Executed): void {
	for (const warning of warnings) warn(`of the scratch database: ${warning}`);
}

/** Before a database is made. */
async function assertPgRestore({ dump, nativePath }: DrillRequest, rules: RewriteRules): Promise<void> {
	await assertNativeRestore(nativePath ?? PG_RESTORE, rules, await readStart(await dump.open()));
}

async function examine(
	{ dump: { contents, originalBytes }, rules, assertions, questions, onProgress }: DrillRequest,
	query: Query,
	ask: Query,
): Promise<Pick<DrillResult, 'comparison' | 'assertions'>> {
	onProgress('comparing', originalBytes);
	const comparison = await compareContents(query, contents, { only: rules?.only });
	return {
		comparison,
		assertions: [...(await runAssertions(ask, assertions)), ...(await askAll(questions, query))],
	};
}

/**
 * For questions of the user. In the extended protocol a text can be one statement only, so none can end the transaction
 * that holds it back. As arrays, the first column of a row is the first one even where names repeat.
 */
function questions(client: Client): Query {
	return async <Row extends object>(text: string, values?: unknown[]) => {
		const question: QueryArrayConfig & { queryMode: 'extended' } = {
			text,
			values,
			rowMode: 'array',
			queryMode: 'extended',
		};
		return (await client.query(question)).rows as Row[];
	};
}
