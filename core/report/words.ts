/** Phrases that several parts of a report share. */
import { counted } from '../base/counted';
import { shortened } from './values';

const NAMES = 3;
const NAME_LENGTH = 60;

/** "a, b, c and 47 more": each name once. */
export function namesText(names: readonly string[]): string {
	const different = [...new Set(names)];
	const shown = different.slice(0, NAMES).map((name) => shortened(name, NAME_LENGTH));
	const more = different.length - shown.length;
	return more > 0 ? `${shown.join(', ')} and ${more.toLocaleString('en')} more` : shown.join(', ');
}

/** The names where they are few, and how many there are otherwise: "shop, crm"; "50 databases". */
export function namesOrCount(names: readonly string[], what: string): string {
	const different = new Set(names);
	return different.size <= NAMES ? namesText(names) : counted(different.size, what);
}

/** "1.2 s" */
export function secondsText(seconds: number | null): string {
	return `${(seconds ?? 0).toFixed(1)} s`;
}

/** A hint in a line of its own; nothing where there is none. */
export function hintBelow(hint: string, indent = '  '): string {
	return hint === '' ? '' : `\n${indent}${hint}`;
}

/** What was compared after a restore, by kind: files or objects where the items say so, else a database. */
export interface Compared {
	tables: number;
	rows: number;
	files: number | null;
	objects: number | null;
}

/** What was the same after a restore: "3 tables and 20 rows", "1234 files", "1 object". */
export function comparedText({ tables, rows, files, objects }: Compared): string {
	if (objects !== null) return counted(objects, 'object');
	return files === null ? `${counted(tables, 'table')} and ${counted(rows, 'row')}` : counted(files, 'file');
}
