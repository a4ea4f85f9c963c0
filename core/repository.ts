/**
 * The backups of one storage. Layout and names are in docs/design.md, "On storage"; everything that reads or writes
 * them goes through here.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { BackupError, isBackupError } from './errors';
import { type Evidence, evidenceName, formatEvidence, parseEvidenceName, type Verification } from './evidence';
import { assertGroup, type BackupType, parseLabel } from './label';
import { assertFormat, FORMAT, formatManifest, type Manifest, parseManifest } from './manifest';
import { readText, writeText } from './small-objects';
import type { Storage } from './storage/storage';

const REPOSITORY_KEY = 'repository.json';
const MANIFEST = 'manifest.json';

const descriptor = z.object({ format: z.number().int(), id: z.string().uuid(), created: z.string().datetime() });

/** What a single listing tells of one backup. */
export interface BackupEntry {
	group: string;
	label: string;
	type: BackupType;
	startedAt: Date;
	/** Bytes in storage, all objects of the backup together. */
	storedBytes: number;
	pinned: boolean;
	/** By time, oldest first. */
	verifications: Verification[];
}

export class Repository {
	private constructor(
		readonly storage: Storage,
		/** Random, made with the repository; tells two storages apart. */
		readonly id: string,
	) {}

	/**
	 * Opens the repository of a storage.
	 * @param options.create make one when the storage has none yet
	 * @throws BackupError 'not-found' when there is none, 'newer-format'
	 */
	static async open(storage: Storage, options: { create?: boolean; signal?: AbortSignal } = {}): Promise<Repository> {
		try {
			return new Repository(storage, await readDescriptor(storage, options.signal));
		} catch (error) {
			if (!isBackupError(error, 'not-found')) throw error;
			if (!options.create) {
				throw new BackupError('not-found', `there are no backups in ${storage.location}`, {
					hint: 'Check the storage’s location and prefix: it must be the one the backups were made with.',
					cause: error,
				});
			}
		}
		const created = { format: FORMAT, id: randomUUID(), created: new Date().toISOString() };
		try {
			await writeText(storage, REPOSITORY_KEY, `${JSON.stringify(created, null, 2)}\n`, { signal: options.signal });
			return new Repository(storage, created.id);
		} catch (error) {
			// Another run was first: its repository is as good as ours.
			if (!isBackupError(error, 'already-exists')) throw error;
			return new Repository(storage, await readDescriptor(storage, options.signal));
		}
	}

	/** Every backup, or those of one group, oldest first within a group. */
	async list(group?: string): Promise<BackupEntry[]> {
		if (group !== undefined) assertGroup(group);
		const found = new Map<string, BackupEntry & { complete: boolean }>();
		for await (const object of this.storage.list(group === undefined ? '' : `${group}/`)) {
			const place = parseKey(object.key);
			if (!place || (group !== undefined && place.group !== group)) continue;
			const id = `${place.group}/${place.label}`;
			const entry = found.get(id) ?? {
				group: place.group,
				label: place.label,
				...parseLabel(place.label)!,
				storedBytes: 0,
				pinned: false,
				verifications: [],
				complete: false,
			};
			entry.storedBytes += object.size;
			entry.complete ||= place.name === MANIFEST;
			entry.pinned ||= place.name === 'pin.json';
			const verification = parseEvidenceName(place.name);
			if (verification) entry.verifications.push(verification);
			found.set(id, entry);
		}
		return [...found.values()]
			.filter((entry) => entry.complete)
			.map(({ complete: _, ...entry }) => entry)
			.sort((a, b) => compare(a.group, b.group) || compare(a.label, b.label));
	}

	/**
	 * The manifest of a backup.
	 * @throws BackupError 'not-found', 'invalid-manifest', 'newer-format'
	 */
	async readManifest(group: string, label: string, signal?: AbortSignal): Promise<Manifest> {
		const key = objectKey(group, label, MANIFEST);
		const location = `${this.storage.location}/${key}`;
		const manifest = parseManifest(await readText(this.storage, key, signal), location);
		if (manifest.group !== group || manifest.label !== label) {
			throw new BackupError(
				'invalid-manifest',
				`${location} belongs to the backup ${manifest.group}/${manifest.label}`,
				{
					hint: 'The file was moved or copied by hand. Put it back to where it belongs.',
				},
			);
		}
		return manifest;
	}

	/**
	 * Stores what a verification found. Two that end within the same second and with the same outcome are one.
	 * @returns the object's name
	 */
	async writeEvidence(evidence: Evidence, signal?: AbortSignal): Promise<string> {
		const name = evidenceName(evidence);
		const key = objectKey(evidence.group, evidence.label, name);
		try {
			await writeText(this.storage, key, formatEvidence(evidence), { signal });
		} catch (error) {
			if (!isBackupError(error, 'already-exists')) throw error;
		}
		return name;
	}

	/** Makes the backup exist. Its objects must be stored before. */
	async writeManifest(manifest: Manifest, signal?: AbortSignal): Promise<void> {
		await writeText(this.storage, objectKey(manifest.group, manifest.label, MANIFEST), formatManifest(manifest), {
			signal,
		});
	}

	/**
	 * Removes what earlier, failed runs left in a group: objects without a manifest and unfinished uploads. Only for the
	 * holder of the group's lock: another run's half-written backup looks the same.
	 * @returns how many leftovers were removed
	 */
	async removeOrphans(group: string): Promise<number> {
		assertGroup(group);
		const complete = new Set((await this.list(group)).map((entry) => entry.label));
		const owns = (key: string) => parseKey(key)?.group === group;
		const removed = await this.storage.removeUnfinished(`${group}/`, owns);
		const orphans: string[] = [];
		for await (const { key } of this.storage.list(`${group}/`)) {
			const place = parseKey(key);
			if (place?.group === group && !complete.has(place.label)) orphans.push(key);
		}
		for (const key of orphans) await this.storage.remove(key);
		return removed + orphans.length;
	}
}

/** Where an object of a backup lies. */
export function objectKey(group: string, label: string, name: string): string {
	return `${group}/${label}/${name}`;
}

/** The backup an object belongs to, or null for anything else in the storage. */
function parseKey(key: string): { group: string; label: string; name: string } | null {
	const segments = key.split('/');
	const name = segments.pop()!;
	const label = segments.pop();
	if (label === undefined || segments.length === 0 || !parseLabel(label)) return null;
	return { group: segments.join('/'), label, name };
}

async function readDescriptor(storage: Storage, signal?: AbortSignal): Promise<string> {
	const location = `${storage.location}/${REPOSITORY_KEY}`;
	const text = await readText(storage, REPOSITORY_KEY, signal);
	try {
		const data: unknown = JSON.parse(text);
		assertFormat(data, location);
		return descriptor.parse(data).id;
	} catch (cause) {
		if (isBackupError(cause)) throw cause;
		throw new BackupError('invalid-manifest', `${location} is damaged`, {
			hint: 'If the backups beside it are intact, remove this one file: the next backup makes a new one.',
			cause,
		});
	}
}

function compare(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}
