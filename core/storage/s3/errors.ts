/**
 * What a refusal of an S3 server, of the network or of TLS means for a storage. The codes are those of the S3 API
 * reference ("Error responses") and of MinIO, Ceph and R2 where they have their own. Programs act on codes: Ceph's
 * messages are empty.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { BackupError, isBackupError, type ErrorCode } from '../../base/errors';
import { word } from './text';

/** An answer of an S3 server that is not 2xx, as far as it says why. */
export class S3Refusal extends Error {
	override readonly name = 'S3Refusal';

	constructor(
		/** HTTP status. */
		readonly status: number,
		/** The error code of S3; for answers without a body the closest there is. */
		readonly code: string,
		/** The region that the server names as the right one. */
		readonly region?: string,
		/** A delete marker hides the object: the bucket still has what was there before. */
		readonly isHidden = false,
	) {
		super(`${status} ${code}`);
	}
}

/** Reads an error answer. @param body its text, empty for HEAD requests */
export function refusalOf(status: number, body: string, headers: IncomingHttpHeaders = {}): S3Refusal {
	const { 'x-amz-bucket-region': regionHeader, 'x-amz-delete-marker': marker } = headers;
	const region = word(body, 'Region') ?? (typeof regionHeader === 'string' ? regionHeader : undefined);
	const code = word(body, 'Code') ?? CODE_OF_STATUS[status] ?? `HTTP ${status}`;
	return new S3Refusal(status, code, region, marker === 'true');
}

const CODE_OF_STATUS: Record<number, string> = {
	301: 'PermanentRedirect',
	307: 'TemporaryRedirect',
	403: 'AccessDenied',
	404: 'NotFound',
	412: 'PreconditionFailed',
	416: 'InvalidRange',
	501: 'NotImplemented',
	507: 'StorageFull',
};

interface Meaning {
	code: ErrorCode;
	text: string;
	hint?: string;
	transient?: boolean;
}

const WRONG_TOKEN: Meaning = {
	code: 'wrong-credentials',
	text: 'the session token is not accepted',
	hint: 'The temporary keys have expired or do not belong together. Get new ones.',
};
const FULL: Meaning = {
	code: 'storage-full',
	text: 'no space left, or quota reached',
	hint: 'Remove old backups, or raise the quota of the bucket or user.',
};
const WRONG_REGION: Meaning = {
	code: 'invalid-input',
	text: 'the bucket lies in another region',
	hint: 'Set the region to the one of the bucket, and the endpoint to that region’s.',
};
const SEE_LOG = 'The log of the S3 server may say more. If it goes on, ask whoever runs it.';
const BUSY: Meaning = {
	code: 'storage-failed',
	text: 'the server is too busy',
	hint: 'Run fewer backups at once, or at another time.',
	transient: true,
};
const DENIED: Meaning = {
	code: 'access-denied',
	text: 'access denied',
	hint: 'Allow the key s3:ListBucket and s3:ListBucketMultipartUploads on the bucket, and s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload below the prefix.',
};

/** KMS names its own errors: KMS.NotFoundException, KMS.DisabledException, … */
const KEY: Meaning = {
	code: 'access-denied',
	text: 'the KMS key cannot be used',
	hint: 'Check that the key is there, in the region of the bucket, enabled, and that these keys may use it: kms:GenerateDataKey to write, kms:Decrypt to read.',
};

