/** What a verification failed of: the backup, proved; or something around it. */
import { BackupError, type BackupErrorOptions, type ErrorCode } from '../../base/errors';

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
/** Server out of resources, stopped, or broken (SQLSTATE classes; PostgreSQL manual, appendix A). */
const OF_THE_SERVER = /^(?:53|57|58|XX)/;

/** Whether a failure while a backup was read or restored calls for a second look at the backup itself. */
export function isSuspicious(error: unknown): error is BackupError {
	if (!(error instanceof BackupError) || !SUSPICIOUS.includes(error.code)) return false;
	const sqlState = error.details?.sqlState;
	return !(typeof sqlState === 'string' && OF_THE_SERVER.test(sqlState));
}

/** The bytes are as they were dumped, and a server refuses them for a reason of the data. */
export function isRefusalOfData({ code, details }: BackupError): boolean {
	return code === 'restore-failed' && details?.environment === false;
}

/** What a refused statement may say where everybody can read it. */
export function refusalWithoutNames(details: BackupErrorOptions['details']): string {
	const { sqlState = 'unknown', line = 'unknown' } = details ?? {};
	return `the server refused a statement (SQLSTATE ${String(sqlState)}) at line ${String(line)} of the dump`;
}
