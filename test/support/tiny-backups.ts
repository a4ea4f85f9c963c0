/** Backups of a few bytes, for tests that make many, and the proof that all of them are whole. */
import { openDump } from './dump-source';
import { Readable } from 'node:stream';
import { backUp } from '../../core/verbs/backup/backup';
import { digestStored } from '../../core/streams/pipeline';
import { Repository } from '../../core/records/repository';
import type { Storage } from '../../core/storage/storage';

const NEVER = new AbortController().signal;

export async function makeTinyBackup(
	storage: Storage,
	group: string,
): Promise<{ label: string; warnings: readonly string[] }> {
	const { manifest, warnings } = await backUp({
		storage,
		group,
		source: {
			kind: 'postgres',
			open: async () =>
				openDump({
					body: Readable.from([Buffer.from('a row\n')]),
					finish: async () => ({ details: {}, contents: { format: 1, tables: [] }, warnings: [] }),
					close: async () => undefined,
				}),
		},
		encryption: null,
		signal: NEVER,
	});
	return { label: manifest.label, warnings };
}

/**
 * Expects that every backup that is listed is whole, byte for byte.
 * @param known labels that were looked at before; others are added
 * @returns the labels of all
 */
export async function wholeBackups(storage: Storage, group: string, known = new Set<string>()): Promise<string[]> {
	const repository = await Repository.open(storage);
	const listed = (await repository.list(group)).map(({ label }) => label);
	for (const label of listed.filter((one) => !known.has(one))) {
		for (const { name, stored } of (await repository.readManifest(group, label)).parts) {
			const found = await digestStored({
				storage,
				group,
				label,
				name,
				expectedBytes: 0,
				stallTimeoutMs: 60_000,
				signal: NEVER,
			});
			expect({ label, name, ...found }).toEqual({ label, name, ...stored });
		}
		known.add(label);
	}
	return listed;
}
