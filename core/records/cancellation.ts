/**
 * A wish that a run stops, from wherever: it lies in the storage, and the run looks for it at each of its heartbeats. So it works for every
 * run of every n8n and every command line, and needs no way to the process. Whoever can write it could remove backups as well.
 */
import { z } from 'zod';
import { BackupError, isBackupError } from '../base/errors';
import { forgetOld } from './forget-old';
import { readRuns, type JournalRun } from './journal/runs';
import { CANCELS, cancelKey } from './layout';
import { readText, writeText } from './small-objects';
import type { Storage } from '../storage/storage';

const DAY_MS = 24 * 3_600_000;
/** No run lasts longer, days. */
const LOOKED_BACK = 3;

const schema = z.object({ format: z.literal(1), by: z.string().max(200) });

/**
 * Asks a run to stop; it does so at its next heartbeat, within a minute, and within five where a storage lets nothing be removed. To ask twice
 * is the same as once.
 * @param options.by who asks, for the journal and for the run's error
 * @param options.isWanted runs that may be asked; all of them when absent
 * @returns the run, as it was; null where the journal of the last days has none with this id. It was asked only where it was `running`
 * @throws BackupError of the storage
 */
export async function cancelRun(
	storage: Storage,
	id: string,
	{ by, signal, isWanted = () => true }: { by: string; signal: AbortSignal; isWanted?: (run: JournalRun) => boolean },
): Promise<JournalRun | null> {
	const now = Date.now();
	const span = { from: new Date(now - LOOKED_BACK * DAY_MS), to: new Date(now + DAY_MS), signal };
	const run = (await readRuns(storage, span)).find((each) => each.id === id && isWanted(each)) ?? null;
	if (run?.state !== 'running') return run;
	// A run that ended before it looked leaves the wish behind.
	await forgetOld(storage, CANCELS, { olderThanMs: LOOKED_BACK * DAY_MS, signal });
	try {
		const text = `${JSON.stringify({ format: 1, by: by.slice(0, 200) })}\n`;
		await writeText(storage, cancelKey(id), text, { signal });
	} catch (error) {
		if (!isBackupError(error, 'already-exists')) throw error;
	}
	return run;
}

/** Who asked a run to stop; null where nobody did. @throws BackupError of the storage */
export async function whoCancelled(storage: Storage, id: string, signal: AbortSignal): Promise<string | null> {
	if ((await storage.stat(cancelKey(id), { signal })) === null) return null;
	const found = schema.safeParse(parsed(await readText(storage, cancelKey(id), signal)));
	return found.success ? found.data.by : 'somebody';
}

function parsed(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return null;
	}
}

/** What ends a run that was asked to stop. */
export function cancellation(by: string): BackupError {
	return new BackupError('cancelled', `stopped because it was cancelled by ${by}`, { details: { by } });
}
