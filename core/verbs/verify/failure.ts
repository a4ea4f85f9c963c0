/** What a verification failed of: the backup, proved; or something around it. */
import { BackupError, type ErrorCode } from '../../base/errors';
import type { SourceKind } from '../../sources/source';

/** Thrown only with a proof in hand. Whatever else is thrown says nothing about the backup. */
export class BadBackup extends Error {
	override readonly name = 'BadBackup';
	readonly hint: string | null;
	/** The same without a name of a table, column or question: evidence is not encrypted. */
	readonly withoutNames: string;

	constructor(
		readonly code: ErrorCode,
		message: string,
		options: { hint?: string | null; withoutNames?: string; cause?: unknown } = {},
	) {
		super(message, { cause: options.cause });
		this.hint = options.hint ?? null;
		this.withoutNames = options.withoutNames ?? message;
	}
}

export const USE_ANOTHER = 'Use another backup, and find out what changed this one: a disk, a copy, or a person.';

/** Codes of failures that may be the data's fault. All others are of the network, the storage or the server. */
const SUSPICIOUS: readonly ErrorCode[] = [
	'damaged',
	'incomplete',
	'not-found',
	'wrong-identity',
	'newer-format',
	'unsupported',
	'invalid-input',
	'restore-failed',
	'refused-statement',
];
/** Whether a failure while a backup was read or restored calls for a second look at the backup itself. */
export function isSuspicious(kind: SourceKind, error: unknown): error is BackupError {
	if (!(error instanceof BackupError)) return false;
	const fault = kind.classify(error);
	return fault === 'backup' || (fault === 'unknown' && SUSPICIOUS.includes(error.code));
}
