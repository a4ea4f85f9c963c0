/** From what went wrong in a worker thread to the error that is told. */
import { BackupError } from '../../base/errors';

/** What a worker thread says of its failure. */
export interface ToldFault {
	code: ConstructorParameters<typeof BackupError>[0];
	message: string;
	hint?: string;
}

/** The error that people get. */
export function toError({ code, message, hint }: ToldFault): BackupError {
	return new BackupError(code, message, { hint });
}
