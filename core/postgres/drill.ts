/** The restore drill: a dump becomes a scratch database, which is compared, questioned and dropped again, whatever happens. */
import type { Readable } from 'node:stream';
import type { Client, QueryArrayConfig } from 'pg';
import { abortError, BackupError, isBackupError } from '../errors';
import { type Assertion, type AssertionResult, runAssertions } from './assertions';
import { compareContents, type Comparison, type Query, queryOf } from './compare';
import { connect, disconnect } from './connection';
import type { DatabaseFacts } from './contents';
import { replay, type ReplayResult } from './replay';
import { DRILL_RULES, type RewriteRules } from './rewrite';
import { createScratchDatabase, type Scratch, scratchError } from './scratch-database';
import { describeTarget, type DatabaseTarget } from './target';

export interface DrillRequest {
	/** Opens the dump. Its stream ends only when every byte was proved. */
	open: () => Promise<Readable>;
	format: 'plain' | 'custom';
	/** Of the dump. */
	originalBytes: number;
	contents: DatabaseFacts;
	scratch: Scratch;
	/** {@link DRILL_RULES} by default. Subscriptions are left out in any case: they would begin to pull rows. */
	rules?: RewriteRules;
	assertions: readonly Assertion[];
	signal: AbortSignal;
	onProgress?: (phase: 'restoring' | 'comparing', bytes: number) => void;
	/** Also told of a scratch database that could not be dropped. */
	warn: (text: string) => void;
}

export interface DrillResult {
	/** For people. */
	scratch: string;
	/** From the empty database to the whole one. */
	restoreSeconds: number;
	comparison: Comparison;
	assertions: AssertionResult[];
}

/**
 * Restores into a scratch database and looks at what came out. That it differs is a result, not an error.
 * @throws BackupError of the dump's stream, 'restore-failed' with `details.environment`, those of the scratch server
 */
export async function drill(request: DrillRequest): Promise<DrillResult> {
	const { scratch } = request;
	if (scratch.kind === 'server') return await drillOnServer(request, scratch.target);
	throw new BackupError('unsupported', 'there is no embedded database');
}

async function drillOnServer(request: DrillRequest, server: DatabaseTarget): Promise<DrillResult> {
	const { contents, signal, warn } = request;
	if (request.format === 'custom') throw needsPgRestore();
	const database = await createScratchDatabase(server, contents, { signal, warn });
	let client: Client | undefined;
	try {
		const { target } = database;
		const restoreSeconds = await restoring(request, (body, options) => replay(body, target, options));
		client = await connect(target, { signal });
		return {
			scratch: describeTarget(target),
			restoreSeconds,
			...(await examine(request, queryOf(client), questions(client))),
		};
	} catch (error) {
		if (signal.aborted) throw abortError(signal);
		throw isBackupError(error) ? error : scratchError(error, database.target);
	} finally {
		if (client) await disconnect(client);
		await database.drop();
	}
}

interface RestoringOptions {
	signal: AbortSignal;
	rules: RewriteRules;
	onProgress: (progress: { bytes: number }) => void;
}

/** @returns seconds */
async function restoring(
	request: DrillRequest,
	restore: (body: Readable, options: RestoringOptions) => Promise<ReplayResult>,
): Promise<number> {
	const { signal, onProgress, warn } = request;
	const rules = request.rules ?? DRILL_RULES;
	const start = performance.now();
	const body = await request.open();
	const { bytes, warnings } = await restore(body, {
		signal,
		rules: { ...rules, leaveOut: [...new Set([...(rules.leaveOut ?? []), 'subscriptions' as const])] },
		onProgress: (progress) => onProgress?.('restoring', progress.bytes),
	});
	// The digests are compared at the end of the stream: without it, nothing was proved.
	if (!body.readableEnded || bytes !== request.originalBytes) {
		throw new BackupError('incomplete', `${bytes} of ${request.originalBytes} bytes of the dump were restored`);
	}
	for (const warning of warnings) warn(`of the scratch server: ${warning}`);
	return (performance.now() - start) / 1000;
}

async function examine(
	{ contents, rules, assertions, originalBytes, onProgress }: DrillRequest,
	query: Query,
	ask: Query,
): Promise<Pick<DrillResult, 'comparison' | 'assertions'>> {
	onProgress?.('comparing', originalBytes);
	const comparison = await compareContents(query, contents, { only: rules?.only });
	return { comparison, assertions: await runAssertions(ask, assertions) };
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

function needsPgRestore(): BackupError {
	return new BackupError(
		'engine-not-found',
		'a backup in custom format is restored by pg_restore, and there is none here',
		{
			hint: 'Verify it on a machine with PostgreSQL’s client programs, or make backups in plain format.',
		},
	);
}
