/** What a full disk means for the embedded database. */
import { BackupError } from '../../../../base/errors';

export function noSpaceLeft(cause: unknown): BackupError {
	return new BackupError('storage-full', 'the embedded database has no space left in the temporary folder', {
		hint: 'Free some space there, name another folder in TMPDIR, or use a scratch database on a server.',
		cause,
	});
}
