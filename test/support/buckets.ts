/** A bucket that is backed up, its backups, and what comes out of them. */
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import type { Client } from 'minio';
import { inParallel } from '../../core/base/in-parallel';
import type { Manifest } from '../../core/records/manifest';
import { Repository } from '../../core/records/repository';
import { type BucketOptions, bucketSource } from '../../core/sources/bucket/source';
import { bucketDrill, bucketRestorer } from '../../core/sources/bucket/restore';
import type { BucketRestored, BucketRestoreOptions } from '../../core/sources/bucket/restore-options';
import type { ArchiveSummary } from '../../core/sources/files/archive/messages';
import { type Entry, parseEntry } from '../../core/sources/files/entry';
import { archiveOf, indexOf } from '../../core/sources/files/parts';
import type { StorageConfig } from '../../core/storage/config';
import { MemoryStorage } from '../../core/storage/memory';
import { openStream } from '../../core/streams/pipeline';
import { type BackupRequest, backUp } from '../../core/verbs/backup/backup';
import { restoreBackup } from '../../core/verbs/restore/restore';
import type { RestoreResult } from '../../core/verbs/restore/types';
import { verifyBackup } from '../../core/verbs/verify/verify';
import type { Depth } from '../../core/records/evidence';
import { untar } from './archives';
import { nextSecond } from './clock';
import type { S3Keys, S3Server } from './s3';

export const GROUP = 'bucket/photos';
const { signal } = new AbortController();

/** What a bucket is told of an object. */
export interface Put {
	bytes?: Buffer | string;
	/** Headers and `X-Amz-Meta-…`. */
	meta?: Record<string, string>;
	tags?: Record<string, string>;
}

/** One object as it is in a bucket, with all that belongs to it, for comparisons. */
export interface Seen {
	key: string;
	sha256: string;
	size: number;
	headers: Record<string, string>;
	tags: Record<string, string>;
}

/** One version as it is in a bucket; a delete marker has none of what an object has. */
export type SeenVersion = { key: string; isMarker: true } | ({ isMarker: false } & Seen);

/** A bucket, as another program sees it. */
export class TestBucket {
	readonly client: Client;

	constructor(
		readonly server: S3Server,
		readonly name: string,
		private readonly keys: S3Keys = server.keys,
	) {
		this.client = server.client(keys);
	}

	config(more: Partial<Extract<StorageConfig, { type: 's3' }>> = {}): StorageConfig {
		return { type: 's3', ...this.server.options(this.name), ...this.keys, ...more };
	}

	async put(key: string, { bytes = `contents of ${key}`, meta = {}, tags }: Put = {}): Promise<void> {
		const body = Buffer.from(bytes);
		await this.client.putObject(this.name, key, body, body.length, meta);
		if (tags) await this.client.setObjectTagging(this.name, key, tags);
	}

	async remove(...keys: string[]): Promise<void> {
		for (let at = 0; at < keys.length; at += 1000)
			await this.client.removeObjects(this.name, keys.slice(at, at + 1000));
	}

	/** From now on, what is written or deleted is kept as a version. */
	async keepVersions(status: 'Enabled' | 'Suspended' = 'Enabled'): Promise<this> {
		await this.client.setBucketVersioning(this.name, { Status: status });
		return this;
	}

	/** Versions and delete markers by name, of one name the newest first, with their ids; up to a thousand. */
	async versions(): Promise<Array<{ key: string; versionId: string; isMarker: boolean }>> {
		const request = { method: 'GET', bucketName: this.name, query: 'encoding-type=url&versions' };
		const xml = await text(await this.client.makeRequestAsync(request));
		const found = xml.matchAll(/<(Version|DeleteMarker)>.*?<Key>(.*?)<\/Key><VersionId>(.*?)<\/VersionId>/gs);
		return [...found].map(([, kind, key, versionId]) => ({
			...{ key: decodeURIComponent(key!.replaceAll('+', ' ')), versionId: versionId! },
			isMarker: kind === 'DeleteMarker',
		}));
	}

	/** What all versions are, by name and of one name the newest first, read by an independent client. */
	async seeVersions(): Promise<SeenVersion[]> {
		return await inParallel(await this.versions(), 16, async ({ key, versionId, isMarker }) => {
			if (isMarker) return { key, isMarker };
			return { isMarker, ...(await this.#seeOne(key, { versionId })) };
		});
	}

	async keysOf(): Promise<string[]> {
		const listed = (await this.client.listObjectsV2(this.name, '', true).toArray()) as Array<{ name: string }>;
		return listed.map(({ name }) => name).sort();
	}

	/** All objects by what they are, read by an independent client. */
	async see(): Promise<Seen[]> {
		return await inParallel(await this.keysOf(), 16, async (key) => await this.#seeOne(key, {}));
	}

	async #seeOne(key: string, which: { versionId?: string }): Promise<Seen> {
		const stat = await this.client.statObject(this.name, key, which);
		const bytes = await buffer(await this.client.getObject(this.name, key, which));
		const tags = await this.client.getObjectTagging(this.name, key, which);
		const { etag: _, ...headers } = stat.metaData as Record<string, string>;
		return {
			...{ key, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'), headers },
			tags: Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value])),
		};
	}
}

