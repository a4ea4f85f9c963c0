/** A bucket, or what is below a prefix of it, as a source: the archive, its index, and what is to be said of them. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { counted } from '../../base/counted';
import { abortError, BackupError } from '../../base/errors';
import { createTemporaryFolder, removeTemporaryFolder } from '../../base/temporary-folder';
import type { Manifest } from '../../records/manifest';
import type { StorageConfig } from '../../storage/config';
import { BucketObjects } from '../../storage/s3/objects';
import type { ArchiveSummary } from '../files/archive/messages.ts';
import { type FilesContents, formatContents } from '../files/contents';
import { toError } from '../files/faults';
import { basesOf } from '../files/source';
import { faultOf } from '../files/thread-faults';
import { MAX_LOST_PERCENT, shrunkSince } from '../shrunk';
import type { OpenBackup, OpenSource, Source, SourceDetails, SourceFacts } from '../source';
import { BucketArchiver } from './archiver';
import { bucketOf } from './config';
import { BUCKET } from './kind';
import { MOST_VERSIONS } from './version-steps';

export interface BucketOptions {
	/** The bucket, and a prefix in it. */
	bucket: StorageConfig;
	/** Also versions that are not current, and delete markers. @default false */
	versions?: boolean;
	/** A person must approve it when more of the objects or bytes than this are gone since the backup before, percent. @default 50 */
	maxLostPercent?: number;
	/** Called about once a second. */
	onProgress?: (progress: { entries: number; bytes: number }) => void;
	/** Told what was archived, with names, when all of it was read. */
	onSummary?: (summary: ArchiveSummary) => void;
}

/**
 * A bucket of Amazon S3 or of any server that speaks its protocol.
 * @throws BackupError 'invalid-input' where the place is no bucket
 */
export function bucketSource(options: BucketOptions): Source {
	const config = bucketOf(options.bucket);
	return {
		kind: BUCKET,
		async open({ signal, stallTimeoutMs, base, previous }) {
			const objects = new BucketObjects(
				{ ...config, stallTimeoutMs },
				options.versions ? 'back up versions' : 'back up',
			);
			const folder = await createTemporaryFolder('archive');
			try {
				const startedAt = await objects.look(signal);
				const { bases, note } = await basesFor(base as OpenBackup<FilesContents> | null, options, folder, signal);
				const before = bases.length > 0 ? (base as OpenBackup<FilesContents>) : null;
				return new OpenBucket(options, { ...{ objects, folder, bases, startedAt, before, note, previous, signal } });
			} catch (error) {
				objects.close();
				await removeTemporaryFolder(folder);
				throw error;
			}
		},
	};
}

/** What a backup builds on; none, and why, where that cannot be: then it is a full one. */
async function basesFor(
	base: OpenBackup<FilesContents> | null,
	{ versions = false }: BucketOptions,
	folder: string,
	signal: AbortSignal,
): Promise<{ bases: string[]; note: string | null }> {
	if (!base) return { bases: [], note: null };
	const { group, label } = base.manifest;
	if ((base.contents.versions !== undefined) === versions) return await basesOf(base, folder, signal);
	const why = versions ? 'has no versions, which are wanted now' : 'has versions, which are not wanted now';
	return { bases: [], note: `made a full backup, because ${group}/${label} ${why}` };
}

interface Opened {
	objects: BucketObjects;
	folder: string;
	bases: readonly string[];
	startedAt: Date;
	/** What it builds on. */
	before: OpenBackup<FilesContents> | null;
	/** Why it is full although it was to build on another. */
	note: string | null;
	previous: Manifest | null;
	signal: AbortSignal;
}

class OpenBucket implements OpenSource {
	readonly type: 'full' | undefined;
	/** One bucket per group: two of them would fill it in turn. Under another name or prefix it is another one. */
	readonly server: string;
	readonly #archiver: BucketArchiver;
	readonly #stop = new AbortController();

	constructor(
		private readonly options: BucketOptions,
		private readonly opened: Opened,
	) {
		const { objects, folder, bases, startedAt, note, signal } = opened;
		this.type = note === null ? undefined : 'full';
		this.server = createHash('sha256').update(`${BUCKET}\0${objects.location}`).digest('hex').slice(0, 32);
		const [indexFile, removedFile] = [path.join(folder, 'index'), path.join(folder, 'removed')];
		this.#archiver = new BucketArchiver({
			...{ objects, versions: options.versions === true, bases, startedAt, indexFile, removedFile },
			onProgress: options.onProgress,
			signal: AbortSignal.any([signal, this.#stop.signal]),
		});
	}

