/**
 * PostgreSQL without a server, for restore drills where none is at hand: PGlite (PostgreSQL 18 in WebAssembly) in a process
 * of its own that is shut in, with its data in a temporary folder.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import { abortError, BackupError } from '../../errors';
import type { Query } from '../compare';
import type { ReplaySession } from '../session';
import { modulesFor } from './extensions';
import { createScratchFolder, removeScratchFolder } from './folder';
import type { ChildInput } from './messages.ts';
import { DatabaseProcess } from './process';
import { EmbeddedSession } from './session';
import { toRows, toText } from './values';

/**
 * The largest plain dump that a drill should restore here, bytes; larger ones were not tried. Measured on two busy cores,
 * with dumps of a shop of 50, 134 and 496 MB (2.6 million rows): starting took 5 to 15 s, the restore 4, 10 and 23 s, the
 * process had at most 1.1 GB of memory (for a moment of the start, about 500 MB before and after), and the temporary
 * folder 150, 360 and 1,190 MB. The main thread's event loop was 11 to 37 ms late (p99).
 */
export const EMBEDDED_MAX_BYTES = 500_000_000;

export interface EmbeddedDatabase {
	/** For {@link replayInto}. Closing it stops the database; the folder remains until the database is closed. */
	readonly session: ReplaySession;
	/**
	 * Runs one statement, with values and rows as in `pg`. Settings that a dump has made are gone by then, as over a new
	 * connection.
	 * @throws EmbeddedError when it is refused; BackupError 'connection-lost' when the database is gone
	 */
	readonly query: Query;
	/** Of PostgreSQL, e.g. "18.3". */
	readonly version: string;
	/** Stops it, whatever it is doing, and removes its folder. May be called twice. */
	close(): Promise<void>;
}

export interface EmbeddedOptions {
	/** Stops the database at any time, at once. Its owner must close it nevertheless. */
	signal: AbortSignal;
	/** Names of those that the dump creates. */
	extensions: readonly string[];
}

/**
 * Starts an empty database, whose only user is a superuser. Takes some seconds.
 * @throws BackupError 'unsupported' for extensions that it lacks; 'storage-full', 'connection-lost' when it does not
 * start; 'cancelled'. Then nothing is left
 */
export async function openEmbeddedDatabase({ signal, extensions }: EmbeddedOptions): Promise<EmbeddedDatabase> {
	const modules = modulesFor(extensions);
	if (signal.aborted) throw abortError(signal);
	const program = await findProgram();
	const folder = await createScratchFolder();
	let server: DatabaseProcess | undefined;
	const onAbort = () => void server?.stop(abortError(signal));
	signal.addEventListener('abort', onAbort, { once: true });
	const close = async () => {
		signal.removeEventListener('abort', onAbort);
		await server?.stop();
		await removeScratchFolder(folder);
	};
	try {
		const cage = { folder, program };
		const input: Omit<ChildInput, 'task' | 'inherited'> = { folder: path.join(folder, 'data'), program, modules };
		// The memory that this takes comes back only with the end of its process.
		await (await DatabaseProcess.start({ ...input, task: 'create' }, cage, signal)).stop();
		server = await DatabaseProcess.start({ ...input, task: 'serve' }, cage, signal);
		if (signal.aborted) throw abortError(signal);
		const session = new EmbeddedSession(server);
		const query = async <Row extends object>(text: string, values: unknown[] = []) =>
			toRows<Row>(await session.query(text, values.map(toText)));
		const [row] = await query<{ server_version: string }>('SHOW server_version');
		return { session, query, version: row!.server_version, close };
	} catch (error) {
		await close();
		throw error;
	}
}

/** Where PGlite's files are. Its package exports no paths to all of them; they lie beside its main module. */
async function findProgram(): Promise<string> {
	try {
		return await fs.realpath(path.dirname(require.resolve('@electric-sql/pglite')));
	} catch (cause) {
		throw new BackupError('engine-not-found', 'the embedded database is missing', {
			hint: 'Install the package n8n-nodes-backup again: its dependency @electric-sql/pglite is missing.',
			cause,
		});
	}
}
