/** Which tables a restore of a part means. */
import { BackupError } from '../errors';
import type { Only } from './rewrite';

export type { Only } from './rewrite';

/** One part of a name in SQL: quoted, with quotes inside doubled, or anything without a dot. */
const PART = '"(?:[^"]|"")+"|[^".][^.]*';
const NAME = new RegExp(`^(?:(${PART})\\.)?(${PART})$`, 's');

/**
 * A table as {@link Only} names it.
 * @throws BackupError 'invalid-input'
 */
export function parseTableName(text: string): { schema: string; name: string } {
	const [, schema, name] = NAME.exec(text) ?? [];
	if (name === undefined) {
		throw new BackupError('invalid-input', `"${text}" is not the name of a table`, {
			hint: 'Write schema.table, or "sch.ema"."ta.ble" where a name has a dot.',
		});
	}
	return { schema: schema === undefined ? 'public' : unquote(schema), name: unquote(name) };
}

/** Whether nothing is left out. */
export function isEverything(only: Only | undefined): boolean {
	return !only?.schemas?.length && !only?.tables?.length;
}

/** Whether a table is restored: it is named, or its schema is, or nothing is. */
export function selects(only: Only | undefined, table: { schema: string; name: string }): boolean {
	if (isEverything(only)) return true;
	return (
		only!.schemas?.includes(table.schema) === true ||
		only!.tables?.some((text) => {
			const wanted = parseTableName(text);
			return wanted.schema === table.schema && wanted.name === table.name;
		}) === true
	);
}

function unquote(part: string): string {
	return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
}
