/** Feeds the thread that restores with what it wants of each backup of a chain. */
import fs from 'node:fs';
import { createInterface } from 'node:readline';
import { BackupError } from '../../../base/errors';
import type { OpenBackup } from '../../source';
import type { FilesContents } from '../contents';
import { type Entry, storedSize } from '../entry';
import { archiveOf } from '../parts';
import type { HolderPlan, RestoreJob, RestoreSummary } from './messages.ts';
import { RestoreThread } from './thread';

/** Where less of an archive is wanted than this, only that is read. */
const SMALL_SHARE = 0.25;
/** What lies between two wanted pieces is read along, if it is no more than this. */
const GAP_BYTES = 256 * 1024;

export interface RestoreHost {
	backup: OpenBackup<FilesContents>;
	signal: AbortSignal;
	onProgress: (progress: { phase: string; bytes: number }) => void;
}

/**
 * Restores, as the job says.
 * @throws BackupError what the thread says; those of reading the backup; 'cancelled'
 */
export async function runRestore(job: RestoreJob, host: RestoreHost): Promise<RestoreSummary> {
	const thread = new RestoreThread(job, host.signal);
	try {
		const { plans } = await thread.next('plans');
		let bytes = 0;
		if (!job.dryRun) {
			for (const plan of plans) {
				for (let left: HolderPlan | null = plan; left; ) {
					thread.send({ kind: 'begin', plan: left });
					await feed(thread, left, host, (count) => {
						bytes += count;
						host.onProgress({ phase: 'restoring', bytes });
					});
					thread.send({ kind: 'end' });
					left = (await thread.next('again')).plan;
				}
			}
		}
		thread.send({ kind: 'finish' });
		host.onProgress({ phase: 'finishing', bytes });
		return (await thread.next('done')).summary;
	} finally {
		await thread.stop();
	}
}

/** Gives the thread what a plan wants of its archive: all of it, or the wanted pieces. */
async function feed(
	thread: RestoreThread,
	plan: HolderPlan,
	{ backup }: RestoreHost,
	onBytes: (count: number) => void,
): Promise<void> {
	const holder = plan.holder === 0 ? backup : backup.parents[plan.holder - 1];
	if (!holder) {
		throw new BackupError('damaged', 'the index names a backup that is not part of the chain', {
			hint: 'Use another backup.',
		});
	}
	const part = archiveOf(holder.manifest);
	if (plan.bytes > part.original.bytes * SMALL_SHARE) {
		let at = 0;
		for await (const chunk of (await holder.open(part)) as AsyncIterable<Buffer>) {
			const length = await thread.give(at, chunk);
			at += length;
			onBytes(length);
		}
		return;
	}
	const access = await holder.openAt(part);
	for await (const { start, end } of wantedRanges(plan.file)) {
		let at = start;
		for await (const chunk of access.read(start, end - start)) {
			// A copy: what was read is kept for what is read next.
			const length = await thread.give(at, Buffer.from(chunk));
			at += length;
			onBytes(length);
		}
	}
}

/** Pieces of an archive that a plan wants, in order. What points back is left out. */
async function* wantedRanges(file: string): AsyncGenerator<{ start: number; end: number }> {
	let current: { start: number; end: number } | null = null;
	for await (const line of createInterface({ input: fs.createReadStream(file), crlfDelay: Infinity })) {
		const entry = JSON.parse(line) as Entry;
		const start = entry.at!;
		const end = start + storedSize(entry);
		if (current && start < current.end) continue;
		if (current && start - current.end <= GAP_BYTES) current.end = end;
		else {
			if (current) yield current;
			current = { start, end };
		}
	}
	if (current) yield current;
}
