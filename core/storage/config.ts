/** Where a storage is: plain data, from a URL of the command line or a credential of n8n. */
import type { FolderOptions } from './folder/folder';
import type { S3Options } from './s3/s3';
import type { SftpOptions } from './sftp/sftp';

/** From the provider of a bucket, and what was typed of its place, to where it is. */
export { placeAt } from './s3/providers';

export type StorageConfig =
	| ({ type: 'folder' } & FolderOptions)
	| ({ type: 's3' } & Omit<S3Options, 'memory'>)
	| ({ type: 'sftp' } & SftpOptions);
