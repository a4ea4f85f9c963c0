/** A backup of files whose index says whatever a test wants: as somebody makes it who can write to a storage and knows the recipients. */
import { Readable } from 'node:stream';
import type { Manifest } from '../../core/records/manifest';
import { formatContents } from '../../core/sources/files/contents';
import type { Source } from '../../core/sources/source';
import type { Storage } from '../../core/storage/storage';
import { backUp } from '../../core/verbs/backup/backup';

const { signal } = new AbortController();

/** What every entry needs; a test says the rest. */
export const ENTRY = {
	mode: 0o644,
	uid: 0,
	gid: 0,
	mtime: '1700000000.000000000',
	ctime: '1700000000.000000000',
	ino: '1',
};

/** @param lines of the index: objects, or what stands there instead of one */
export async function hostileArchive(
	storage: Storage,
	group: string,
	lines: ReadonlyArray<object | string>,
	data = Buffer.alloc(1024),
): Promise<Manifest> {
	const text = lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('');
	const contents = {
		version: 1 as const,
		...{ roots: [], counts: {}, bytes: 0, named: [], remarks: {} },
		stored: { entries: 0, bytes: 0, gone: 0 },
	};
	const bodyOf = (bytes: Buffer | string) => Readable.from([Buffer.from(bytes)]);
	const source: Source = {
		kind: 'files',
		open: async () =>
			await Promise.resolve({
				async *parts() {
					yield { role: 'data' as const, name: 'archive.tar', body: bodyOf(data) };
					yield { role: 'index' as const, name: 'index.jsonl', body: bodyOf(text) };
					yield await Promise.resolve({
						...{ role: 'contents' as const, name: 'contents.json' },
						body: bodyOf(formatContents(contents)),
					});
				},
				finish: async () => await Promise.resolve({ details: {}, warnings: [] }),
				close: async () => await Promise.resolve(),
			}),
	};
	return (await backUp({ storage, group, source, encryption: null, signal })).manifest;
}
