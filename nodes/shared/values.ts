/** What a field must hold before anything starts. */
import { BackupError } from '../../core/base/errors';

/**
 * @param field as the user sees it
 * @param instead what else would do, as a sentence
 * @throws BackupError 'invalid-input' when the value is empty
 */
export function filled(field: string, value: string, instead?: string): string {
	if (value !== '') return value;
	const hint = [`Fill in "${field}".`, ...(instead ? [instead] : [])].join(' ');
	throw new BackupError('invalid-input', `"${field}" is empty`, { hint });
}

/** For a list of options whose expression gives something else. */
export function unknownOption(field: string, value: unknown): BackupError {
	return new BackupError('invalid-input', `invalid value for "${field}": ${String(value)}`, {
		hint: 'Choose one of the field’s options, or let the expression give the value of one.',
	});
}

/**
 * @param field as the user sees it
 * @throws BackupError 'invalid-input' for anything but a number greater than 0
 */
export function positive(field: string, value: unknown): number {
	if (typeof value === 'number' && value > 0) return value;
	throw new BackupError('invalid-input', `invalid value for "${field}": ${String(value)}`, {
		hint: 'Enter a number greater than 0.',
	});
}

/**
 * @param field as the user sees it
 * @throws BackupError 'invalid-input' for anything but 0 or a number greater than it
 */
export function notNegative(field: string, value: unknown): number {
	return value === 0 ? value : positive(field, value);
}

/**
 * @param field as the user sees it
 * @throws BackupError 'invalid-input' for anything but a whole number in this range
 */
export function wholeNumber(field: string, value: unknown, min: number, max: number): number {
	if (Number.isInteger(value) && Number(value) >= min && Number(value) <= max) return Number(value);
	throw new BackupError('invalid-input', `invalid value for "${field}": ${String(value)}`, {
		hint: `Enter a whole number from ${min} to ${max}.`,
	});
}

/** A list, or one entry per line; without empty ones. */
export function linesOf(value: unknown): string[] {
	const lines: unknown[] = Array.isArray(value) ? value : typeof value === 'string' ? value.split(/\r?\n/) : [];
	return lines.map((line) => String(line).trim()).filter((line) => line !== '');
}

/** A text without spaces around it; an expression may give a number. */
export function textOf(value: unknown): string {
	return typeof value === 'number' ? String(value) : typeof value === 'string' ? value.trim() : '';
}
