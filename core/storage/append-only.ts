/** Storages in which nothing can be removed with the keys at hand: who steals them can destroy no backup. */
import { BackupError } from '../base/errors';
import type { Storage } from './storage';

/** @throws BackupError 'access-denied' where nothing can be removed */
export function assertRemovable({ location, appendOnly }: Pick<Storage, 'location' | 'appendOnly'>): void {
	if (!appendOnly) return;
	throw new BackupError('access-denied', `nothing can be removed from ${location}: its keys are set to add only`, {
		hint: 'Retention and tidying up belong on another machine, with keys that may delete, and without "Keys May Not Delete" in its credential.',
	});
}
