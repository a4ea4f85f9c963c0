/** The thread that copies a SQLite database: SQLite's calls block. */
import fs from 'node:fs';
import { backup, DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { type CopyFacts, type SnapshotJob, type CopyMessage, NOT_OF_SQLITE } from './messages.ts';

/** Messages of an integrity check that are kept. */
const MAX_MESSAGES = 10;
const MAX_TABLES = 10_000;
/** More than any database has. */
const ALL_PAGES = 2 ** 31 - 1;
/** Bytes 18 and 19 of a database are 2 when it is in WAL mode (SQLite's file format, 1.3.3). */
const WRITE_VERSION_AT = 18;

const { from, to, busyMs } = workerData as SnapshotJob;

function open(): DatabaseSync {
	const options = { readOnly: true, timeout: busyMs };
	if (!isIdleWal()) return new DatabaseSync(from, options);
	// Nobody has it open. An ordinary reader would put two files beside it, and change the time of its folder.
	const url = pathToFileURL(fs.realpathSync(from));
	url.searchParams.set('immutable', '1');
	return new DatabaseSync(url, options);
}

/** In WAL mode, and without a log: all that it has is in the file itself. */
function isIdleWal(): boolean {
	if (fs.existsSync(`${from}-wal`)) return false;
	const fd = fs.openSync(from, 'r');
	try {
		const head = Buffer.alloc(WRITE_VERSION_AT + 2);
		return fs.readSync(fd, head, 0, head.length, 0) === head.length && head.readUInt16BE(WRITE_VERSION_AT) === 0x0202;
	} finally {
		fs.closeSync(fd);
	}
}

/** Rows of a table; null for one of a module that is not loaded here, and for a damaged one, of which the integrity check speaks. */
function countOf(database: DatabaseSync, table: string): number | null {
	try {
		return Number(database.prepare(`SELECT count(*) AS n FROM "${table.replaceAll('"', '""')}"`).get()!.n);
	} catch {
		return null;
	}
}

/** Looks at the copy, which nobody else changes. */
function factsOf(file: string): CopyFacts {
	const database = new DatabaseSync(file);
	try {
		const messages = database.prepare(`PRAGMA integrity_check(${MAX_MESSAGES})`).all();
		const integrity = messages.map((row) => String(row.integrity_check));
		const tables = database
			.prepare(
				`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name LIMIT ?`,
			)
			.all(MAX_TABLES);
		const rows: Record<string, number> = {};
		for (const { name } of tables) {
			const count = countOf(database, String(name));
			if (count !== null) rows[String(name)] = count;
		}
		return { integrity, rows };
	} finally {
		database.close();
	}
}

async function copy(): Promise<CopyFacts> {
	const source = open();
	try {
		// A refusal of this has a code; one of the copy itself has none.
		source.prepare('SELECT count(*) FROM sqlite_schema').get();
		// All pages in one step: with smaller ones, each write of somebody else makes it begin anew, for ever.
		await backup(source, to, { rate: ALL_PAGES });
	} finally {
		source.close();
	}
	return factsOf(to);
}

copy().then(
	(facts) => parentPort!.postMessage({ kind: 'copied', facts } satisfies CopyMessage),
	(error: Error & { errcode?: number }) => {
		parentPort!.postMessage({
			kind: 'failed',
			code: error.errcode ?? NOT_OF_SQLITE,
			message: error.message,
		} satisfies CopyMessage);
	},
);
