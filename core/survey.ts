/**
 * What lies in a repository, told from the names of objects alone: which are backups, what was proved of them, what keeps
 * them. One listing must be enough for it, however many backups there are.
 */
import { BackupError } from './errors';
import { parseEvidenceName, type Verification } from './evidence';
import { type BackupType, parseLabel } from './label';
import type { StoredObject } from './storage/storage';

/** Names of the repository's own objects, and of those that a backup can have besides its data. */
export const REPOSITORY_KEY = 'repository.json';
export const MANIFEST = 'manifest.json';
export const PIN = 'pin.json';
export const EXPIRED = 'expired.json';
const TAG_NAME = /^tag-([a-z0-9][a-z0-9-]{0,39})\.json$/;
const MAX_UNKNOWN = 100;

/** What a single listing tells of one backup. */
export interface BackupEntry {
	group: string;
	label: string;
	type: BackupType;
	startedAt: Date;
	/** Bytes in storage, all objects of the backup together. */
	storedBytes: number;
	/** The same without what comes later: evidence, pins, tags. */
	dataBytes: number;
	pinned: boolean;
	/** In alphabetical order. */
	tags: string[];
	/** By time, oldest first. */
	verifications: Verification[];
	/** An expiry was broken off before it removed anything. */
	expiring: boolean;
}

/** Objects of a label without a manifest: no backup. What a failed run left, or is writing just now. */
export interface Leftover {
	group: string;
	label: string;
	keys: string[];
	storedBytes: number;
	/** When its newest object was written, by the storage's clock. */
	modifiedAt: Date;
	/** It was a backup whose removal was broken off. */
	expired: boolean;
}

export interface Survey {
	backups: BackupEntry[];
	leftovers: Leftover[];
	/** Objects that are nobody's: how many, and the names of the first hundred. */
	unknown: { count: number; keys: string[] };
}

/** @param group only this one; groups below it have names of their own and are left out */
export async function surveyObjects(objects: AsyncIterable<StoredObject>, group?: string): Promise<Survey> {
	const found = new Map<string, Found>();
	const unknown: Survey['unknown'] = { count: 0, keys: [] };
	// A listing names the objects of a label one after the other: only the first of them has to be looked at closely.
	let folder: string | null = null;
	let entry: Found | null = null;
	for await (const object of objects) {
		const end = object.key.lastIndexOf('/');
		if (folder === null || end !== folder.length || !object.key.startsWith(folder)) {
			folder = object.key.slice(0, Math.max(end, 0));
			entry = found.get(folder) ?? null;
			const place = entry ? null : parseKey(object.key);
			if (place) found.set(folder, (entry = new Found(place.group, place.label)));
		}
		if (entry) entry.add(object.key.slice(end + 1), object);
		else if (!isOurs(object.key)) {
			unknown.count++;
			if (unknown.keys.length < MAX_UNKNOWN) unknown.keys.push(object.key);
		}
	}
	const wanted = [...found.values()].filter((each) => group === undefined || each.group === group);
	const all = wanted.sort((a, b) => compare(a.group, b.group) || compare(a.label, b.label));
	return {
		backups: all.filter(({ complete }) => complete).map((each) => each.toBackup()),
		leftovers: all.filter(({ complete }) => !complete).map((each) => each.toLeftover()),
		unknown,
	};
}

/** What a listing tells of one label. */
class Found {
	complete = false;
	readonly #keys: string[] = [];
	readonly #tags: string[] = [];
	readonly #verifications: Verification[] = [];
	#storedBytes = 0;
	#dataBytes = 0;
	#modifiedAt = new Date(0);
	#pinned = false;
	#expired = false;

	constructor(
		readonly group: string,
		readonly label: string,
	) {}

	add(name: string, { key, size, modifiedAt }: StoredObject): void {
		this.#storedBytes += size;
		if (modifiedAt > this.#modifiedAt) this.#modifiedAt = modifiedAt;
		if (name === MANIFEST) this.complete = true;
		// Of a whole backup nobody asks for them, and there can be many thousands.
		if (this.complete) this.#keys.length = 0;
		else this.#keys.push(key);
		const tag = name.startsWith('tag-') ? TAG_NAME.exec(name)?.[1] : undefined;
		const verification = name.startsWith('verified-') ? parseEvidenceName(name) : null;
		if (name === PIN) this.#pinned = true;
		else if (name === EXPIRED) this.#expired = true;
		else if (tag !== undefined) this.#tags.push(tag);
		else if (verification) this.#verifications.push(verification);
		else this.#dataBytes += size;
	}

	toBackup(): BackupEntry {
		return {
			group: this.group,
			label: this.label,
			...parseLabel(this.label)!,
			storedBytes: this.#storedBytes,
			dataBytes: this.#dataBytes,
			pinned: this.#pinned,
			tags: this.#tags,
			verifications: this.#verifications,
			expiring: this.#expired,
		};
	}

	toLeftover(): Leftover {
		return {
			group: this.group,
			label: this.label,
			keys: this.#keys,
			storedBytes: this.#storedBytes,
			modifiedAt: this.#modifiedAt,
			expired: this.#expired,
		};
	}
}

/** Name of the object that is a tag. */
export function tagName(tag: string): string {
	return `tag-${tag}.json`;
}

/** @throws BackupError 'invalid-input' */
export function assertTag(tag: string): void {
	if (TAG_NAME.test(tagName(tag))) return;
	throw new BackupError('invalid-input', `"${tag.slice(0, 50)}" cannot be a tag`, {
		hint: 'Use up to 40 lower-case letters, digits and dashes, beginning with a letter or digit.',
	});
}

/** Where an object of a backup lies. */
export function objectKey(group: string, label: string, name: string): string {
	return `${group}/${label}/${name}`;
}

/** The backup an object belongs to, or null for anything else in the storage. */
export function parseKey(key: string): { group: string; label: string; name: string } | null {
	const segments = key.split('/');
	const name = segments.pop()!;
	const label = segments.pop();
	if (label === undefined || segments.length === 0 || !parseLabel(label)) return null;
	return { group: segments.join('/'), label, name };
}

/** What the repository itself keeps beside the backups. */
function isOurs(key: string): boolean {
	return key === REPOSITORY_KEY || key.startsWith('runs/') || key.startsWith('locks/');
}

function compare(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}