	async *parts(): ReturnType<OpenSource['parts']> {
		const { folder, before, previous } = this.opened;
		const body = Readable.from(this.#bytes(), { objectMode: false, highWaterMark: 1 });
		// A generator that waits for the server does not hear that it is no longer wanted.
		body.once('close', () => this.#stop.abort());
		const recycle = (chunk: Buffer) => this.#archiver.recycle(chunk);
		yield { role: 'data', name: 'archive.tar', body, recycle };
		const { summary } = this.#archiver;
		assertNotEmptied(summary, before?.contents ?? null, previous);
		this.options.onSummary?.(summary);
		yield { role: 'index', name: 'index.jsonl', body: fs.createReadStream(path.join(folder, 'index')) };
		const { roots, counts, bytes, versions, stored, named, remarks } = summary;
		const facts = { roots, counts, bytes, ...(versions && { versions }), stored, named, remarks };
		const contents = formatContents({ version: 1, ...facts, record: undefined });
		yield { role: 'contents', name: 'contents.json', body: Readable.from([Buffer.from(contents)]) };
	}

	async finish(): Promise<SourceFacts> {
		const { previous, note } = this.opened;
		const { summary, tagsDenied } = this.#archiver;
		const details = detailsOf(summary);
		const { maxLostPercent: maxPercent = MAX_LOST_PERCENT } = this.options;
		const shrunk = shrunkSince(previous, details, { kind: BUCKET, what: ['objects', 'bytes'], maxPercent });
		const tags = tagsDenied > 0 ? [TAGS_DENIED] : [];
		return {
			details,
			warnings: [...(note === null ? [] : [note]), ...remarksOf(summary), ...tags],
			incomplete: summary.incomplete || tagsDenied > 0,
			shrunk,
		};
	}

	async close(): Promise<void> {
		this.#stop.abort();
		this.opened.objects.close();
		await removeTemporaryFolder(this.opened.folder);
	}

	async *#bytes(): AsyncGenerator<Buffer> {
		try {
			yield* this.#archiver.run();
		} catch (error) {
			throw toBucketError(error, this.opened.signal, 'archived');
		}
	}
}

/** The error that is told: of the code that is shared with threads, and of temporary files, one of ours. */
export function toBucketError(error: unknown, signal: AbortSignal, done: 'archived' | 'restored'): BackupError {
	if (signal.aborted) return abortError(signal);
	return error instanceof BackupError ? error : toError(faultOf(error, done));
}

/**
 * A bucket that was emptied must not become a backup of nothing.
 * @throws BackupError 'source-missing'
 */
function assertNotEmptied({ roots }: ArchiveSummary, before: FilesContents | null, previous: Manifest | null): void {
	const [{ path: location, entries } = { path: '', entries: 0 }] = roots;
	const { objects = 0 } = previous?.source.kind === BUCKET ? previous.source.details : {};
	const had = Math.max(before?.roots[0]?.entries ?? 0, Number(objects));
	if (entries > 0 || had === 0) return;
	throw new BackupError('source-missing', `${location} is empty; the backup before has ${had} objects of it`, {
		hint: 'Were they deleted? Restore them. If it is meant to be empty, there is nothing to back up: stop the schedule.',
	});
}

/** What may stand in the clear: counts, and no names. */
function detailsOf({ counts, bytes, stored, versions }: ArchiveSummary): SourceDetails {
	return {
		...{ objects: counts.file ?? 0, bytes },
		...{ storedObjects: stored.entries, storedBytes: stored.bytes, goneObjects: stored.gone },
		...(versions && { versions: versions.count, versionBytes: versions.bytes, deleteMarkers: versions.markers }),
	};
}

const TAGS_DENIED =
	'the tags of objects could not be read, and are not in the backup: allow the key s3:GetObjectTagging, then make a full backup';

/** Remarks that people should hear of. */
const REMARKS: Record<string, (count: number) => string> = {
	added: (count) => `${counted(count, 'object')} added while the archive was made, and stored; the contents name them`,
	replaced: (count) =>
		`${counted(count, 'object')} replaced while the archive was made: stored as read; the contents name them`,
	vanished: (count) => `${counted(count, 'object')} vanished while the archive was made; the contents name them`,
	changed: (count) =>
		`${counted(count, 'object')} replaced again and again while being read: as in the backup before, or not in it; the contents name them`,
	'many-versions': (count) =>
		`${counted(count, 'object')} with more than ${MOST_VERSIONS} versions: the oldest are left out; let a lifecycle rule of the bucket remove them`,
	unreadable: (count) => `${counted(count, 'object')} could not be read; the contents name them`,
};

function remarksOf({ remarks }: ArchiveSummary): string[] {
	return Object.entries(remarks).flatMap(([remark, count]) => REMARKS[remark]?.(count) ?? []);
}
