/** What is about to be written, held against the schema by which it will be read. */
import type { z } from 'zod';
import { BackupError } from './errors';

/**
 * Refuses what nobody could read again.
 * @param what for the message: "a record of a request"
 * @throws BackupError 'invalid-input'
 */
export function assertFits(schema: z.ZodTypeAny, value: unknown, what: string): void {
	const { error } = schema.safeParse(value);
	if (error === undefined) return;
	const { path, message } = error.issues[0]!;
	const member = path.length === 0 ? '' : ` (${path.join('.')})`;
	throw new BackupError('invalid-input', `${what} could not be read again: ${message}${member}`, {
		hint: 'It holds more than fits, or what has no place in it. It was not written.',
		cause: error,
	});
}
