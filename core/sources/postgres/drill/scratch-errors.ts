/** Errors of a scratch server, as errors of ours. */
import { BackupError } from '../../../base/errors';
import { toBackupError } from '../connection/errors';
import { sqlStateOf } from '../connection/sql-state';
import type { DatabaseTarget } from '../connection/target';

/** An error of the scratch server itself: never one of the backup. */
export function scratchError(error: unknown, target: DatabaseTarget): BackupError {
	const refused = toBackupError(error, target, 'restore-failed');
	const { message } = refused;
	const sqlState = sqlStateOf(error);
	if (sqlState === '53100') {
		return new BackupError('storage-full', message, {
			hint: 'The scratch server’s disk is full: free some space, or use another server.',
			cause: error,
		});
	}
	if (sqlState === '42501') {
		return new BackupError('access-denied', message, {
			hint: `Give user "${target.user}" of the scratch server the right to create databases (ALTER ROLE … CREATEDB).`,
			cause: error,
		});
	}
	return refused;
}
