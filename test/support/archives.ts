/** A group of backups of files, and its restore by standard tools. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { Repository } from '../../core/records/repository';
import type { Manifest } from '../../core/records/manifest';
import type { ArchiveSummary } from '../../core/sources/files/archive/messages';
import { type Entry, parseEntry } from '../../core/sources/files/entry';
import { archiveOf, indexOf } from '../../core/sources/files/parts';
import { type FilesRestored, type FilesRestoreOptions, filesRestorer } from '../../core/sources/files/restore/restorer';
import { type FilesOptions, filesSource } from '../../core/sources/files/source';
import { MemoryStorage } from '../../core/storage/memory';
import type { Storage } from '../../core/storage/storage';
import { openStream } from '../../core/streams/pipeline';
import { type BackupRequest, backUp } from '../../core/verbs/backup/backup';
import { restoreBackup } from '../../core/verbs/restore/restore';
import type { RestoreResult } from '../../core/verbs/restore/types';
import { verifyBackup } from '../../core/verbs/verify/verify';
import { nextSecond } from './clock';
import { treeOf, type TreeOptions } from './trees';

export type RestoredFiles = RestoreResult<FilesRestored>;

export const GROUP = 'files/www';
const { signal } = new AbortController();

/** What one run made. */
export interface Archived {
	manifest: Manifest;
	label: string;
	summary: ArchiveSummary;
	/** The backups that it needs, the full one first, and itself. */
	chain: Manifest[];
}

export type ArchiveRequest = Partial<FilesOptions> & {
	type?: BackupRequest['type'];
	/** What else the request has. */
	request?: Partial<BackupRequest>;
};

/** Without a word of times in the future, and of `hdrcharset`, which bsdtar needs for names that are not UTF-8. */
export const GNU_TAR = ['tar', '-x', '-G', '-f', '-', '--warning=no-timestamp', '--warning=no-unknown-keyword'];

/** Backups of a folder, in the clear unless a request says otherwise. */
export class ArchiveGroup {
	readonly #manifests = new Map<string, Manifest>();

	/** @param folder what is backed up, unless other paths are given */
	constructor(
		readonly folder: string,
		readonly storage: Storage = new MemoryStorage(),
	) {}

	async back({ type = 'full', request, ...options }: ArchiveRequest = {}): Promise<Archived> {
		nextSecond();
		let summary: ArchiveSummary | undefined;
		const source = filesSource({ paths: [this.folder], ...options, onSummary: (told) => (summary = told) });
		const { storage } = this;
		const { manifest } = await backUp({
			...{ storage, group: GROUP, source, type, encryption: null, signal },
			...request,
		});
		const { label } = manifest;
		this.#manifests.set(label, manifest);
		const chain = [...manifest.parents.toReversed(), label].map((each) => this.#manifests.get(each)!);
		return { manifest, label, summary: summary!, chain };
	}

	/** The lines of the index of one backup. */
	async index({ manifest }: Archived): Promise<Entry[]> {
		const lines = await text(await this.#open(manifest, 'index'));
		return lines.split('\n').slice(0, -1).map(parseEntry);
	}

	/** The archive of one backup, decompressed. */
	async archive({ manifest }: { manifest: Manifest }): Promise<Readable> {
		return await this.#open(manifest, 'data');
	}

	/**
	 * Restores a backup with GNU tar: each part of its chain, in order.
	 * @param to a folder, which is made
	 * @returns the folder that was archived, as it is there
	 * @throws Error for any word of tar
	 */
	async restoreByTar(backup: Archived, to: string): Promise<string> {
		fs.mkdirSync(to);
		for (const manifest of backup.chain) await untar(await this.archive({ manifest }), to, GNU_TAR);
		return path.join(to, this.folder);
	}

	/** The tree that GNU tar restores, as `treeOf` tells it; what it made is removed. */
	async treeByTar(backup: Archived, to: string, options?: TreeOptions): Promise<string[]> {
		try {
			return treeOf(await this.restoreByTar(backup, to), options);
		} finally {
			fs.rmSync(to, { recursive: true, force: true });
		}
	}

	/** Restores a backup, or what of it the options say. */
	async restore({ label }: { label: string }, options: FilesRestoreOptions, under = signal): Promise<RestoredFiles> {
		const repository = await Repository.open(this.storage);
		const restorer = filesRestorer(options);
		return await restoreBackup({ repository, group: GROUP, label, keys: null, restorer, signal: under });
	}

	/** Reads all of a backup and compares it with its digests; rejects where it is not as it was. */
	async verify({ label }: { label: string }): Promise<string> {
		const repository = await Repository.open(this.storage);
		const { outcome, ...rest } = await verifyBackup({
			repository,
			group: GROUP,
			label,
			depth: 'readable',
			keys: null,
			signal,
		});
		return outcome === 'ok' ? outcome : `${outcome}: ${JSON.stringify(rest)}`;
	}

	async #open(manifest: Manifest, role: 'data' | 'index'): Promise<Readable> {
		const stream = role === 'data' ? archiveOf(manifest) : indexOf(manifest);
		const { storage } = this;
		return await openStream({ storage, group: GROUP, label: manifest.label, stream, keys: null, signal });
	}
}

/**
 * Gives an archive to a program that unpacks it into a folder.
 * @throws Error with what it said, when it said anything
 */
export async function untar(archive: Readable, to: string, [program, ...args]: string[]): Promise<void> {
	const child = spawn(program!, args, {
		cwd: to,
		stdio: ['pipe', 'ignore', 'pipe'],
		env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' },
	});
	const ended = new Promise<number | null>((resolve, reject) => {
		child.once('error', reject);
		child.once('close', resolve);
	});
	const said = text(child.stderr);
	await pipeline(archive, child.stdin).catch((error: NodeJS.ErrnoException) => {
		// Whoever has seen the end of the archive reads no further.
		if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
	});
	const code = await ended;
	const words = await said;
	if (code !== 0 || words !== '') throw new Error(`${program} ended with ${code}: ${words.slice(0, 5000)}`);
}
