import type { ErrorCode } from '../../base/errors.ts';

/**
 * An error of code that runs in worker threads as well, where `BackupError` cannot be loaded: Node runs the sources there as they are
 * in tests, and takes no parameter properties. Whoever started the work makes a `BackupError` of it (see `faults.ts`).
 */
export class Fault extends Error {
	override readonly name = 'Fault';
	readonly code: ErrorCode;
	readonly hint: string | undefined;

	/**
	 * @param message lower case, without a full stop
	 * @param hint what to do next, as a sentence
	 */
	constructor(code: ErrorCode, message: string, hint?: string) {
		super(message);
		this.code = code;
		this.hint = hint;
	}
}
