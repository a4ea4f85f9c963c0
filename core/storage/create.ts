/** From settings to a ready storage. Settings are plain data: n8n's credential and the command line make the same. */
import { BackupError } from '../base/errors';
import type { RetryPolicy } from '../base/retry';
import { StorageConfig } from './config';
import { FolderStorage } from './folder/folder';
import { RetryingStorage } from './retrying';
import { S3Storage } from './s3/s3';
import { SftpStorage } from './sftp/sftp';
import type { Storage } from './storage';
import { parseStorageUrl } from './url';

/**
 * A storage that tries again what fails for a passing reason. It connects with its first operation.
 * @throws BackupError 'invalid-input'
 */
export function createStorage(config: StorageConfig, policy?: RetryPolicy): Storage {
	return new RetryingStorage(createPlain(config), policy);
}

/**
 * The storage that a URL names, see {@link parseStorageUrl}.
 * @throws BackupError 'invalid-input'
 */
export function openStorage(url: string, env: NodeJS.ProcessEnv, policy?: RetryPolicy): Storage {
	return createStorage(parseStorageUrl(url, env), policy);
}

function createPlain(config: StorageConfig): Storage {
	switch (config.type) {
		case 'folder':
			if (config.path) return new FolderStorage(config);
			throw new BackupError('invalid-input', 'the storage has no folder', { hint: 'Enter the path of the folder.' });
		case 's3':
			if (config.fromRole || (config.accessKey && config.secretKey)) return new S3Storage(config);
			throw new BackupError('invalid-input', `the keys for the bucket ${config.bucket} are missing`, {
				hint: 'Give both the access key ID and the secret access key.',
			});
		case 'sftp':
			if (config.password || config.privateKey) return new SftpStorage(config);
			throw new BackupError('invalid-input', `the SFTP server ${config.host} has neither a password nor a key`, {
				hint: 'Give the password of the SSH user, or a private key.',
			});
	}
}
