/** How the server shall keep new objects: with which encryption of its own, and in which storage class. */
import { BackupError } from '../../base/errors';

export interface AtRest {
	/** Asks the server to encrypt objects with its own keys. */
	serverSideEncryption?: 'AES256' | 'aws:kms';
	/** For `aws:kms`: id, alias or ARN of the key. @default the provider's own for S3 */
	kmsKey?: string;
	/** Of objects of {@link SMALLEST_IN_CLASS} and more. @default what the server takes by itself */
	storageClass?: string;
}

/**
 * Bytes from which on an object is put into a storage class. Amazon S3 bills smaller ones as if they had so many in its classes for rare
 * access, and for 30 days, however soon they go ("Amazon S3 storage classes"); and locks, heartbeats and manifests are small.
 */
export const SMALLEST_IN_CLASS = 128 * 1024;

/** Classes whose objects cannot be read before somebody had them restored, which takes from minutes to two days. */
const COLD = ['GLACIER', 'DEEP_ARCHIVE'];

/**
 * The headers for every new object that ask for the encryption.
 * @throws BackupError 'invalid-input' for what cannot work
 */
export function encryptionHeaders({ serverSideEncryption, kmsKey }: AtRest): Record<string, string> {
	if (kmsKey !== undefined && serverSideEncryption !== 'aws:kms') {
		throw invalid('a KMS key is given, and not the encryption with it', 'Choose SSE-KMS, or leave the key empty.');
	}
	if (kmsKey !== undefined && !/^[\x21-\x7e]{1,2048}$/.test(kmsKey)) {
		throw invalid('the KMS key cannot be used', 'Enter its ID, its alias (alias/…) or its ARN (arn:aws:kms:…).');
	}
	return {
		...(serverSideEncryption && { 'x-amz-server-side-encryption': serverSideEncryption }),
		...(kmsKey !== undefined && { 'x-amz-server-side-encryption-aws-kms-key-id': kmsKey }),
	};
}

/** @throws BackupError 'invalid-input' for a class from which nothing can be read */
export function assertStorageClass(storageClass: string | undefined): void {
	if (storageClass === undefined) return;
	if (!/^[A-Za-z0-9_-]{1,64}$/.test(storageClass)) {
		throw invalid(
			'the storage class cannot be used',
			'Enter its name as the provider has it, for example STANDARD_IA.',
		);
	}
	if (!COLD.includes(storageClass.toUpperCase())) return;
	throw invalid(
		`the storage class ${storageClass} is too cold: nothing can be read from it right away`,
		'What is stored is read back at once, and again by verifications, restores and the backups that build on it. GLACIER_IR costs little more and can be read.',
	);
}

/** @param size of the object, bytes */
export function classHeaders(storageClass: string | undefined, size: number): Record<string, string> {
	return storageClass !== undefined && size >= SMALLEST_IN_CLASS ? { 'x-amz-storage-class': storageClass } : {};
}

function invalid(message: string, hint: string): BackupError {
	return new BackupError('invalid-input', message, { hint });
}
