/** What a server said when it refused a statement of a dump, with the place in the dump and what can be done. */
import { BackupError, isBackupError, messageOf } from '../errors';
import { describePosition, type Position } from './dump-cursor';
import { sqlStateOf } from './sql-state';

/** Where a dump is restored, for messages. */
export interface Place {
	/** "shop on db.example.org:5432" */
	readonly name: string;
	/** Takes secrets, and words that n8n misunderstands, out of a text of somebody else. */
	clean(text: string): string;
}

const MAX_EXCERPT = 300;
const MAX_MESSAGE = 1000;

interface Verdict {
	hint: string;
	/** Not the dump is at fault, but where it was to be restored. */
	environment: boolean;
}

const NOT_EMPTY: Verdict = { environment: true, hint: 'Restore into a new or empty database.' };

/** SQLSTATEs: PostgreSQL manual, appendix A. */
function judge(sqlState: string, message: string): Verdict {
	switch (sqlState) {
		case '42P06': // duplicate schema, table, object, function
		case '42P07':
		case '42710':
		case '42723':
			return NOT_EMPTY;
		case '42501':
			return {
				environment: true,
				hint: 'Restore as a user with more rights: the owner of all objects, or a superuser for extensions and event triggers.',
			};
		case '42704':
			if (!/role "/.test(message)) break;
			return { environment: true, hint: 'Create this role on the server first.' };
		case '0A000':
		case '58P01':
			if (!/extension/.test(message)) break;
			return { environment: true, hint: 'Install this extension on the server first.' };
		case '22021':
		case '22P05':
			return {
				environment: true,
				hint: 'Restore into a database with the encoding of the original: see the line SET client_encoding of the dump.',
			};
		case '42601':
			return { environment: true, hint: 'The server is older than the one that was dumped: restore into a newer one.' };
		case '53100':
			return { environment: true, hint: 'The server’s disk is full: free some space, or restore elsewhere.' };
		case '55P03':
			return {
				environment: true,
				hint: 'Another session holds a lock in this database: restore when nobody works in it.',
			};
		case '57014':
			return { environment: true, hint: 'Somebody, or a time limit of the server, stopped the statement. Try again.' };
	}
	return {
		environment: /^(?:53|54|58|XX)/.test(sqlState),
		hint: 'Look at this place in the dump, and into the server’s log.',
	};
}

/**
 * The error for a statement that failed. `details` hold `sqlState`, `line`, `byte`, `statement`, and `environment`:
 * whether the server, not the dump, is to blame as far as the SQLSTATE tells. Errors of ours are passed through.
 */
export function replayError(
	error: unknown,
	place: Place,
	pieces: readonly Buffer[],
	{ line, byte }: Position,
): BackupError {
	if (isBackupError(error)) return error;
	const sqlState = sqlStateOf(error) ?? 'XX000';
	const said = error as { detail?: unknown; where?: unknown };
	const words = [messageOf(error), said.detail, said.where].filter((text) => typeof text === 'string' && text !== '');
	const { hint, environment } = judge(sqlState, messageOf(error));
	const statement = excerpt(pieces);
	const text = place.clean(shorten(words.join('; '), MAX_MESSAGE));
	return new BackupError(
		'restore-failed',
		`${place.name}: ${text} (SQLSTATE ${sqlState}) at ${describePosition({ line, byte })} of the dump: ${statement}`,
		{ hint, details: { sqlState, line, byte, statement, environment }, cause: error },
	);
}

/** The beginning of a statement on one line, without what may hold rows or passwords. */
export function excerpt(pieces: readonly Buffer[]): string {
	const head: Buffer[] = [];
	let bytes = 0;
	for (const piece of pieces) {
		if (bytes > MAX_EXCERPT * 4) break;
		head.push(piece.subarray(0, MAX_EXCERPT * 4));
		bytes += piece.length;
	}
	const start = Buffer.concat(head);
	const isUtf8 = !start.toString().slice(0, -1).includes('\uFFFD'); // the last character may be cut
	const text = start
		.toString(isUtf8 ? 'utf8' : 'latin1')
		.replaceAll(/\s+/g, ' ')
		.trim();
	const shown = text
		.replace(/^(INSERT INTO .*?\bVALUES\b).*/is, '$1 …')
		.replace(/^(.*?\b(?:OPTIONS|CONNECTION|PASSWORD|lowrite)\b).*/is, '$1 …');
	return shorten(shown, MAX_EXCERPT);
}

function shorten(text: string, limit: number): string {
	return text.length <= limit ? text : `${text.slice(0, limit)}…`;
}
