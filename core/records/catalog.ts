/**
 * What lies in a repository, told from the names of objects alone: which are backups, what was proved of them, what keeps
 * them. One listing must be enough for it, however many backups there are.
 */
import { BackupError } from '../base/errors';
import { parseEvidenceName, type Verification } from './evidence';
import { type BackupType, isGroup, parseLabel } from './label';
import { isReserved, objectKey, TAG_NAME, tagName, APPROVED, EXPIRED, MANIFEST, PIN, SIGNATURE } from './layout';
import type { StoredObject } from '../storage/storage';

const MAX_UNKNOWN = 100;
/** Shared by all backups without: there can be very many. */
const NO_PARENTS: readonly string[] = [];
const NO_TAGS: readonly string[] = [];
const NO_VERIFICATIONS: readonly Verification[] = [];

/** What a single listing tells of one backup. */
export interface BackupEntry {
	group: string;
	label: string;
	type: BackupType;
	/** Milliseconds since 1970; there can be very many, and a Date takes six times the memory. */
	startedAt: number;
	/** Bytes in storage, all objects of the backup together. */
	storedBytes: number;
	/** The same without what comes later: evidence, pins, approvals, tags. */
	dataBytes: number;
	pinned: boolean;
	/** A person said that what the source had then is right, however much less it was than before. */
	approved: boolean;
	/** In alphabetical order. */
	tags: readonly string[];
	/** By time, oldest first. */
	verifications: readonly Verification[];
	/** An expiry was broken off before it removed anything. */
	expiring: boolean;
	/**
	 * Labels of the same group that it needs. Null when that is not known, as of all but full backups from their names
	 * alone: then everything back to the last full backup before it counts as needed.
	 */
	parents: readonly string[] | null;
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
	/**
	 * Evidence, a pin, an approval or a tag lies beside its data: it was a backup, and only its manifest is lost. It can be restored by hand,
	 * so nothing of ours removes it.
	 */
	lost: boolean;
}

export interface Survey {
	backups: BackupEntry[];
	leftovers: Leftover[];
	/** Objects that are nobody's: how many, and the names of the first hundred. */
	unknown: { count: number; keys: string[] };
}

/** @param group only this one; groups below it have names of their own and are left out */
export async function surveyObjects(objects: AsyncIterable<StoredObject>, group?: string): Promise<Survey> {
	const backups: BackupEntry[] = [];
	const leftovers: Leftover[] = [];
	const unknown: Survey['unknown'] = { count: 0, keys: [] };
	let current: Found | null = null;
	const finish = () => {
		if (!current || (group !== undefined && current.backup.group !== group)) return;
		if (current.complete) backups.push(current.backup);
		else leftovers.push(current.toLeftover());
	};
	// Objects come by their keys, so those of a label come together.
	for await (const object of objects) {
		const { key } = object;
		if (!current || !key.startsWith(current.folder)) {
			finish();
			const place = parseKey(key);
			current = place && new Found(place, current);
		}
		const isOfLabel: boolean = current !== null && !key.includes('/', current.folder.length);
		if (current && isOfLabel) current.add(key.slice(current.folder.length), object);
		else if (!isReserved(key)) {
			unknown.count++;
			if (unknown.keys.length < MAX_UNKNOWN) unknown.keys.push(key);
		}
	}
	finish();
	return { backups: backups.sort(byName), leftovers: leftovers.sort(byName), unknown };
}

/** What a listing tells of one label: a backup once the manifest was seen. There can be very many, so it holds little else. */
class Found {
	readonly backup: BackupEntry;
	/** Of its objects' keys, all but the name. */
	readonly folder: string;
	complete = false;
	/** Of whole backups nobody asks for these. */
	#keys: string[] = [];
	#modifiedAt = 0;

