/** Which tables a restore of a part means. */
import type { Only } from './rewrite';
import { parseRelation } from './rewrite-names';

export type { Only } from './rewrite';

/** Whether nothing is left out. */
export function isEverything(only: Only | undefined): boolean {
	return !only?.schemas?.length && !only?.tables?.length;
}

/** @throws BackupError 'invalid-input' for what is not the name of a table */
export function assertOnly(only: Only | undefined): void {
	for (const table of only?.tables ?? []) parseRelation(table);
}

/** Whether a table is restored: it is named, or its schema is, or nothing is. */
export function selects(only: Only | undefined, table: { schema: string; name: string }): boolean {
	if (isEverything(only)) return true;
	return (
		only!.schemas?.includes(table.schema) === true ||
		only!.tables?.some((text) => {
			const wanted = parseRelation(text);
			return wanted.schema === table.schema && wanted.name === table.name;
		}) === true
	);
}
