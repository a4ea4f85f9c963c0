/**
 * Settings that have a say in what the text of a dump means, and that pg_dump neither sets nor writes down. Databases and
 * roles can have their own; with others than the dump was written with, rows come back as something else without a word.
 * What needs none: dates, times, intervals, numbers and bytea have a form that is read alike whatever is set.
 */
import type { DatabaseFacts } from './contents';

/**
 * In which values of type `money` are written: every server has it, whatever its system, while other locales may put the
 * same digits for a hundred times as much.
 */
export const MONEY_LOCALE = 'C' as const;

/** Of whoever reads a dump, of whatever version. */
const READING = {
	// Otherwise an element NULL of an array is the text "NULL".
	array_nulls: 'on',
	// Otherwise definitions change on their way.
	transform_null_equals: 'off',
	// Otherwise the database refuses to be filled.
	default_transaction_read_only: 'off',
};

/** For a plain dump, which says so itself: who restores by hand need not know. */
export const READING_SQL = Object.entries({ lc_monetary: MONEY_LOCALE, ...READING })
	.map(([name, value]) => `\nSET ${name} = '${value}';`)
	.join('');

/** For libpq, where the dump cannot say it: of custom format. */
export function readingOptions({ moneyLocale }: Pick<DatabaseFacts, 'moneyLocale'>): string {
	return optionsText({ ...(moneyLocale && { lc_monetary: moneyLocale }), ...READING });
}

/** For libpq, of who dumps. */
export const WRITING_OPTIONS = optionsText({ lc_monetary: MONEY_LOCALE });

function optionsText(settings: Record<string, string>): string {
	return Object.entries(settings)
		.map(([name, value]) => `-c ${name}=${value}`)
		.join(' ');
}
