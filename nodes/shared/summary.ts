/** What an item says of itself in its first column: the verdict, as a sentence that needs no other column. */
import type { Comparison } from '../../core/sources/source';

/** "12 tables, 20,000 rows" */
export function comparedText({ figures: { tables = 0, rows = 0 } }: Comparison): string {
	return `${counted(tables, 'table')}, ${counted(rows, 'row')}`;
}

/** "1 table", "20,000 rows" */
export function counted(count: number, what: string): string {
	return `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`;
}

/** For people, who need no more: 1.2345 seconds are 1.23. */
export function rounded(seconds: number): number {
	return Math.round(seconds * 100) / 100;
}