const MEANINGS: Record<string, Meaning> = {
	InvalidAccessKeyId: {
		code: 'wrong-credentials',
		text: 'the access key is not known',
		hint: 'Check the access key ID, and that it belongs to this server.',
	},
	SignatureDoesNotMatch: {
		code: 'wrong-credentials',
		text: 'the secret key is wrong',
		hint: 'Check the secret access key: it does not belong to this access key ID.',
	},
	InvalidToken: WRONG_TOKEN,
	ExpiredToken: WRONG_TOKEN,
	RequestTimeTooSkewed: {
		code: 'storage-failed',
		text: 'this machine’s clock and the server’s differ too much',
		hint: 'Set both clocks by NTP: S3 refuses requests that are more than 15 minutes off.',
	},
	AccessDenied: DENIED,
	AllAccessDisabled: DENIED,
	NoSuchBucket: {
		code: 'bucket-not-found',
		text: 'the bucket does not exist',
		hint: 'Check the bucket’s name, the endpoint and the region. Buckets are not created by themselves.',
	},
	NoSuchKey: { code: 'not-found', text: 'it does not exist' },
	NoSuchVersion: { code: 'not-found', text: 'it does not exist' },
	NotFound: { code: 'not-found', text: 'it does not exist' },
	PreconditionFailed: { code: 'already-exists', text: 'it already exists' },
	MethodNotAllowed: { code: 'unsupported', text: 'the server lacks a function', hint: SEE_LOG },
	NotImplemented: {
		code: 'unsupported',
		text: 'the server lacks a function',
		hint: 'Check what of this storage’s settings the server has to know, such as server-side encryption or locks on objects.',
	},
	InvalidObjectState: {
		code: 'unsupported',
		text: 'it lies in a cold storage class, from which nothing can be read right away',
		hint: 'Have it restored from there first, for example by `aws s3api restore-object --bucket BUCKET --key KEY --restore-request Days=7`, and try again when that is done: it takes from minutes to two days.',
	},
	InvalidStorageClass: {
		code: 'invalid-input',
		text: 'the server does not know the storage class',
		hint: 'Enter a storage class that the provider has for this bucket, or none.',
	},
	QuotaExceeded: FULL,
	ServiceQuotaExceededException: FULL,
	StorageFull: FULL,
	InsufficientCapacity: FULL,
	XMinioStorageFull: FULL,
	XMinioAdminBucketQuotaExceeded: FULL,
	AuthorizationHeaderMalformed: WRONG_REGION,
	PermanentRedirect: WRONG_REGION,
	TemporaryRedirect: WRONG_REGION,
	IllegalLocationConstraintException: WRONG_REGION,
	SlowDown: BUSY,
	SlowDownRead: BUSY,
	SlowDownWrite: BUSY,
	ServiceUnavailable: BUSY,
	TooManyRequests: BUSY,
	RequestTimeout: BUSY,
	OperationAborted: BUSY,
	ConditionalRequestConflict: BUSY,
};

/** Node.js system, TLS and stream errors. */
const UNREACHABLE =
	/^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EAI_FAIL|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|ETIMEDOUT)$/;
const LOST = /^(ECONNRESET|ECONNABORTED|EPIPE|ERR_STREAM_PREMATURE_CLOSE|ERR_STREAM_DESTROYED|HPE_\w+)$/;
const UNTRUSTED = /CERT|ERR_TLS_|UNABLE_TO_|HOSTNAME_MISMATCH|CRL/;

/**
 * @param action what was tried, e.g. "cannot write s3://backups/a"
 * @returns errors that are ours already as they are
 */
export function s3Error(action: string, error: unknown): BackupError {
	if (isBackupError(error)) return error;
	if (error instanceof S3Refusal) return fromRefusal(action, error);
	const code = String((error as NodeJS.ErrnoException | null)?.code ?? '');
	if (UNREACHABLE.test(code)) {
		return new BackupError('unreachable', `${action}: no connection (${code})`, {
			hint: 'Check the endpoint’s host and port, DNS and firewall, and that the server runs.',
			cause: error,
		});
	}
	if (LOST.test(code)) {
		return new BackupError('connection-lost', `${action}: the connection broke (${code})`, {
			hint: 'The server or something in between closed the connection. If it happens at once, check http:// against https://.',
			cause: error,
		});
	}
	if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) {
		return new BackupError('unreachable', `${action}: the server does not speak TLS as expected (${code})`, {
			hint: 'Check http:// against https:// in the endpoint.',
			cause: error,
			details: { transient: false },
		});
	}
	if (UNTRUSTED.test(code)) {
		return new BackupError('untrusted-certificate', `${action}: the server’s certificate is not trusted (${code})`, {
			hint: 'Give the certificate authority (PEM) that signed it, and use the host name that the certificate is for.',
			cause: error,
		});
	}
	return new BackupError('storage-failed', `${action}: the request failed`, { hint: SEE_LOG, cause: error });
}

function fromRefusal(action: string, refusal: S3Refusal): BackupError {
	const { code, status, region, isHidden } = refusal;
	const meaning = MEANINGS[code] ?? (code.startsWith('KMS.') ? KEY : meaningOfStatus(status));
	const isRegion = meaning === WRONG_REGION && region;
	if (isHidden && meaning.code === 'not-found') {
		return new BackupError('not-found', `${action}: it was deleted, and the bucket still has what was there before`, {
			hint: 'Remove its delete marker to have it back: docs/append-only.md says how.',
			cause: refusal,
			details: { s3Code: code, status },
		});
	}
	return new BackupError(meaning.code, `${action}: ${meaning.text} (${code})`, {
		hint: isRegion ? `Set the region to ${region}.` : meaning.hint,
		cause: refusal,
		details: { s3Code: code, status, ...(meaning.transient ? { transient: true } : {}) },
	});
}

function meaningOfStatus(status: number): Meaning {
	if (status === 403) return DENIED;
	const transient = status === 408 || status === 429 || status >= 500;
	return {
		code: 'storage-failed',
		text: transient ? 'the server failed' : 'the server refused',
		hint: SEE_LOG,
		transient,
	};
}
