/**
 * The backups of one storage. Layout and names are in docs/design.md, "On storage"; everything that reads or writes
 * them goes through here.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { BackupError, isBackupError } from '../base/errors';
import { withWayBack } from './deleted';
import { type Evidence, evidenceName, formatEvidence, parseEvidence } from './evidence';
import { assertGroup } from './label';
import { isReserved, tagName, objectKey, EXPIRED, PIN, MANIFEST, REPOSITORY_KEY, SIGNATURE } from './layout';
import { DEFAULT_LIMITS } from '../base/limits';
import { pause } from '../base/retry';
import { assertSigned, type Authority, NAMESPACES, NO_AUTHORITY, type Signed, signatureOf } from './authority';
import {
	assertBelongs,
	assertFormat,
	assertManifest,
	FORMAT,
	formatManifest,
	type Manifest,
	parseManifest,
} from './manifest';
import { findOnlyIfAbsent, isUnsure, SETTLE_MS } from './only-if-absent';
import { assertNotInside } from './outer';
import { readText, writeText } from './small-objects';
import { limitStorage } from '../storage/limited';
import type { OnlyIfAbsent, Storage, StoredObject, WriteOptions } from '../storage/storage';
import { assertTag, type BackupEntry, type Leftover, parseKey, type Survey, surveyObjects } from './catalog';

export { assertTag, type BackupEntry, type Leftover, type Survey } from './catalog';

const descriptor = z.object({
	format: z.number().int(),
	id: z.string().uuid(),
	created: z.string().datetime(),
	/** Absent in repositories that were made before it was asked. A word of a later version is as good as none. */
	onlyIfAbsent: z.enum(['kept', 'ignored', 'refused']).optional().catch(undefined),
});

type Descriptor = z.infer<typeof descriptor>;

/** Why a backup is pinned. */
export interface Pin {
	/** ISO 8601. */
	at: string;
	reason: string | null;
}

export class Repository {
	private constructor(
		readonly storage: Storage,
		/** Null where it is lost: backups are read without it. */
		private readonly descriptor: Pick<Descriptor, 'id' | 'onlyIfAbsent'> | null,
		/** What is wrong with the repository itself, for the warnings of a run. */
		readonly warnings: readonly string[] = [],
		/** What it was opened with. */
		readonly authority: Authority = NO_AUTHORITY,
	) {}

	/** Random, made with the repository; tells two storages apart. Null where it is lost. */
	get id(): string | null {
		return this.descriptor?.id ?? null;
	}

	/** What was found when the repository was made. */
	get onlyIfAbsent(): OnlyIfAbsent | undefined {
		return this.descriptor?.onlyIfAbsent;
	}

	/**
	 * Opens the repository of a storage. No call of it waits for ever, and the signal ends all that is asked of it. Where it
	 * has lost what it says of itself, its backups can be read, restored and removed all the same, with a warning.
	 * @param options.authority whose signatures count, and what signs; by default nothing is checked, and nothing is signed
	 * @param options.create make one when the storage has none yet: for who writes backups, who needs it whole
	 * @throws BackupError 'not-found' when there is none, 'newer-format', 'invalid-manifest' for who writes, 'invalid-input' for a new one in another
	 */
	static async open(
		inner: Storage,
		options: { create?: boolean; signal?: AbortSignal; stallTimeoutMs?: number; authority?: Authority } = {},
	): Promise<Repository> {
		const { signal, stallTimeoutMs = DEFAULT_LIMITS.stallTimeoutMs, authority } = options;
		const storage = limitStorage(inner, { signal, stallTimeoutMs });
		try {
			return new Repository(storage, await readDescriptor(storage, options.signal), [], authority);
		} catch (error) {
			if (!options.create && isBackupError(error, 'invalid-manifest')) {
				return new Repository(
					storage,
					null,
					[`${error.message}; backups are read without it. ${error.hint}`],
					authority,
				);
			}
			if (!isBackupError(error, 'not-found')) throw error;
			if (!options.create) {
				if (await hasBackups(storage)) {
					const lost = `${storage.location}/${REPOSITORY_KEY} is missing; backups are read without it, and the next one makes it anew`;
					return new Repository(storage, null, [lost], authority);
				}
				const none = new BackupError('not-found', `there are no backups in ${storage.location}`, {
					hint: 'Check the storage’s location and prefix: it must be the one the backups were made with.',
					cause: error,
				});
				throw await withWayBack(none, storage, '');
			}
		}
		await assertNotInside(storage, signal);
		const onlyIfAbsent = await findOnlyIfAbsent(storage, signal);
		const created = { format: FORMAT, id: randomUUID(), created: new Date().toISOString(), onlyIfAbsent };
		try {
			await writeText(storage, REPOSITORY_KEY, `${JSON.stringify(created, null, 2)}\n`, { signal: options.signal });
			if (!isUnsure(onlyIfAbsent)) return new Repository(storage, created, [], authority);
			// Another first run may have written its own over it.
			await pause(SETTLE_MS, signal);
			return new Repository(storage, await readDescriptor(storage, signal), [], authority);
		} catch (error) {
			// Another run was first: its repository is as good as ours.
			if (!isBackupError(error, 'already-exists')) throw error;
			return new Repository(storage, await readDescriptor(storage, options.signal), [], authority);
		}
	}

