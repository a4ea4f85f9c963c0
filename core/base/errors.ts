/**
 * The one error type of the engine: a code for programs, a message for people, a hint for the next step, a cause for us.
 * Messages are lower case without a full stop; hints are sentences. Neither ever holds a secret.
 */

/** What went wrong, as programs act on it. One word per situation that calls for a different reaction. */
export type ErrorCode =
	// storage
	| 'not-found' // the object does not exist
	| 'bucket-not-found' // the bucket or the base folder does not exist
	| 'already-exists' // something has that name and is never overwritten
	| 'wrong-credentials' // key, secret, user or password not accepted
	| 'access-denied' // known, but not allowed to do this
	| 'storage-full' // no space, or quota reached
	| 'unreachable' // no connection: host, port, DNS, firewall
	| 'untrusted-certificate' // TLS works, but nobody we trust vouches for the server
	| 'connection-lost' // was connected, the other side went away
	| 'protected' // a lock in the storage keeps it until its time has come (details.until)
	| 'storage-failed' // any other refusal of a storage
	// time and will
	| 'stalled' // connected, but nothing moved for too long
	| 'timed-out' // moved, but not done within the hard limit
	| 'cancelled' // somebody asked to stop
	| 'locked' // another run writes to this group
	| 'another-server' // the group holds backups of another one
	// data
	| 'damaged' // bytes are not what was written
	| 'bad-signature' // not of this text, or made for another purpose
	| 'incomplete' // a producer stopped before its end
	| 'wrong-identity' // encrypted to somebody else, or wrong passphrase
	| 'invalid-manifest' // a manifest that does not follow the format
	| 'unsigned' // signers are named, and nobody signed it
	| 'unknown-signer' // well signed, by nobody who is named, or at a time when he was not
	| 'newer-format' // written by a later version of this program
	| 'different' // restored, and not what was backed up
	| 'assertion-failed' // restored, and not what the user said it must be
	// PostgreSQL
	| 'database-not-found'
	| 'missing-requirements' // the server lacks roles, extensions or rights that a restore needs; nothing was written
	| 'server-too-new' // newer than every available pg_dump
	| 'engine-not-found' // no pg_dump or pg_restore where one is needed
	| 'lock-timeout' // a table was locked by somebody else for too long
	| 'source-missing' // what is to be backed up is not there, or is empty where it was not
	| 'broken-log' // the server's write-ahead log cannot be joined to the one that is stored
	| 'source-changing' // what was to be dumped was made, dropped or replaced while the dump began
	| 'dump-failed' // pg_dump ended with an error
	| 'restore-failed' // the server refused a statement of a dump
	| 'refused-statement' // we did: the dump says something that nobody has allowed it (details.allowance)
	// use
	| 'invalid-input' // a parameter cannot be used as it is
	| 'unsupported'; // understood, but not possible here

export interface BackupErrorOptions {
	/** What to do next, as a sentence for the user. */
	hint?: string;
	/** The error below this one. Must not be shown to users: it may hold anything. */
	cause?: unknown;
	/** Further facts for programs and items, without secrets. */
	details?: Record<string, string | number | boolean | string[]>;
}

/** @example throw new BackupError('access-denied', 'cannot write to s3://backups/crm', { hint: 'Allow s3:PutObject.' }) */
export class BackupError extends Error {
	override readonly name = 'BackupError';
	readonly hint?: string;
	readonly details?: BackupErrorOptions['details'];

	constructor(
		readonly code: ErrorCode,
		message: string,
		options: BackupErrorOptions = {},
	) {
		super(message, options.cause === undefined ? undefined : { cause: options.cause });
		this.hint = options.hint;
		this.details = options.details;
	}

	/** The same error with more to do. @param more a sentence, put behind the hint it has */
	withHint(more: string): BackupError {
		const { code, message, hint, details, cause } = this;
		return new BackupError(code, message, { hint: hint ? `${hint} ${more}` : more, details, cause });
	}
}

/** Whether an unknown error is a BackupError with one of the given codes (any code, when none is given). */
export function isBackupError(error: unknown, ...codes: ErrorCode[]): error is BackupError {
	return error instanceof BackupError && (codes.length === 0 || codes.includes(error.code));
}

/**
 * An error that says what it is about: whoever failed may not know it, as a filter that sees only bytes.
 * What somebody stopped needs no object: he knows.
 * @param object e.g. "postgres/shop/20261120T020000Z-full-k7xm"; put before the message unless it is in there
 */
export function about(object: string, error: unknown): unknown {
	if (!isBackupError(error) || error.code === 'cancelled' || error.message.includes(object)) return error;
	const { code, message, hint, details } = error;
	return new BackupError(code, `${object}: ${message}`, { hint, details, cause: error });
}

/** Does something about an object, whose name is in every error of ours that it throws, as {@link about} puts it there. */
export function naming<T>(object: string, work: () => T): T {
	try {
		return work();
	} catch (error) {
		throw about(object, error);
	}
}

/**
 * What to throw after tidying up: the error, which also says so where that failed. It never takes the error's place.
 * @param left says for people what stays behind, and why
 */
export async function afterTidying(
	error: unknown,
	tidy: () => Promise<void>,
	left = (why: string) => `What was stored of it could not be removed: ${why}.`,
): Promise<unknown> {
	try {
		await tidy();
		return error;
	} catch (failure) {
		return isBackupError(error) ? error.withHint(left(messageOf(failure))) : error;
	}
}

/** Turns an AbortSignal's reason into the error to throw: the reason itself if it is ours, else 'cancelled'. */
export function abortError(signal: AbortSignal): BackupError {
	return isBackupError(signal.reason)
		? signal.reason
		: new BackupError('cancelled', 'stopped because it was cancelled', { cause: signal.reason });
}

/** The text of anything thrown, for messages that quote it. */
export function messageOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}

/** Of a storage and not of one backup or group. */
const OF_THE_STORAGE: readonly ErrorCode[] = [
	'bucket-not-found',
	'wrong-credentials',
	'access-denied',
	'storage-full',
	'unreachable',
	'untrusted-certificate',
	'connection-lost',
	'storage-failed',
	'stalled',
	'unsupported',
];

/** Whether a failure is that of a storage: whatever is tried next there would fail of it as well. */
export function isOfStorage(code: ErrorCode): boolean {
	return OF_THE_STORAGE.includes(code);
}
