/** Copies of SQLite databases as their transactions have them, while others write to them. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { unlessAborted } from '../../base/deadline';
import { BackupError } from '../../base/errors';
import { randomWord } from '../../base/random-word';
import { type SnapshotJob, type CopyMessage, type DatabaseCopy, NOT_OF_SQLITE, type CopyRefusal } from './messages.ts';
import { startThread } from '../../base/thread';

/** Transactions are short, as a rule. */
const BUSY_MS = 10_000;

/** From the sources in tests, from the built files in use. */
const WORKER_FILE = path.join(__dirname, `worker${path.extname(__filename)}`);

/** Result codes of SQLite (sqlite.org/rescode.html), without their extension. A copy that found the database locked says none. */
const NONE = 0;
const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;
const REFUSALS: Record<number, CopyRefusal> = {
	[NONE]: 'locked',
	[BUSY]: 'locked',
	[LOCKED]: 'locked',
	[READONLY]: 'locked',
	[CANTOPEN]: 'locked',
	[CORRUPT]: 'damaged',
	[NOTADB]: 'no-database',
};

/**
 * Copies a database into a folder.
 * @param from its file
 * @param folder where the copy is made, under a name of its own
 * @param busyMs how long to wait for whoever holds it locked
 * @returns the copy with what is known of it, or why there is none; then nothing is left
 * @throws BackupError 'storage-full', 'cancelled', 'storage-failed'
 */
export async function snapshotSqlite(
	from: string,
	folder: string,
	signal: AbortSignal,
	busyMs = BUSY_MS,
): Promise<DatabaseCopy> {
	const to = path.join(folder, `database-${randomWord(12)}`);
	const message = await run({ from, to, busyMs }, signal).catch(async (error: unknown) => {
		await remove(to);
		throw error;
	});
	if (message.kind === 'copied') return { file: to, facts: message.facts };
	await remove(to);
	// Whoever reads the file as it is will see what is wrong with it.
	if (message.code === NOT_OF_SQLITE) return { refused: 'no-database' };
	const code = message.code & 0xff;
	const refused = REFUSALS[code];
	if (refused) return { refused };
	if (code === FULL) {
		throw new BackupError('storage-full', 'there is no space for a copy of a SQLite database', {
			hint: 'Free space, or set TMPDIR to a folder that has some: the largest database must fit into it.',
		});
	}
	throw new BackupError('storage-failed', `a SQLite database could not be copied: ${message.message}`);
}

async function run(job: SnapshotJob, signal: AbortSignal): Promise<CopyMessage> {
	const worker = startThread(WORKER_FILE, { workerData: job });
	const answer = new Promise<CopyMessage>((resolve, reject) => {
		worker.once('message', resolve);
		worker.once('error', reject);
		worker.once('exit', () =>
			reject(new BackupError('incomplete', 'the thread that copies a SQLite database ended early')),
		);
	});
	try {
		return await unlessAborted(answer, signal);
	} finally {
		void worker.terminate();
	}
}

async function remove(file: string): Promise<void> {
	for (const ending of ['', '-journal', '-wal', '-shm']) await fs.rm(`${file}${ending}`, { force: true });
}
