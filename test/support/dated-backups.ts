/** Small backups of any age, each verified when it was made unless a test says otherwise. */
import { Readable } from 'node:stream';
import { createLabel } from '../../core/records/label';
import { objectKey } from '../../core/records/layout';
import type { Repository } from '../../core/records/repository';
import { type BuildOptions, buildBackup } from './build-backup';

export const NEVER = new AbortController().signal;

/** Stores a small backup that was verified when it was made. @returns its label */
export async function addBackup(repository: Repository, backup: BuildOptions & { at: string }): Promise<string> {
	return await buildBackup(repository, { bytes: 100, verified: 'stored', ...backup });
}

/** One backup each day at two o'clock, the last one on `lastDay`. @returns labels, oldest first */
export async function addDays(
	repository: Repository,
	days: number,
	lastDay: string,
	more: Omit<BuildOptions, 'at'> = {},
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
