/** Small backups of any age, whole enough to be verified: real digests, and evidence where it is asked for. */
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Depth } from '../../core/records/evidence';
import { type BackupType, createLabel } from '../../core/records/label';
import type { StoredPart } from '../../core/records/manifest';
import { storeStream } from '../../core/streams/pipeline';
import { PROGRAM } from '../../core/base/program';
import { type Repository } from '../../core/records/repository';
import { objectKey } from '../../core/records/layout';
import { manifestOf } from './manifest';

export const GROUP = 'postgres/shop';
export const NEVER = new AbortController().signal;

export interface DatedBackup {
	/** ISO 8601, to the second. */
	at: string;
	group?: string;
	type?: BackupType;
	parents?: string[];
	/** Bytes of the dump before compression; they do not compress. */
	bytes?: number;
	/** Leaves evidence of that depth; none for null. */
	verified?: Depth | null;
	/** What the evidence says. */
	ok?: boolean;
}

/** Stores a backup as a run at that time would have done. @returns its label */
export async function addBackup(repository: Repository, backup: DatedBackup): Promise<string> {
	const { group = GROUP, type = 'full', parents = [], bytes = 100, verified = 'stored', ok = true } = backup;
	const time = new Date(backup.at).toISOString();
	const label = createLabel(type, new Date(time));
	const store = async (name: string, body: Buffer) =>
		await storeStream({
			storage: repository.storage,
			group,
			label,
			name,
			body: Readable.from([body]),
			encryption: null,
			zstdLevel: 1,
			limits: { stallTimeoutMs: 60_000, hardTimeoutMs: 60_000 },
			signal: NEVER,
		});
	const parts: StoredPart[] = [
		{ role: 'data', ...(await store('dump.sql', randomBytes(bytes))) },
		{ role: 'contents', ...(await store('contents.json', Buffer.from('{}'))) },
	];
	await repository.writeManifest(manifestOf(group, label, { parents, parts }));
	if (verified) await addEvidence(repository, label, { group, at: time, depth: verified, ok });
	return label;
}

export async function addEvidence(
	repository: Repository,
	label: string,
	{ group = GROUP, at, depth = 'stored', ok = true }: { group?: string; at: string; depth?: Depth; ok?: boolean },
): Promise<void> {
	const { text } = await repository.readManifestText(group, label);
	await repository.writeEvidence({
		format: 1,
		program: PROGRAM,
		group,
		label,
		depth,
		outcome: ok ? 'ok' : 'failed',
		startedAt: at,
		finishedAt: at,
		manifestSha256: createHash('sha256').update(text).digest('hex'),
		failure: ok ? null : { code: 'damaged', message: 'dump.sql.zst is not what was stored' },
		facts: {},
	});
}

/** One backup each day at two o'clock, the last one on `lastDay`. @returns labels, oldest first */
export async function addDays(
	repository: Repository,
	days: number,
	lastDay: string,
	more: Omit<DatedBackup, 'at'> = {},
): Promise<string[]> {
	const labels: string[] = [];
	for (let day = days - 1; day >= 0; day--) {
		const at = new Date(Date.parse(`${lastDay}T02:00:00Z`) - day * 24 * 3_600_000).toISOString();
		labels.push(await addBackup(repository, { ...more, at }));
	}
	return labels;
}

/** All names in a storage, without those of locks and of the journal. */
export async function keysOf({ storage }: Repository, prefix = ''): Promise<string[]> {
	const keys: string[] = [];
	for await (const { key } of storage.list(prefix)) {
		if (!key.startsWith('runs/') && !key.startsWith('locks/')) keys.push(key);
	}
	return keys;
}

/** Objects of a label that has no manifest, as a killed run leaves them. */
export async function addOrphan(repository: Repository, group: string, at: Date): Promise<string> {
	const label = createLabel('full', at);
	await repository.storage.write(objectKey(group, label, 'dump.sql.zst'), Readable.from(['half a dump']));
	return label;
}
