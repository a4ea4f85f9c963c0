/**
 * Who is to blame when a server refuses a statement of a dump: the dump, or the place where it is restored.
 *
 * The backup is bad when its own rows and definitions contradict each other: 22 (malformed values), 23 (unique, foreign
 * key, check), 42 (what should have been created before is missing, or no SQL), 2B, P0 (a function of the dump fails).
 * The environment is to blame for 42501, 42P04, 42P06, 42P07, 42710, 42723 (no rights; not empty), 0A, 25, 40, 53, 54,
 * 55P03, 55006, 57, 58, F0, HV, XX (not able, not now, no room, broken), 22021 and 22P05 (another encoding), for missing
 * roles, extensions, collations and tablespaces, and for everything in 42 and 22023 when the server has another major
 * version than the dumped one, or when only a part of the dump is restored.
 * SQLSTATEs: PostgreSQL manual, appendix A.
 */

export interface Verdict {
	hint: string;
	/** Not the dump is at fault, but where it was to be restored. */
	environment: boolean;
}

/** The server where a dump is restored, compared with the one that was dumped. */
export type ServerAge = 'older' | 'newer' | 'same' | 'unknown';

export interface Refusal {
	sqlState: string;
	message: string;
	/** Its beginning. */
	statement: string;
	serverAge: ServerAge;
	/** Whether rules leave out most of the dump. */
	isPart: boolean;
}

const HINTS: Record<string, string> = {
	'0A000': 'The server cannot do this: it was built without it. Restore into another one.',
	'22021': 'Restore into a database with the encoding of the original: see the line SET client_encoding of the dump.',
	'22P05': 'Restore into a database with the encoding of the original: see the line SET client_encoding of the dump.',
	'40P01': 'Two statements waited for each other: restore over one connection, when nobody works in the database.',
	'42501':
		'Restore as a user with more rights: the owner of all objects, or a superuser for extensions and event triggers.',
	'42P04': 'Restore into a new or empty database.',
	'42P06': 'Restore into a new or empty database.',
	'42P07': 'Restore into a new or empty database.',
	'42710': 'Restore into a new or empty database.',
	'42723': 'Restore into a new or empty database.',
	'53100': 'The server’s disk is full: free some space, or restore elsewhere.',
	'53200': 'The server is out of memory: give it more, or restore when it has less to do.',
	'55006': 'Another session uses this: restore when nobody works in the database.',
	'55P03': 'Another session holds a lock in this database: restore when nobody works in it.',
	'57014': 'Somebody, or a time limit of the server, stopped the statement. Try again.',
};
const ENVIRONMENT = /^(?:0A|25|40|53|54|57|58|F0|HV|XX|55006|55P03|22021|22P05|42501|42P04|42P06|42P07|42710|42723)/;
/** What a server of another version, or without the rest of the dump, may not know. */
const UNKNOWN_HERE = /^(?:42|22023|3F000)/;
const NAMES_ROLES =
	/^(?:GRANT|REVOKE|ALTER DEFAULT PRIVILEGES|CREATE POLICY|CREATE USER MAPPING|SET SESSION)\b| OWNER TO /;
const LOOK = 'Look at this place in the dump, and into the server’s log.';

export function judge({ sqlState, message, statement, serverAge, isPart }: Refusal): Verdict {
	const missing = missingThing(sqlState, message, statement);
	if (missing) return { environment: true, hint: missing };
	if (ENVIRONMENT.test(sqlState)) return { environment: true, hint: HINTS[sqlState] ?? LOOK };
	if (UNKNOWN_HERE.test(sqlState)) {
		if (serverAge === 'older') {
			return { environment: true, hint: 'The server is older than the one that was dumped: restore into a newer one.' };
		}
		if (serverAge === 'newer') {
			const hint =
				'The server is newer than the one that was dumped, and no longer knows this: restore into an older one.';
			return { environment: true, hint };
		}
		if (isPart) {
			const hint = 'Types, functions, extensions and schemas that the chosen tables use must be there before.';
			return { environment: true, hint };
		}
	}
	return { environment: false, hint: LOOK };
}

/** What the server lacks and no dump of a database brings along, as a hint. */
function missingThing(sqlState: string, message: string, statement: string): string | null {
	if (/^(?:42501|53|54|57|XX)/.test(sqlState)) return null;
	if (/^CREATE EXTENSION\b/.test(statement)) {
		return /^(?:42710|42P06|42P07|42723)$/.test(sqlState) ? null : 'Install this extension on the server first.';
	}
	if (sqlState === '42704' && (/role "/.test(message) || NAMES_ROLES.test(statement))) {
		return 'Create this role on the server first.';
	}
	if (/^SET default_tablespace\b/.test(statement)) return 'Create this tablespace on the server first.';
	if (/^SET /.test(statement)) return 'The server does not know this setting or value: restore into a newer one.';
	if (/^CREATE COLLATION\b/.test(statement) && /^(?:22023|42704)$/.test(sqlState)) {
		return 'Install this locale on the server’s system first.';
	}
	return sqlState === '58P01' ? 'Install the library that holds this function on the server first.' : null;
}