	/** The same repository, reached in another way. */
	through(storage: Storage): Repository {
		return new Repository(storage, this.descriptor, this.warnings, this.authority);
	}

	/** The same repository, in which one backup is taken though its manifest is not authentic. */
	allowing(group: string, label: string): Repository {
		const allowed = new Set([...(this.authority.allowed ?? []), `${group}/${label}`]);
		return new Repository(this.storage, this.descriptor, this.warnings, { ...this.authority, allowed });
	}

	/** Every backup, or those of one group, oldest first within a group. */
	async list(group?: string): Promise<BackupEntry[]> {
		return (await this.survey(group)).backups;
	}

	/** All that lies in the storage, or in one group, told from the names of a single listing. */
	async survey(group?: string): Promise<Survey> {
		if (group !== undefined) assertGroup(group);
		return await surveyObjects(this.storage.list(group === undefined ? '' : `${group}/`), group);
	}

	/** Every object of one label, whether a backup or a leftover. */
	async objects(group: string, label: string): Promise<StoredObject[]> {
		assertGroup(group);
		const objects: StoredObject[] = [];
		for await (const object of this.storage.list(objectKey(group, label, ''))) objects.push(object);
		return objects;
	}

	/**
	 * The manifest of a backup.
	 * @throws BackupError 'not-found', 'invalid-manifest', 'newer-format', those of {@link assertAuthentic}
	 */
	async readManifest(group: string, label: string, signal?: AbortSignal): Promise<Manifest> {
		return (await this.readManifestText(group, label, signal)).manifest;
	}

	/**
	 * The manifest of a backup, and its text, verbatim.
	 * @throws BackupError 'not-found', 'invalid-manifest', 'newer-format', those of {@link assertAuthentic}
	 */
	async readManifestText(
		group: string,
		label: string,
		signal?: AbortSignal,
	): Promise<{ manifest: Manifest; text: string }> {
		const key = objectKey(group, label, MANIFEST);
		const location = `${this.storage.location}/${key}`;
		const text = await readText(this.storage, key, signal);
		const manifest = parseManifest(text, location);
		assertBelongs(manifest, group, label, location);
		await this.assertAuthentic(manifest, text, signal);
		return { manifest, text };
	}

	/**
	 * Refuses a manifest that none of the signers has signed, unless it is allowed by its name.
	 * @param text the manifest, verbatim
	 * @throws BackupError 'unsigned', 'bad-signature', 'unknown-signer'
	 */
	async assertAuthentic(manifest: Manifest, text: string, signal?: AbortSignal): Promise<void> {
		if (this.authority.allowed?.has(`${manifest.group}/${manifest.label}`)) return;
		const doubt = await this.doubt(manifest, text, signal);
		if (doubt !== null) throw doubt;
	}

