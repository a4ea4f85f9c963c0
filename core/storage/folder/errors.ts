/** What a file system's refusals mean for a storage. Codes: errno(3). */
import { BackupError, isBackupError, messageOf, type ErrorCode } from '../../base/errors';

interface Meaning {
	code: ErrorCode;
	text: string;
	hint?: string;
	/** It may go better a moment later. */
	transient?: boolean;
}

const DENIED: Meaning = {
	code: 'access-denied',
	text: 'access denied',
	hint: 'Give the user that runs this program read and write access to the folder.',
};

const REACH = 'Check that the file server runs, and the network between it and this machine.';

const MEANINGS: Record<string, Meaning> = {
	ENOSPC: { code: 'storage-full', text: 'no space left', hint: 'Free space, remove old backups or use a larger disk.' },
	EDQUOT: { code: 'storage-full', text: 'disk quota reached', hint: 'Raise the quota or remove old backups.' },
	EFBIG: {
		code: 'storage-full',
		text: 'file too large',
		hint: 'The file system or a limit of the process (ulimit -f) does not allow files of this size.',
	},
	EACCES: DENIED,
	EPERM: DENIED,
	EROFS: { code: 'access-denied', text: 'read-only file system', hint: 'Mount the folder’s file system read-write.' },
	ENAMETOOLONG: { code: 'invalid-input', text: 'name too long', hint: 'Use a shorter name or a shorter base folder.' },
	EIO: {
		code: 'storage-failed',
		text: 'input/output error',
		hint: 'Look into the log of the system: the disk, or the server behind the mount, failed.',
		transient: true,
	},
	EBUSY: { code: 'storage-failed', text: 'busy', hint: 'Find out what else uses the folder.', transient: true },
	ETIMEDOUT: { code: 'unreachable', text: 'no answer from the file server', hint: REACH },
	EHOSTDOWN: { code: 'unreachable', text: 'the file server is down', hint: REACH },
	ENOTCONN: { code: 'connection-lost', text: 'the file server is gone', hint: 'Mount the folder again.' },
	ESTALE: { code: 'connection-lost', text: 'the file server gave up the folder', hint: 'Mount the folder again.' },
};

/** The errno name of anything thrown, or undefined. */
export function errnoOf(error: unknown): string | undefined {
	const code = (error as NodeJS.ErrnoException | null)?.code;
	return typeof code === 'string' ? code : undefined;
}

/**
 * @param action what was tried, e.g. "cannot write file:///backups/a"
 * @returns errors that are ours already as they are
 */
export function folderError(action: string, error: unknown): BackupError {
	if (isBackupError(error)) return error;
	const errno = errnoOf(error);
	const meaning = errno === undefined ? undefined : MEANINGS[errno];
	if (!meaning) {
		return new BackupError('storage-failed', `${action}: ${errno ?? messageOf(error)}`, {
			hint: 'The log of the system may say more: of a disk, or of the server behind a mount.',
			cause: error,
		});
	}
	return new BackupError(meaning.code, `${action}: ${meaning.text}`, {
		hint: meaning.hint,
		cause: error,
		...(meaning.transient && { details: { transient: true } }),
	});
}
