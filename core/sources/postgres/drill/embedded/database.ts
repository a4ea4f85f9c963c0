/**
 * PostgreSQL without a server, for restore drills where none is at hand: PGlite (PostgreSQL 18 in WebAssembly) in a process
 * of its own that is shut in, with its data in a temporary folder.
 */
import path from 'node:path';
import { abortError } from '../../../../base/errors';
import type { Query } from '../../connection/query';
import type { ReplaySession } from '../../replay/session';
import { modulesFor } from './extensions';
import { createTemporaryFolder, removeTemporaryFolder } from '../../../../base/temporary-folder';
import { unpackDatabase } from './prepared';
import { DatabaseProcess } from './process';
import { findProgram } from './program';
import { EmbeddedSession } from './session';
import { takeTurn } from './turn';
import { toRows, toPostgresText } from './values';

/**
 * The largest plain dump that a drill should restore here, bytes; larger ones were not tried. Measured on two busy cores,
 * with dumps of a shop of 1, 50 and 496 MB (2.6 million rows): a whole drill took 2.8, 5 and 28 s, of which 1.5 s are the start,
 * and 200, 220 and 310 MB more memory than reading the backup; of the last one the temporary folder had 1,190 MB.
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
	/** Called once, when another embedded database of this process has to be closed first. */
	onWait?: () => void;
	/** Names of those that the dump creates. */
	extensions: readonly string[];
}

/**
 * Starts an empty database, whose only user is a superuser, as soon as no other one is open in this process. Takes 1.7 s then.
 * Each has a process and a data directory of its own, so that nothing of one dump reaches the next.
 * @throws BackupError 'unsupported' for extensions that it lacks; 'storage-full', 'connection-lost' when it does not
 * start; 'cancelled'. Then nothing is left
 */
export async function openEmbeddedDatabase({ signal, onWait, extensions }: EmbeddedOptions): Promise<EmbeddedDatabase> {
	const modules = modulesFor(extensions);
	if (signal.aborted) throw abortError(signal);
	const program = await findProgram();
	const endTurn = await takeTurn({ signal, onWait });
	let folder: string | undefined;
	let server: DatabaseProcess | undefined;
	const onAbort = () => void server?.stop(abortError(signal));
	signal.addEventListener('abort', onAbort, { once: true });
	const close = async () => {
		signal.removeEventListener('abort', onAbort);
		try {
			await server?.stop();
			if (folder !== undefined) await removeTemporaryFolder(folder);
		} finally {
			endTurn();
		}
	};
	try {
		folder = await createTemporaryFolder('scratch');
		const data = path.join(folder, 'data');
		await unpackDatabase(data, signal);
		const input = { task: 'serve', folder: data, program, modules } as const;
		server = await DatabaseProcess.start(input, { folder, program }, signal);
		if (signal.aborted) throw abortError(signal);
		const session = new EmbeddedSession(server);
		const query = async <Row extends object>(text: string, values: unknown[] = []) =>
			toRows<Row>(await session.query(text, values.map(toPostgresText)));
		const [row] = await query<{ server_version: string }>('SHOW server_version');
		return { session, query, version: row!.server_version, close };
	} catch (error) {
		await close();
		throw error;
	}
}