	/** Why a manifest is not authentic; null when it is, and where nothing is checked. @throws BackupError of the storage */
	async doubt({ group, label, startedAt }: Manifest, text: string, signal?: AbortSignal): Promise<BackupError | null> {
		const made = { text, namespace: NAMESPACES.manifest, at: new Date(startedAt) };
		return await this.doubtOf(objectKey(group, label, MANIFEST), made, signal);
	}

	/** Why an object that is signed is not authentic; null when it is, and where nothing is checked. @throws BackupError of the storage */
	async doubtOf(
		key: string,
		made: Omit<Signed, 'signature' | 'location'>,
		signal?: AbortSignal,
	): Promise<BackupError | null> {
		const { signers } = this.authority;
		if (signers === null) return null;
		const signature = await this.#textOrNull(`${key}${SIGNATURE}`, signal);
		try {
			assertSigned({ ...made, signature, location: `${this.storage.location}/${key}` }, signers);
			return null;
		} catch (error) {
			if (isBackupError(error)) return error;
			throw error;
		}
	}

	async #textOrNull(key: string, signal?: AbortSignal): Promise<string | null> {
		try {
			return await readText(this.storage, key, signal);
		} catch (error) {
			if (isBackupError(error, 'not-found')) return null;
			throw error;
		}
	}

	/**
	 * What a verification left.
	 * @param name of the object
	 * @throws BackupError 'not-found', 'damaged', 'newer-format'; 'unsigned', 'bad-signature', 'unknown-signer'
	 */
	async readEvidence(group: string, label: string, name: string, signal?: AbortSignal): Promise<Evidence> {
		const key = objectKey(group, label, name);
		const text = await readText(this.storage, key, signal);
		const evidence = parseEvidence(text, `${this.storage.location}/${key}`);
		const made = { text, namespace: NAMESPACES.evidence, at: new Date(evidence.finishedAt) };
		const doubt = await this.doubtOf(key, made, signal);
		if (doubt !== null) throw doubt;
		return evidence;
	}

	/**
	 * Stores what a verification found. Two that end within the same second and with the same outcome are one.
	 * @returns the object's name
	 */
	async writeEvidence(evidence: Evidence, signal?: AbortSignal): Promise<string> {
		const name = evidenceName(evidence);
		const key = objectKey(evidence.group, evidence.label, name);
		const text = formatEvidence(evidence);
		try {
			await writeText(this.storage, key, text, { signal });
		} catch (error) {
			if (!isBackupError(error, 'already-exists')) throw error;
			return name;
		}
		// After it: only who made the evidence can sign it.
		await this.sign(key, text, NAMESPACES.evidence, { signal });
		return name;
	}

	/**
	 * Makes the backup exist, signed where there is a key. Its objects must be stored before.
	 * @throws BackupError 'invalid-input' for a manifest that nobody could read again
	 */
	async writeManifest(manifest: Manifest, options?: WriteOptions): Promise<void> {
		assertManifest(manifest);
		const text = formatManifest(manifest);
		// Before it: what exists is signed.
		await this.sign(objectKey(manifest.group, manifest.label, MANIFEST), text, NAMESPACES.manifest, options);
		await this.writeManifestText(manifest, text, options);
	}

	/** Signs an object, where there is a key. */
	async sign(key: string, text: string, namespace: string, options?: WriteOptions): Promise<void> {
		if (this.authority.key === null) return;
		const signature = signatureOf(text, this.authority.key, namespace);
		await writeText(this.storage, `${key}${SIGNATURE}`, signature, options);
	}

	/** The same with a text that came from elsewhere, verbatim. Its signature is not made here. */
	async writeManifestText({ group, label }: Manifest, text: string, options?: WriteOptions): Promise<void> {
		await writeText(this.storage, objectKey(group, label, MANIFEST), text, options);
	}

	/**
	 * Gives a backup tags, in addition to those it has. Retention can keep by them.
	 * @throws BackupError 'invalid-input'
	 */
	async writeTags(group: string, label: string, tags: readonly string[], options?: WriteOptions): Promise<void> {
		for (const tag of tags) assertTag(tag);
		for (const tag of tags) await this.#mark(objectKey(group, label, tagName(tag)), {}, options);
	}

	/**
	 * Pins a backup: no policy removes it.
	 * @returns false when it was pinned before; the earlier pin stays
	 */
	async writePin(group: string, label: string, pin: Pin, signal?: AbortSignal): Promise<boolean> {
		return await this.#mark(objectKey(group, label, PIN), { ...pin }, { signal });
	}

	/** Removes the pin; that there is none is no error. */
	async removePin(group: string, label: string): Promise<void> {
		await this.storage.remove(objectKey(group, label, PIN));
	}

	/**
	 * Removes a backup: a mark of why, then the manifest, from which moment there is no backup, then all else, then the
	 * mark. Broken off, it leaves the whole backup, or a leftover that says it had expired. Only for the holder of the
	 * group's lock.
	 * @param reasons why, for people; kept with what a broken-off removal leaves
	 * @throws BackupError 'protected' when the storage keeps one of its objects for longer
	 */
	async expire(group: string, label: string, reasons: readonly string[], signal?: AbortSignal): Promise<void> {
		await this.#mark(objectKey(group, label, EXPIRED), { at: new Date().toISOString(), reasons }, { signal });
		await this.storage.remove(objectKey(group, label, MANIFEST));
		await this.#removeObjects(group, label);
	}

	/** Takes the mark of an expiry that was broken off before it removed anything, from a backup that stays. */
	async keep(group: string, label: string): Promise<void> {
		await this.storage.remove(objectKey(group, label, EXPIRED));
	}

	/**
	 * Removes a leftover. Only for the holder of the group's lock: another run's half-written backup looks the same.
	 * @throws BackupError 'invalid-input' when it is a backup by now
	 */
	async removeLeftover({ group, label }: Pick<Leftover, 'group' | 'label'>): Promise<void> {
		if (await this.storage.stat(objectKey(group, label, MANIFEST))) {
			throw new BackupError('invalid-input', `${group}/${label} is a backup, not a leftover`, {
				hint: 'Look at the list of backups again.',
			});
		}
		await this.#removeObjects(group, label);
	}

	/** The mark of an expiry goes last: until then it tells what the other objects are. */
	async #removeObjects(group: string, label: string): Promise<void> {
		const last = objectKey(group, label, EXPIRED);
		for (const { key } of await this.objects(group, label)) if (key !== last) await this.storage.remove(key);
		await this.storage.remove(last);
	}

	/** Writes a small object whose being there is what matters. @returns whether it is new */
	async #mark(key: string, content: object, options?: WriteOptions): Promise<boolean> {
		try {
			await writeText(this.storage, key, `${JSON.stringify(content, null, 2)}\n`, options);
			return true;
		} catch (error) {
			if (!isBackupError(error, 'already-exists')) throw error;
			return false;
		}
	}
}

/** So many objects of others before the first backup: then it is another folder or bucket, which may hold millions. */
const MAX_FOREIGN = 1000;

async function hasBackups(storage: Storage): Promise<boolean> {
	let foreign = 0;
	for await (const { key } of storage.list('')) {
		const place = parseKey(key);
		if (place?.name === MANIFEST) return true;
		if (!place && !isReserved(key) && ++foreign > MAX_FOREIGN) return false;
	}
	return false;
}

async function readDescriptor(storage: Storage, signal?: AbortSignal): Promise<Descriptor> {
	const location = `${storage.location}/${REPOSITORY_KEY}`;
	const text = await readText(storage, REPOSITORY_KEY, signal);
	try {
		const data: unknown = JSON.parse(text);
		assertFormat(data, location);
		return descriptor.parse(data);
	} catch (cause) {
		if (isBackupError(cause)) throw cause;
		throw new BackupError('invalid-manifest', `${location} is damaged`, {
			hint: 'Remove this one file: the next backup makes a new one. Look for what damaged it; verify the backups beside it.',
			cause,
		});
	}
}
