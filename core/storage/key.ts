/** Names of objects. One rule for all storages, so that a repository can be copied from any storage to any other. */
import { BackupError } from '../base/errors';

/** S3 allows 1024 bytes for a key; a prefix needs room as well. */
const MAX_KEY_BYTES = 800;
const SEGMENT = /^[\p{L}\p{N}_=+@,()-][\p{L}\p{N}._=+@,() -]*$/u;
/** Most file systems allow 255 bytes per name; temporary names need room as well. */
const MAX_SEGMENT_BYTES = 200;

/**
 * Accepts segments of letters, digits and `._=+@,()-` and spaces, joined by '/'. No segment starts with a dot or a
 * space, so neither '..' nor a temporary name can be a key.
 * @throws BackupError 'invalid-input'
 */
export function assertKey(key: string): void {
	if (!isKey(key)) {
		throw new BackupError('invalid-input', `"${key.slice(0, 100)}" is not a valid object name`, {
			hint: 'Use letters, digits, spaces and . _ = + @ , ( ) - in names joined by "/"; no name may start with a dot or a space, or end with a space.',
		});
	}
}

/** Accepts what {@link assertKey} accepts, with or without a '/' at the end, and the empty prefix. */
export function assertPrefix(prefix: string): void {
	if (prefix !== '') assertKey(prefix.endsWith('/') ? prefix.slice(0, -1) : prefix);
}

const BEYOND_FFFF = /[\ud800-\udfff]/;

/** Orders keys by their UTF-8 bytes, as S3 lists them. JavaScript's own order differs beyond U+FFFF only. */
export function compareKeys(a: string, b: string): number {
	if (BEYOND_FFFF.test(a) || BEYOND_FFFF.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
	return a < b ? -1 : a > b ? 1 : 0;
}

/** What {@link assertKey} accepts, as a question: foreign files and objects can have any name. */
export function isKey(key: string): boolean {
	return key.split('/').every(isKeySegment) && Buffer.byteLength(key) <= MAX_KEY_BYTES;
}

/** Whether a name on disk could be a part of a key. */
export function isKeySegment(name: string): boolean {
	return SEGMENT.test(name) && !name.endsWith(' ') && Buffer.byteLength(name) <= MAX_SEGMENT_BYTES;
}
