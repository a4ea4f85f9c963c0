/** What an SFTP server's refusals mean for a storage. Codes: draft-ietf-secsh-filexfer-02, section 7. */
import { BackupError, messageOf } from '../../base/errors';

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

export function isNoSuchFile(error: unknown): boolean {
	return statusOf(error) === NO_SUCH_FILE;
}

export function isUnsupported(error: unknown): boolean {
	return statusOf(error) === OP_UNSUPPORTED || /does not support this extended request/i.test(messageOf(error));
}

/**
 * @param action what was tried, e.g. "cannot write sftp://host/backups/a"
 * @returns what has no status of a server as it is
 */
export function sftpError(action: string, error: unknown): unknown {
	switch (statusOf(error)) {
		case undefined:
			return error;
		case NO_SUCH_FILE:
			return new BackupError('not-found', `${action}: it is not there`, { cause: error });
		case PERMISSION_DENIED:
			return new BackupError('access-denied', `${action}: access denied`, {
				hint: 'Give the SSH user read and write access to the folder.',
				cause: error,
			});
		case NO_CONNECTION:
		case CONNECTION_LOST:
			return connectionLost(error, action);
		default:
			return new BackupError('storage-failed', `${action}: ${messageOf(error) || 'the server refused it'}`, {
				hint: 'The log of the SSH server may say more.',
				cause: error,
			});
	}
}

/** What no server has said: the connection ended before its answer. */
export function connectionLost(cause: unknown, action = 'the SFTP server did not answer'): BackupError {
	return new BackupError('connection-lost', `${action}: the connection was lost`, {
		hint: 'Look at the network and at the log of the SSH server.',
		cause,
	});
}
