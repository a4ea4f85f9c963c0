/** n8n's credentials in a SQLite database that was restored as a test. */
import path from 'node:path';
import { unlessAborted } from '../../base/deadline';
import { BackupError } from '../../base/errors';
import { toError } from '../files/faults';
import type { Opened } from './credentials';
import type { SqliteJob, SqliteMessage } from './sqlite-messages';
import { startThread } from '../../base/thread';

/** Ten thousand credentials take less than a second. */
const TIMEOUT_MS = 5 * 60_000;
const WORKER_LIMITS = { maxOldGenerationSizeMb: 256 };

/** From the sources in tests, from the built files in use. */
const WORKER_FILE = path.join(__dirname, `sqlite-worker${path.extname(__filename)}`);

/**
 * Tries a key with every credential of a database that nobody else has open.
 * @param job.key null where there is none: then it is only counted
 * @returns null where it is no database of n8n
 * @throws BackupError 'unsupported' for what n8n does not write; 'timed-out', 'cancelled'
 */
export async function openInSqlite(
	job: SqliteJob,
	signal: AbortSignal,
	timeoutMs = TIMEOUT_MS,
): Promise<Opened | null> {
	const worker = startThread(WORKER_FILE, { workerData: job, resourceLimits: WORKER_LIMITS });
	let timer: NodeJS.Timeout | undefined;
	const answer = new Promise<SqliteMessage>((resolve, reject) => {
		worker.once('message', resolve);
		worker.once('error', reject);
		worker.once('exit', () =>
			reject(new BackupError('incomplete', 'the thread that looks at n8n’s database ended early')),
		);
		timer = setTimeout(() => reject(tooLong(timeoutMs)), timeoutMs);
	});
	try {
		const message = await unlessAborted(answer, signal);
		if (message.kind === 'fault') throw toError(message.fault);
		return message.kind === 'none' ? null : message.opened;
	} finally {
		clearTimeout(timer);
		void worker.terminate();
	}
}

function tooLong(timeoutMs: number): BackupError {
	return new BackupError('timed-out', `n8n’s database was not read within ${timeoutMs / 1000} s`, {
		hint: 'It may have been made so on purpose. Look at who else writes to this storage.',
	});
}
