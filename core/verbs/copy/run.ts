/** One backup, with the parents it needs, into one storage: marks and locks, the copying itself, and reading it back. */
import { copyCompanions, copyLabel, DOUBT, type LabelCopy } from './label';
import { type Look, lookAtCopy } from './look';
import { readChain, type SourceBackup } from '../chain';
import type { CopyOptions, CopyProgress, CopySubject } from './types';
import { assertApart } from './apart';
import { abortError, BackupError, isBackupError, messageOf } from '../../base/errors';
import type { Limits } from '../../base/limits';
import type { Lock } from '../../records/locks/lock';
import type { Run } from '../run';
import { Repository } from '../../records/repository';
import type { Storage } from '../../storage/storage';
import { objectKey, MANIFEST } from '../../records/layout';
import { verifyBackup } from '../verify/verify';

export interface CopyJob extends CopyOptions, CopySubject {
	limits: Limits;
	to: Storage;
	run: Run;
}

/** What was done, as far as it got: also a copy that failed has sent bytes. */
export interface Done {
	/** Labels that were copied. */
	copied: string[];
	bytes: number;
	/** Reading back, seconds. */
	provingSeconds: number;
	/** Of the backup that was asked for. */
	evidence: string | null;
}

/**
 * The repository that copies go to; it is made where there is none.
 * @throws BackupError 'invalid-input' when it is the one that they come from, or one lies in the other; those of the storage
 */
export async function openDestination({
	from,
	to,
	signal,
	limits,
}: Pick<CopyJob, 'from' | 'to' | 'signal'> & Pick<CopyOptions, 'limits'>) {
	await assertApart(from.storage, to);
	const { authority } = from;
	const { stallTimeoutMs } = limits ?? {};
	const repository = await Repository.open(to, { create: true, signal, stallTimeoutMs, authority });
	// The location alone tells nothing: buckets of two servers can have the same name.
	// An identity that is lost leaves only the location to compare.
	const isSame = from.id === null ? from.storage.location === to.location : from.id === repository.id;
	if (!isSame) return repository;
	throw new BackupError('invalid-input', `${to.location} is the repository that is to be copied`, {
		hint: 'Choose another storage. If this is one that was copied by other means, remove its repository.json, so that it gets an identity of its own.',
	});
}

/**
 * Copies what is missing at the destination, and reads back what was not read back there yet.
 * @param done is filled in
 * @throws BackupError
 */
export async function copyChain(job: CopyJob, to: Repository, done: Done): Promise<void> {
	const { from, group, label, run, signal } = job;
	const chain = await readChain(from, group, label, async (each) => await run.hold(group, each), signal);
	if (!(await isDone(job, to, chain))) await underLock(job, to, chain, done);
}

/** Whether nothing is left to do; most copies that are asked for again need no lock to know that. */
async function isDone({ from, signal }: CopyJob, to: Repository, chain: readonly SourceBackup[]): Promise<boolean> {
	for (const backup of chain) {
		const { proved, companions, there } = await lookAtCopy(from, to, backup, signal);
		if (!proved || companions.some((name) => !there.has(name))) return false;
	}
	return true;
}

async function underLock(job: CopyJob, to: Repository, chain: readonly SourceBackup[], done: Done): Promise<void> {
	await job.run.asWriter(to, job.group, 'copy', async (lock, signal) => {
		try {
			for (const backup of chain) await copyOne({ ...job, signal }, to, backup, lock, done);
		} catch (error) {
			throw signal.aborted ? abortError(signal) : error;
		}
	});
}

async function copyOne(job: CopyJob, to: Repository, backup: SourceBackup, lock: Lock, done: Done): Promise<void> {
	const { from, limits, protect, signal, actor } = job;
	const { group, label } = backup.manifest;
	const tell = (phase: CopyProgress['phase'], bytes: number, totalBytes: number) => {
		job.run.progress(phase, bytes, totalBytes);
		job.onProgress?.({ group, label, phase, bytes, totalBytes });
	};
	const copy: LabelCopy = {
		from,
		to,
		backup,
		limits,
		protect,
		signal,
		assertHeld: async () => await lock.assertHeld(),
		onProgress: tell,
		onProved: (seconds) => void (done.provingSeconds += seconds),
		onSent: (bytes) => void (done.bytes += bytes),
		warn: (text) => job.run.warn(text),
	};
	const look = await lookAtCopy(from, to, backup, signal);
	const alreadyRead = new Set<string>();
	if (look.present) {
		// A copy that was killed right after its manifest came into being may have left the file it was written to.
		await to.storage.removeUnfinished(`${group}/${label}/`);
		await copyCompanions(copy, lackingOf(look));
	} else {
		await copyLabel(copy, look);
		done.copied.push(label);
		for (const { name } of backup.manifest.parts) alreadyRead.add(name);
	}
	if (look.proved) return;
	const started = performance.now();
	const verified = await verifyBackup({
		repository: to,
		group,
		label,
		depth: 'stored',
		keys: null,
		alreadyRead,
		limits,
		actor,
		signal,
		onProgress: ({ bytes, totalBytes }) => tell('verifying', bytes, totalBytes),
	});
	done.provingSeconds += (performance.now() - started) / 1000;
	job.run.warn(...verified.warnings);
	if (label === job.label) done.evidence = verified.evidence;
	if (verified.outcome === 'ok') return;
	const where = `${to.storage.location}/${group}/${label}`;
	const { message, hint } = verified;
	if (verified.outcome === 'environment') {
		throw new BackupError(verified.code ?? 'storage-failed', `${where} was copied, but not read back: ${message}`, {
			hint: `${hint ? `${hint} ` : ''}Copy again: only the reading is repeated.`,
		});
	}
	if (look.present) {
		throw new BackupError('damaged', `${where} was copied before, and is damaged there: ${message}`, {
			hint: 'Find out what changed it. Remove that copy by hand, its manifest first, then copy again.',
		});
	}
	throw await withoutCopy(to, backup, message, where);
}

function lackingOf({ companions, there }: Look): string[] {
	return companions.filter((name) => !there.has(name));
}

/** A copy that was not kept as it was sent is none. */
async function withoutCopy({ storage }: Repository, { manifest }: SourceBackup, message: string, where: string) {
	const { group, label } = manifest;
	const failure = (hint: string) =>
		new BackupError('damaged', `${where} was not kept as it was sent: ${message}`, { hint });
	try {
		await storage.remove(objectKey(group, label, MANIFEST));
		for await (const { key } of storage.list(objectKey(group, label, ''))) await storage.remove(key);
		return failure(DOUBT);
	} catch (error) {
		if (!isBackupError(error)) throw error;
		return failure(`${DOUBT} The copy could not be removed (${messageOf(error)}): remove it by hand.`);
	}
}
