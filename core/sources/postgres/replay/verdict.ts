/**
 * Who is to blame when a server refuses a statement of a dump: the dump, or the place where it is restored. Bad needs proof, so
 * whatever could be otherwise elsewhere is the environment's. The table of all classes is in docs/design.md; SQLSTATEs:
 * PostgreSQL manual, appendix A.
 */
import type { Missing } from './circumstances';

export interface Blame {
	hint: string;
	/** Not the dump is at fault, but where it was to be restored. */
	environment: boolean;
}

/** The server where a dump is restored, compared with the one that was dumped. */
export type ServerAge = 'older' | 'newer' | 'same' | 'unknown';

export interface RefusedStatement {
	sqlState: string;
	message: string;
	/** Its beginning. */
	statement: string;
	serverAge: ServerAge;
	/** Whether rules leave out most of the dump. */
	isPart: boolean;
	/** Why something that the statement names is not there. */
	missing: Missing;
	/** What of the database is not as in the original: "the locale de_DE.utf8". */
	differs: readonly string[];
}

const HINTS: Record<string, string> = {
	'08': 'Another server that the statement reads from, through a foreign table say, cannot be reached from here.',
	HV: 'Another server that the statement reads from, through a foreign table say, does not give what it should.',
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
const ENVIRONMENT = /^(?:08|0A|25|40|53|54|57|58|F0|HV|XX|55006|55P03|22021|22P05|42501|42P04|42P06|42P07|42710|42723)/;
/** What values and constraints make of rows; where locale, encoding or time zone have a say, they may make something else. */
const OF_VALUES = /^(?:22|23|P0)/;
/** Of those, what is the same everywhere: too long, no row of COPY, null where none may be, a foreign key without its row. */
const SAME_EVERYWHERE = /^(?:22001|22P04|23502|23503)$/;
/** What a server of another version, or without the rest of the dump, may not know. */
const UNKNOWN_HERE = /^(?:42|22023|3F000)/;
const NAMES_ROLES =
	/^(?:GRANT|REVOKE|ALTER DEFAULT PRIVILEGES|CREATE POLICY|CREATE USER MAPPING|SET SESSION)\b| OWNER TO /;
/** What no server can do, whatever its version. */
const NOWHERE: Record<NonNullable<Missing>, string> = {
	'search path':
		'The dump brings it, but a dump is restored with an empty search_path, and its name is written without a schema somewhere, most often in a function. In the database that was dumped, name the schema there or give the function a SET search_path, then make a new backup. The rows of this one are there: restored by hand, the statement that fails can be changed.',
	later:
		'The dump makes it only after this statement, which a function hides from pg_dump. In the database that was dumped, do without it there, then make a new backup. The rows of this one are there: restored by hand, the statement that fails can be executed last.',
};
const EXTENSION_REFUSES =
	'The extension itself refuses this database: read what it says. One that may be in a single database of a server, like pg_cron, cannot be in a new one: restore into that database while it is empty, or without the extension (--without-extension, Without Extensions).';
const LOOK = 'Look at this place in the dump, and into the server’s log.';

export function blameFor(refusal: RefusedStatement): Blame {
	const { sqlState, message, statement, serverAge, isPart, missing, differs } = refusal;
	const lacking = missingThing(sqlState, message, statement);
	if (lacking) return { environment: true, hint: lacking };
	if (missing !== null && !isPart) return { environment: false, hint: NOWHERE[missing] };
	if (ENVIRONMENT.test(sqlState))
		return { environment: true, hint: HINTS[sqlState] ?? HINTS[sqlState.slice(0, 2)] ?? LOOK };
	if (OF_VALUES.test(sqlState) && !SAME_EVERYWHERE.test(sqlState) && differs.length > 0) {
		const hint = `The database that was dumped had ${differs.join(' and ')}, and this one has not: its rows and constraints may depend on it. Restore into a server that has it.`;
		return { environment: true, hint };
	}
	if (UNKNOWN_HERE.test(sqlState)) {
		if (serverAge === 'older') {
			return { environment: true, hint: 'The server is older than the one that was dumped: restore into a newer one.' };
		}
		if (serverAge === 'newer') {
			const hint =
				'The server is newer than the one that was dumped, and may no longer know this: look at the statement, and try a server of the version that was dumped.';
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
		if (/^(?:42710|42P06|42P07|42723)$/.test(sqlState)) return null;
		// Raised by its own script: pg_cron, say, lives in one database of a server.
		return sqlState === 'P0001' ? EXTENSION_REFUSES : 'Install this extension on the server first.';
	}
	if (sqlState === '42704' && (/role "/.test(message) || NAMES_ROLES.test(statement))) {
		return 'Create this role on the server first.';
	}
	if (sqlState === '42704' && /configuration parameter/.test(message)) {
		return 'A function of the dump asks for this setting, which the database or its role had: set it for the database first.';
	}
	if (/^SET default_tablespace\b/.test(statement)) return 'Create this tablespace on the server first.';
	if (/^SET /.test(statement)) return 'The server does not know this setting or value: restore into a newer one.';
	if (/^CREATE COLLATION\b/.test(statement) && /^(?:22023|42704)$/.test(sqlState)) {
		return 'Install this locale on the server’s system first.';
	}
	return sqlState === '58P01' ? 'Install the library that holds this function on the server first.' : null;
}
