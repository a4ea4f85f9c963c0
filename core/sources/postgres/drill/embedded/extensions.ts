/** Which extensions the embedded database has. */
import { BackupError } from '../../../../base/errors';

/** Modules of @electric-sql/pglite/contrib that bring an extension of the same name. */
const SAME_NAME = [
	...['amcheck', 'bloom', 'btree_gin', 'btree_gist', 'citext', 'cube', 'dict_int', 'dict_xsyn', 'earthdistance'],
	...['file_fdw', 'fuzzystrmatch', 'hstore', 'intarray', 'isn', 'lo', 'ltree', 'moddatetime', 'pageinspect'],
	...['pg_buffercache', 'pg_freespacemap', 'pg_stat_statements', 'pg_surgery', 'pg_trgm', 'pg_visibility'],
	...['pg_walinspect', 'pgcrypto', 'seg', 'tablefunc', 'tcn', 'tsm_system_rows', 'tsm_system_time', 'unaccent'],
];

const MODULES: ReadonlyMap<string, string> = new Map([
	...SAME_NAME.map((name) => [name, name] as const),
	['uuid-ossp', 'uuid_ossp'],
	// In PostgreSQL's sources these four are one directory, "spi".
	['autoinc', 'moddatetime'],
	['insert_username', 'moddatetime'],
	['refint', 'moddatetime'],
]);

/** Part of the database itself. */
const BUILT_IN = 'plpgsql';

/** Every extension that the embedded database can have. */
export const EMBEDDED_EXTENSIONS: readonly string[] = [BUILT_IN, ...MODULES.keys()];

/**
 * The modules that bring these extensions.
 * @throws BackupError 'unsupported', naming those it lacks
 */
export function modulesFor(extensions: readonly string[]): string[] {
	const missing = extensions.filter((name) => !EMBEDDED_EXTENSIONS.includes(name));
	if (missing.length > 0) {
		const names = missing.map((name) => `"${name}"`).join(', ');
		throw new BackupError(
			'unsupported',
			`the embedded database lacks ${missing.length === 1 ? 'the extension' : 'the extensions'} ${names}`,
			{ hint: 'Use a scratch database on a server that has them.', details: { extensions: missing } },
		);
	}
	return [...new Set(extensions.flatMap((name) => MODULES.get(name) ?? []))];
}
