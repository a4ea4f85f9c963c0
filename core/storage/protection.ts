/** What storages, with locks or without, say about the protection of objects. */
import { BackupError } from '../base/errors';
import type { Protection, WriteOptions } from './storage';

/**
 * For storages that cannot protect anything: better no object than one that only seems to be safe.
 * @throws BackupError 'unsupported'
 */
export function refuseProtection(location: string, { protect }: WriteOptions): void {
	if (protect) throw cannotProtect(location);
}

export function cannotProtect(location: string): BackupError {
	return new BackupError('unsupported', `${location} cannot protect objects from being removed`, {
		hint: 'Use a bucket that was made with Object Lock (only some servers can switch it on later), or write without a retention lock.',
	});
}

/** @throws BackupError 'invalid-input' when the time is none, or over already */
export function assertProtection({ until }: Protection): void {
	if (until.getTime() > Date.now()) return;
	throw new BackupError('invalid-input', 'objects can only be protected until a time in the future', {
		hint: 'Check the retention lock’s length, and this machine’s clock.',
	});
}

/** @param until absent for a lock without an end, such as a legal hold */
export function isProtected(action: string, until?: Date): BackupError {
	if (!until) {
		return new BackupError('protected', `${action}: a legal hold is on it`, {
			hint: 'Whoever put the hold on it has to lift it first.',
		});
	}
	return new BackupError('protected', `${action}: it is protected until ${until.toISOString()}`, {
		hint: 'A lock in the storage keeps it until then, from everybody. Remove it afterwards.',
		details: { until: until.toISOString() },
	});
}
