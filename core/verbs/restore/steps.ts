/** The steps of a restore, from the look at the place to the database that has its name. */
import type { Client } from 'pg';
import { isBackupError, messageOf } from '../../base/errors';
import { queryOf } from '../../sources/postgres/connection/query';
import { moveIntoPlace, swapDatabases } from '../../sources/postgres/restore/swap';
import {
	type Given,
	giveMissingSettings,
	giveRest,
	giveSettings,
} from '../../sources/postgres/dump/database-properties';
import { type Filled, fillDatabase } from '../../sources/postgres/restore/fill';
import { executeGlobals } from '../../sources/postgres/dump/globals';
import { isEverything } from '../../sources/postgres/replay/only';
import { passwordWarning } from '../../sources/postgres/connection/password-exposure';
import { preflight } from '../../sources/postgres/restore/preflight';
import type { ReplayProgress } from '../../sources/postgres/replay/types';
import {
	assertEmpty,
	createDatabase,
	dropDatabase,
	lookAtPlace,
	temporaryName,
	withClient,
} from '../../sources/postgres/restore/target';
import { type DatabaseTarget, describeTarget } from '../../sources/postgres/connection/target';
import type { RestoreResult } from './types';
import type { RestoreRequest } from './types';
import type { RestoreProgress } from './types';
import { openForRestore, type OpenedBackup } from './source';

/** Nothing may interrupt what must not be left half done. */
const NEVER = new AbortController().signal;

export type Outcome = Pick<
	RestoreResult,
	'database' | 'originalBytes' | 'statements' | 'rows' | 'comparison' | 'properties' | 'warnings'
>;

export class Restore {
	readonly #request: RestoreRequest;
	readonly #stallTimeoutMs: number;
	readonly #warnings: string[] = [];
	readonly #properties = new Set<string>();

	constructor(request: RestoreRequest, stallTimeoutMs: number) {
		this.#request = request;
		this.#stallTimeoutMs = stallTimeoutMs;
	}

	async run(): Promise<Outcome> {
		const backup = await openForRestore(this.#request, this.#stallTimeoutMs);
		this.#report('preparing', backup, { bytes: 0, statements: 0, rows: 0 });
		const { mode } = this.#request.into;
		return mode === 'empty' ? await this.#intoEmpty(backup) : await this.#intoNew(backup, mode);
	}

	async #intoEmpty(backup: OpenedBackup): Promise<Outcome> {
		const { server, into, signal } = this.#request;
		const target = { ...server, database: into.database };
		await withClient(target, signal, async (client) => {
			await assertEmpty(client, target);
			await this.#prepare(client, backup, { createsDatabase: false });
			const { rules } = this.#request;
			const settings = isEverything(rules.only) ? (backup.contents.properties?.settings ?? []) : [];
			this.#took(await giveMissingSettings(client, into.database, settings, rules));
		});
		try {
			return this.#outcome(into.database, backup, await this.#fill(backup, target));
		} catch (error) {
			throw addHint(error, `What was restored so far is still in ${describeTarget(target)}: it is half filled.`);
		}
	}

	/** Beside everything that is there, under a name of its own, which it gives up only when it is whole. */
	async #intoNew(backup: OpenedBackup, mode: 'new' | 'replace'): Promise<Outcome> {
		const { server, into, signal } = this.#request;
		const tablespace = await withClient(server, signal, async (client) => {
			const found = await lookAtPlace(client, into);
			const replaces = mode === 'replace' ? into.database : undefined;
			await this.#prepare(client, backup, { createsDatabase: true, replaces });
			return found?.tablespace;
		});
		const restored = temporaryName(into.database, 'restoring');
		try {
			signal.throwIfAborted();
			// Interrupted, the server might go on with it, and nobody would know.
			await withClient(server, NEVER, async (client) => {
				this.#warnings.push(...(await createDatabase(client, restored, backup.contents, { tablespace })));
				const settings = backup.contents.properties?.settings ?? [];
				const given = await giveSettings(client, restored, settings, this.#request.rules);
				// A replaced database keeps its own, and only the restored rows need these.
				if (mode === 'new') this.#took(given);
			});
			const filled = await this.#fill(backup, { ...server, database: restored });
			this.#report('swapping', backup, filled);
			return this.#outcome(await this.#place(restored, filled, mode, backup), backup, filled);
		} catch (error) {
			throw await this.#giveBack(restored, error);
		}
	}

	/**
	 * Its last chance to be cancelled is before it: whoever breaks off a COMMIT cannot know which database has the name.
	 * @returns under which name the restored database can be found
	 */
	async #place(
		restored: string,
		{ comparison }: Filled,
		mode: 'new' | 'replace',
		{ contents: { properties } }: OpenedBackup,
	): Promise<string> {
		const { server, into, rules, signal } = this.#request;
		signal.throwIfAborted();
		if (mode === 'new') {
			await moveIntoPlace(server, restored, into.database, async (query) => {
				if (properties) this.#took(await giveRest(query, into.database, properties, rules));
			});
			return into.database;
		}
		if (!comparison.ok) {
			this.#warnings.push(
				`${into.database} was not replaced, because what was restored differs from the backup: look at it in ${restored}, then drop that`,
			);
			return restored;
		}
		this.#warnings.push(...(await swapDatabases(server, restored, into.database)));
		return into.database;
	}

	/** @returns the error to throw */
	async #giveBack(restored: string, error: unknown): Promise<unknown> {
		try {
			await dropDatabase(this.#request.server, restored);
			return error;
		} catch (dropError) {
			return addHint(
				error,
				`The unfinished database ${restored} could not be dropped (${messageOf(dropError)}): drop it.`,
			);
		}
	}

	/** Roles and preflight are one transaction: what was found missing leaves no roles behind. */
	async #prepare(
		client: Client,
		{ contents, globals }: OpenedBackup,
		place: { createsDatabase: boolean; replaces?: string },
	): Promise<void> {
		const { server, rules, allowMissingExtensions } = this.#request;
		const query = queryOf(client);
		const exposed = passwordWarning(client);
		if (exposed !== null) this.#warnings.push(exposed);
		await query('BEGIN');
		if (globals !== null) this.#warnings.push(...(await executeGlobals(client, globals, server)));
		this.#warnings.push(...(await preflight(query, server, contents, { rules, allowMissingExtensions, ...place })));
		await query('COMMIT');
	}

	async #fill(backup: OpenedBackup, target: DatabaseTarget): Promise<Filled> {
		const { rules, connections, nativePath, signal } = this.#request;
		const filled = await fillDatabase(backup, target, {
			rules,
			connections,
			nativePath,
			signal,
			onProgress: (phase, progress) => this.#report(phase, backup, progress),
		});
		this.#warnings.push(...filled.warnings);
		return filled;
	}

	#took({ given, warnings }: Given): void {
		for (const what of given) this.#properties.add(what);
		this.#warnings.push(...warnings);
	}

	#report(phase: RestoreProgress['phase'], backup: OpenedBackup, { bytes, statements, rows }: ReplayProgress): void {
		const totalBytes = backup.manifest.object.original.bytes;
		this.#request.onProgress?.({ phase, bytes, totalBytes, statements, rows });
	}

	#outcome(database: string, backup: OpenedBackup, { statements, rows, comparison }: Filled): Outcome {
		const { bytes } = backup.manifest.object.original;
		const properties = [...this.#properties];
		return { database, originalBytes: bytes, statements, rows, comparison, properties, warnings: this.#warnings };
	}
}

function addHint(error: unknown, hint: string): unknown {
	return isBackupError(error) ? error.withHint(hint) : error;
}
