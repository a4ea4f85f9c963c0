/** Names of backups and of the groups they belong to. */
import { BackupError } from '../base/errors';
import { randomWord } from '../base/random-word';
import { isKey } from '../storage/key';
import { isReserved, RESERVED } from './layout';

export const BACKUP_TYPES = ['full', 'differential', 'incremental'] as const;
export type BackupType = (typeof BACKUP_TYPES)[number];

const LABEL = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z-(full|differential|incremental)-[a-z0-9]{4}$/;
/** Clocks of two machines differ by this much, milliseconds; what is dated further ahead was made by a clock that is wrong. */
export const AHEAD_MS = 5 * 60_000;

/** A new label: UTC start, type and a random suffix, e.g. `20261120T020000Z-full-k3f9`. Sorts as time; unique per attempt. */
export function createLabel(type: BackupType, startedAt: Date): string {
	const time = startedAt.toISOString().replace(/[-:]|\.\d+/g, '');
	return `${time}-${type}-${randomWord(4)}`;
}

/** What a label says, or null when the text is no label. */
export function parseLabel(label: string): { type: BackupType; startedAt: Date } | null {
	const match = LABEL.exec(label);
	if (!match) return null;
	const [, year, month, day, hour, minute, second, type] = match;
	const startedAt = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
	if (Number.isNaN(startedAt.getTime())) return null;
	// The name of the type, and not this part of a text: there can be a hundred thousand of them.
	return { type: BACKUP_TYPES.find((each) => each === type)!, startedAt };
}

/**
 * Accepts one or more names joined by '/', each as storages take them, and none that looks like a label.
 * @throws BackupError 'invalid-input'
 */
export function assertGroup(group: string): void {
	if (group.startsWith('-')) {
		throw new BackupError('invalid-input', `"${group.slice(0, 100)}" is not a valid group name`, {
			hint: 'It looks like an option. Choose a group that does not start with a dash, e.g. postgres/shop.',
		});
	}
	assertGroupName(group);
	if (!isGroup(group)) {
		throw new BackupError('invalid-input', `"${group}" is not a valid group name`, {
			hint: `Choose a group that does not start with ${RESERVED.join(', ')}, and has no part that looks like a backup’s label.`,
		});
	}
}

/** @throws BackupError 'invalid-input' in the words of a group */
function assertGroupName(group: string): void {
	if (isKey(group)) return;
	throw new BackupError('invalid-input', `"${group.slice(0, 100)}" is not a valid group name`, {
		hint: 'Use letters, digits, spaces and . _ = + @ , ( ) - in names joined by "/", e.g. postgres/shop. No name may start with a dot or a space, end with a space, or be very long.',
	});
}

/** Whether a name is one that a group can have. Whoever can write to a storage can make objects below any other name. */
export function isGroup(name: string): boolean {
	return isKey(name) && !isReserved(name) && !name.split('/').some((segment) => parseLabel(segment));
}

/**
 * A name of any characters as one segment of a group: everything but letters, digits, `_` `-` and inner dots becomes
 * `=XX` per UTF-8 byte, so that different names stay different.
 */
export function toSegment(name: string): string {
	const escape = (text: string) =>
		[...Buffer.from(text)].map((byte) => `=${byte.toString(16).padStart(2, '0')}`).join('');
	return name.replace(/[^\p{L}\p{N}_.-]/gu, escape).replace(/^\./, escape);
}

/** The name that {@link toSegment} made a segment of; null for a segment that it makes of no name. */
export function fromSegment(segment: string): string | null {
	const parts = segment.split(/(=[0-9a-f]{2})/);
	const bytes = parts.map((part, at) => (at % 2 === 1 ? Buffer.from(part.slice(1), 'hex') : Buffer.from(part)));
	const name = Buffer.concat(bytes).toString();
	return toSegment(name) === segment ? name : null;
}
