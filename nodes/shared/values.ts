/** What a field must hold before anything starts. */
import { BackupError } from '../../core/errors';

/**
 * @param field as the user sees it
 * @throws BackupError 'invalid-input' when the value is empty
 */
export function filled(field: string, value: string): string {
	if (value !== '') return value;
	throw new BackupError('invalid-input', `"${field}" is empty`, { hint: `Fill in "${field}".` });
}

/** For a list of options whose expression gives something else. */
export function unknownOption(field: string, value: unknown): BackupError {
	return new BackupError('invalid-input', `"${field}" is ${String(value)}`, {
		hint: 'Choose one of the field’s options, or let the expression give the value of one.',
	});
}

/**
 * @param field as the user sees it
 * @throws BackupError 'invalid-input' for anything but a number greater than 0
 */
export function positive(field: string, value: unknown): number {
	if (typeof value === 'number' && value > 0) return value;
	throw new BackupError('invalid-input', `"${field}" is ${String(value)}`, { hint: 'Enter a number greater than 0.' });
}
