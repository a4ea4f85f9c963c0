/** The thread that looks at n8n's SQLite database: SQLite's calls block, and whoever wrote the database may have made one that never ends. */
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { Fault } from '../files/fault.ts';
import type { ToldFault } from '../files/faults.ts';
import { countOpened, type KeyRow } from './credentials.ts';
import type { SqliteJob, SqliteMessage } from './sqlite-messages.ts';
import { findN8nTables, MAX_CREDENTIAL, MAX_KEYS, type N8nTables, TOO_LARGE, TOO_MANY_KEYS } from './tables.ts';

const { file, key } = workerData as SqliteJob;

async function look(): Promise<SqliteMessage> {
	const url = pathToFileURL(file);
	// The copy of a database in WAL mode has no log; an ordinary reader would make one.
	url.searchParams.set('immutable', '1');
	const database = new DatabaseSync(url, { readOnly: true });
	try {
		database.exec('PRAGMA trusted_schema = OFF');
		const names = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
		const [tables] = findN8nTables(names.map(({ name }) => ({ schema: '', name: String(name) })));
		if (!tables) return { kind: 'none' };
		const keys = keysOf(database, tables);
		return { kind: 'opened', opened: await countOpened(key, keys, credentialsOf(database, tables)) };
	} finally {
		database.close();
	}
}

function keysOf(database: DatabaseSync, { keys }: N8nTables): KeyRow[] {
	if (keys === null) return [];
	const rows = database.prepare(
		`SELECT id, type, value, algorithm FROM ${quoted(keys)} WHERE length(value) <= ${MAX_CREDENTIAL} LIMIT ${MAX_KEYS + 1}`,
	);
	const found = rows.all();
	if (found.length > MAX_KEYS) throw thrown(TOO_MANY_KEYS);
	return found.map(({ id, type, value, algorithm }) => ({
		...{ id: String(id), type: String(type), value: String(value) },
		algorithm: algorithm === null ? null : String(algorithm),
	}));
}

function* credentialsOf(database: DatabaseSync, { credentials }: N8nTables): Generator<string> {
	const rows = database.prepare(
		`SELECT CASE WHEN length(data) <= ${MAX_CREDENTIAL} THEN data END AS data FROM ${quoted(credentials)}`,
	);
	for (const { data } of rows.iterate()) {
		if (typeof data !== 'string') throw thrown(TOO_LARGE);
		yield data;
	}
}

function quoted(name: string): string {
	return `"${name.replaceAll('"', '""')}"`;
}

function thrown({ code, message, hint }: ToldFault): Fault {
	return new Fault(code, message, hint);
}

look().then(
	(message) => parentPort!.postMessage(message),
	(error: Error) => {
		const fault: ToldFault =
			error instanceof Fault
				? { code: error.code, message: error.message, hint: error.hint }
				: { code: 'unsupported', message: `n8n’s SQLite database cannot be read: ${error.message}` };
		parentPort!.postMessage({ kind: 'fault', fault } satisfies SqliteMessage);
	},
);
