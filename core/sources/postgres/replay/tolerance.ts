/** Statements of a dump that a server may refuse although nothing is missing afterwards. */
import { messageOf } from '../../../base/errors';
import type { RewriteRules } from './rewrite';
import type { Sql } from './rewrite-only';
import { sqlStateOf } from '../connection/sql-state';
import { SqlTokens } from './sql-tokens';
import { parametersOf, withoutParameters } from './storage-parameters';

/** Settings at the beginning of a dump that only newer servers know, with the values that mean as much as not to set them. */
const NEUTRAL_SETTING =
	/^SET (\w+_timeout|default_with_oids|row_security|default_table_access_method) = (?:0|false|off|heap);$/;
const SETTING = /^(?:SET|RESET)\s|^SELECT pg_catalog\.set_config\(/;

const DUPLICATE_SCHEMA = '42P06';
const DUPLICATE_OBJECT = '42710';
const NO_RIGHT = '42501';
const INVALID_PARAMETER = '22023';

/** What every database has from the start, perhaps with another owner than who restores. */
const HARMLESS: ReadonlyArray<readonly [RegExp, readonly string[]]> = [
	[/^CREATE SCHEMA public;$/, [DUPLICATE_SCHEMA]],
	[/^COMMENT ON SCHEMA public IS /, [NO_RIGHT]],
	[/^CREATE EXTENSION (?:IF NOT EXISTS )?plpgsql\b/, [DUPLICATE_OBJECT, NO_RIGHT]],
	[/^COMMENT ON EXTENSION /, [NO_RIGHT]],
];

/** The name of a setting that is left out when the server does not know it; null for all other statements. */
export function neutralSetting(text: string): string | null {
	return NEUTRAL_SETTING.exec(text)?.[1] ?? null;
}

/** Whether a statement holds for all that follow in its session. */
export function isSetting(text: string): boolean {
	return SETTING.test(text);
}

/** Whether a restore goes on after this refusal of a statement, given by its beginning. */
export function isHarmless(error: unknown, text: string, rules: RewriteRules | undefined): boolean {
	const sqlState = sqlStateOf(error);
	if (sqlState === null) return false;
	// The schema of a single table is created where it is missing; if it cannot be, the table says so.
	const isForTable = (rules?.only?.tables?.length ?? 0) > 0 && text.startsWith('CREATE SCHEMA ');
	if (isForTable && (sqlState === DUPLICATE_SCHEMA || sqlState === NO_RIGHT)) return true;
	return HARMLESS.some(([pattern, states]) => pattern.test(text) && states.includes(sqlState));
}

/** No connection, what a foreign data wrapper says, no password where one is asked for. */
const FOREIGN = /^(?:08|HV|2F003)/;
const NOT_FILLED = '55000';

/**
 * Whether a view cannot be filled because a drill leaves out how to reach another server, or because it reads from such a view.
 * Its rows are no part of the dump.
 */
export function readsElsewhere(error: unknown, text: string, rules: RewriteRules | undefined): boolean {
	const sqlState = sqlStateOf(error);
	if (sqlState === null || !text.startsWith('REFRESH ') || !rules?.leaveOut?.includes('user-mappings')) return false;
	if (FOREIGN.test(sqlState) || sqlState === NOT_FILLED) return true;
	return sqlState === '42704' && /user mapping/.test(messageOf(error));
}

/** A storage parameter that the server does not know, and the statement without it; null where nothing of it remains. */
export interface UnknownParameter {
	readonly name: string;
	readonly pieces: readonly Buffer[] | null;
}

/** @returns null for a refusal that has another reason than an unknown storage parameter (or its namespace) */
export function unknownParameter(error: unknown, { pieces, dialect }: Sql): UnknownParameter | null {
	// Words are translated, the name in its quotes is not; but a bad value of a known one is refused in other words.
	const [, unknown] = /^unrecognized parameter (?:namespace )?"(.*)"$/.exec(messageOf(error)) ?? [];
	if (sqlStateOf(error) !== INVALID_PARAMETER || unknown === undefined) return null;
	const tokens = new SqlTokens(pieces, dialect);
	const name = parametersOf(tokens).find((each) => each.split('.').includes(unknown));
	if (name === undefined) return null;
	return { name, pieces: withoutParameters(pieces, tokens, (each) => each === name) };
}
