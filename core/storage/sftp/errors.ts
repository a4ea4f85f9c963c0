/** What an SFTP server's refusals mean for a storage. Codes: draft-ietf-secsh-filexfer-02, section 7. */
import { abortError, BackupError, isBackupError, messageOf } from '../../base/errors';

export const END_OF_FILE = 1;
const NO_SUCH_FILE = 2;
const PERMISSION_DENIED = 3;
const NO_CONNECTION = 6;
const CONNECTION_LOST = 7;
const OP_UNSUPPORTED = 8;

/** The status code of a server's answer; undefined for anything else. */
export function statusOf(error: unknown): number | undefined {
	const code = (error as { code?: unknown } | null)?.code;
	return typeof code === 'number' ? code : undefined;
}

export function isMissing(error: unknown): boolean {
	return statusOf(error) === NO_SUCH_FILE;
}

export function isUnsupported(error: unknown): boolean {
	return statusOf(error) === OP_UNSUPPORTED || /does not support this extended request/i.test(messageOf(error));
}

/**
 * @param action what was tried, e.g. "cannot write sftp://host/backups/a"
 * @returns errors that are ours already as they are
 */
export function sftpError(action: string, error: unknown, signal?: AbortSignal): BackupError {
	if (signal?.aborted) return toBackupError(abortError(signal), action);
	if (isBackupError(error)) return error;
	return toBackupError(error, action);
}

function toBackupError(error: unknown, action: string): BackupError {
	if (isBackupError(error)) return error;
	switch (statusOf(error)) {
		case NO_SUCH_FILE:
			return new BackupError('not-found', `${action}: it is not there`, { cause: error });
		case PERMISSION_DENIED:
			return new BackupError('access-denied', `${action}: access denied`, {
				hint: 'Give the SSH user read and write access to the folder.',
				cause: error,
			});
		case NO_CONNECTION:
		case CONNECTION_LOST:
			return lost(action, error);
		case undefined:
			return lost(action, error);
		default:
			return new BackupError('storage-failed', `${action}: ${messageOf(error) || 'the server refused it'}`, {
				hint: 'The log of the SSH server may say more.',
				cause: error,
			});
	}
}

function lost(action: string, error: unknown): BackupError {
	return new BackupError('connection-lost', `${action}: the connection was lost`, {
		hint: 'Look at the network and at the log of the SSH server.',
		cause: error,
	});
}
