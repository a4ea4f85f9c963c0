/** What an item says of itself in its first column: the verdict, as a sentence that needs no other column. */
import { counted } from '../../core/base/counted';
import { sizeText } from '../../core/base/size-text';
import type { Comparison } from '../../core/sources/source';

/** "12 tables, 20,000 rows", or "1,234 files of 56 MB" */
export function comparisonText({ figures: { tables = 0, rows = 0, files, bytes = 0 } }: Comparison): string {
	if (files !== undefined) return `${counted(files, 'file')} of ${sizeText(bytes)}`;
	return `${counted(tables, 'table')}, ${counted(rows, 'row')}`;
}

/** For people, who need no more: 1.2345 seconds are 1.23. */
export function rounded(seconds: number): number {
	return Math.round(seconds * 100) / 100;
}
