/** What storages without locks, and those with, say about the protection of objects. */
import { BackupError } from '../errors';
import type { WriteOptions } from './storage';

/**
 * For storages that cannot protect anything: better no object than one that only seems to be safe.
 * @throws BackupError 'unsupported'
 */
export function refuseProtection(location: string, { protect }: WriteOptions): void {
	if (protect) throw cannotProtect(location);
}

export function cannotProtect(location: string): BackupError {
	return new BackupError('unsupported', `${location} cannot protect objects from being removed`, {
		hint: 'Use a bucket that was made with Object Lock, or write without a retention lock.',
	});
}
