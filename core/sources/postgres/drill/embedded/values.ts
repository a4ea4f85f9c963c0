/** Values of a query in the embedded database, as `pg` would take and give them. */
import { types } from 'pg';
import { BackupError } from '../../../../base/errors';
import type { DatabaseAnswer } from './messages.ts';

/**
 * A value for a statement, in text form.
 * @throws BackupError 'invalid-input' for anything else than texts, numbers, booleans, null, and lists of these
 */
export function toPostgresText(value: unknown): string | null {
	switch (typeof value) {
		case 'string':
			return value;
		case 'number':
		case 'bigint':
		case 'boolean':
			return String(value);
		case 'undefined':
			return null;
		case 'object':
			if (value === null) return null;
			if (Array.isArray(value)) return `{${value.map(toElement).join(',')}}`;
	}
	throw new BackupError('invalid-input', 'a value of a query must be a text, a number, true, false, null or a list');
}

/** As an element of an array (PostgreSQL manual, "Array Input and Output Syntax"). */
function toElement(value: unknown): string {
	const text = toPostgresText(value);
	if (text === null || Array.isArray(value)) return text ?? 'NULL';
	return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** The rows with their values parsed, as `pg` does by default: a bigint is a string, a boolean is one. */
export function toRows<Row extends object>({ columns, rows }: DatabaseAnswer): Row[] {
	const parsers = columns.map(({ type }) => types.getTypeParser(type, 'text') as (text: string) => unknown);
	return rows.map(
		(row) =>
			Object.fromEntries(
				columns.map(({ name }, index) => {
					const text = row[index] ?? null;
					return [name, text === null ? null : parsers[index]!(text)];
				}),
			) as Row,
	);
}