/** What one run made. */
export interface BucketArchived {
	manifest: Manifest;
	label: string;
	summary: ArchiveSummary;
	/** The backups that it needs, the full one first, and itself. */
	chain: Manifest[];
}

export type BucketArchiveRequest = Partial<BucketOptions> & {
	type?: BackupRequest['type'];
	request?: Partial<BackupRequest>;
};

/** Backups of a bucket, in the clear unless a request says otherwise. */
export class BucketGroup {
	readonly storage = new MemoryStorage();
	readonly #manifests = new Map<string, Manifest>();

	/** @param options of every backup */
	constructor(
		private readonly bucket: Pick<TestBucket, 'config'>,
		private readonly options: Partial<BucketOptions> = {},
	) {}

	async back({ type = 'full', request, ...options }: BucketArchiveRequest = {}): Promise<BucketArchived> {
		nextSecond();
		let summary: ArchiveSummary | undefined;
		const source = bucketSource({
			...{ bucket: this.bucket.config(), ...this.options, ...options, onSummary: (told) => (summary = told) },
		});
		const { storage } = this;
		const { manifest } = await backUp({
			...{ storage, group: GROUP, source, type, encryption: null, signal, ...request },
		});
		const { label } = manifest;
		this.#manifests.set(label, manifest);
		const chain = [...manifest.parents.toReversed(), label].map((each) => this.#manifests.get(each)!);
		return { manifest, label, summary: summary!, chain };
	}

	/** The lines of the index of one backup. */
	async index({ manifest }: BucketArchived): Promise<Entry[]> {
		const lines = await text(await this.#open(manifest, 'index'));
		return lines.split('\n').slice(0, -1).map(parseEntry);
	}

	/** The archive of one backup, decompressed. */
	async archive(manifest: Manifest): Promise<Readable> {
		return await this.#open(manifest, 'data');
	}

	/** Restores a backup with GNU tar and xargs, as docs/buckets.md says. */
	async restoreByTar(
		backup: BucketArchived,
		to: string,
		tar = ['tar', '-x', '-f', '-', '--warning=no-unknown-keyword'],
	): Promise<void> {
		mkdirSync(to);
		for (const [at, manifest] of backup.chain.entries()) {
			if (at > 0) {
				const versions = 'cat > ../archive.tar; tar -tf ../archive.tar | grep "^%versions/" > /dev/null || exit 0';
				await untar(await this.archive(manifest), to, ['sh', '-c', `${versions}; tar -xf ../archive.tar %versions`]);
				const script = 'tar -xOf - --warning=no-unknown-keyword %removed 2>/dev/null | xargs -0 -r rm -f --';
				await untar(await this.archive(manifest), to, ['sh', '-c', script]);
			}
			await untar(await this.archive(manifest), to, [
				...tar,
				'--exclude=%removed',
				...(at > 0 ? ['--exclude=%versions'] : []),
			]);
		}
	}

	async restore(
		{ label }: { label: string },
		options: BucketRestoreOptions,
		under = signal,
	): Promise<RestoreResult<BucketRestored>> {
		const repository = await Repository.open(this.storage);
		const restorer = bucketRestorer(options);
		return await restoreBackup({ repository, group: GROUP, label, keys: null, restorer, signal: under });
	}

	/** Verifies one; what is wrong with it in its place. */
	async verify({ label }: { label: string }, depth: Depth = 'readable'): Promise<string> {
		const repository = await Repository.open(this.storage);
		const drills = depth === 'restored' ? [bucketDrill()] : [];
		const { outcome, ...rest } = await verifyBackup({
			...{ repository, group: GROUP, label, depth, keys: null, drills, signal },
		});
		return outcome === 'ok' ? outcome : `${outcome}: ${JSON.stringify(rest)}`;
	}

	async #open(manifest: Manifest, role: 'data' | 'index'): Promise<Readable> {
		const stream = role === 'data' ? archiveOf(manifest) : indexOf(manifest);
		const { storage } = this;
		return await openStream({ storage, group: GROUP, label: manifest.label, stream, keys: null, signal });
	}
}