	/** @param previous shares the name of its group */
	constructor(place: { group: string; label: string }, previous: Found | null) {
		this.folder = objectKey(place.group, place.label, '');
		const isSameGroup = previous?.backup.group === place.group;
		const { type, startedAt } = parseLabel(place.label)!;
		this.backup = {
			group: isSameGroup ? previous.backup.group : place.group,
			// A copy: a part of a string holds on to all of it.
			label: Buffer.from(place.label, 'latin1').toString('latin1'),
			type,
			startedAt: startedAt.getTime(),
			storedBytes: 0,
			dataBytes: 0,
			pinned: false,
			approved: false,
			tags: NO_TAGS,
			verifications: NO_VERIFICATIONS,
			expiring: false,
			parents: type === 'full' ? NO_PARENTS : null,
		};
	}

	add(name: string, { key, size, modifiedAt }: StoredObject): void {
		const { backup } = this;
		backup.storedBytes += size;
		if (name === MANIFEST) {
			this.complete = true;
			this.#keys = [];
		}
		if (!this.complete) {
			this.#keys.push(key);
			this.#modifiedAt = Math.max(this.#modifiedAt, modifiedAt.getTime());
		}
		if (name.endsWith(SIGNATURE)) return;
		const tag = name.startsWith('tag-') ? TAG_NAME.exec(name)?.[1] : undefined;
		const verification = name.startsWith('verified-') ? parseEvidenceName(name) : null;
		if (name === PIN) backup.pinned = true;
		else if (name === APPROVED) backup.approved = true;
		else if (name === EXPIRED) backup.expiring = true;
		// Not pushed: an array that grows takes room for sixteen more.
		else if (tag !== undefined) backup.tags = backup.tags.concat(tag);
		else if (verification) backup.verifications = backup.verifications.concat(verification);
		else backup.dataBytes += size;
	}

	toLeftover(): Leftover {
		const { group, label, storedBytes, dataBytes, expiring, pinned, approved, tags, verifications } = this.backup;
		const lost = !expiring && dataBytes > 0 && (pinned || approved || tags.length > 0 || verifications.length > 0);
		const modifiedAt = new Date(this.#modifiedAt);
		return { group, label, keys: this.#keys, storedBytes, modifiedAt, expired: expiring, lost };
	}
}

/** What people should know of a backup that lost its manifest. */
export function describeLost({ group, label }: Pick<Leftover, 'group' | 'label'>): string {
	return `${group}/${label} has lost its manifest and was a backup before: it stays; restore it by hand, or remove it by hand`;
}

/** Whether an object of this name is there only beside a backup: evidence or an approval, with or without signature, a pin, a tag. */
export function isCompanion(name: string): boolean {
	return (
		name === PIN || TAG_NAME.test(name) || isEvidence(name) || name === APPROVED || name === `${APPROVED}${SIGNATURE}`
	);
}

/** Whether a name is that of evidence, or of its signature. */
export function isEvidence(name: string): boolean {
	return parseEvidenceName(name.endsWith(SIGNATURE) ? name.slice(0, -SIGNATURE.length) : name) !== null;
}

/** @throws BackupError 'invalid-input' */
export function assertTag(tag: string): void {
	if (TAG_NAME.test(tagName(tag))) return;
	throw new BackupError('invalid-input', `"${tag.slice(0, 50)}" is not a valid tag`, {
		hint: 'Use up to 40 lower-case letters, digits and dashes, beginning with a letter or digit.',
	});
}

/** The backup an object belongs to, or null for anything else in the storage. */
export function parseKey(key: string): { group: string; label: string; name: string } | null {
	const segments = key.split('/');
	const name = segments.pop()!;
	const label = segments.pop();
	if (label === undefined || !parseLabel(label)) return null;
	const group = segments.join('/');
	return isGroup(group) ? { group, label, name } : null;
}

type Named = Pick<BackupEntry, 'group' | 'label'>;

function byName(a: Named, b: Named): number {
	return compare(a.group, b.group) || compare(a.label, b.label);
}

function compare(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}
