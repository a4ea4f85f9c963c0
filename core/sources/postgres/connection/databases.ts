/** Which databases of a server a run is about. */
import { matchesGlob } from '../../../base/glob';
import type { Client } from 'pg';
import { BackupError } from '../../../base/errors';

/** `list`: exactly these. `pattern`: `*` and `?`, a leading `!` leaves out. `all`: every one that accepts connections. */
export type DatabaseSelection =
	| { mode: 'all' }
	| { mode: 'list'; names: string[] }
	| { mode: 'pattern'; patterns: string[] };

/**
 * The databases a selection means, by name. Templates and databases that refuse connections are never among `all` and
 * `pattern`.
 * @throws BackupError 'invalid-input' for an empty selection, 'database-not-found' when nothing matches
 */
export async function selectDatabases(client: Client, selection: DatabaseSelection): Promise<string[]> {
	if (selection.mode === 'list') {
		const names = [...new Set(selection.names)];
		if (names.length === 0) {
			throw new BackupError('invalid-input', 'no database selected', { hint: 'Enter at least one database name.' });
		}
		return names;
	}
	const names = await listDatabases(client);
	const chosen = selection.mode === 'all' ? names : names.filter((name) => matches(name, selection.patterns));
	if (chosen.length === 0) {
		const what =
			selection.mode === 'all' ? 'the server has no database' : `no database matches ${selection.patterns.join(', ')}`;
		throw new BackupError('database-not-found', what, {
			hint: `The server has: ${names.slice(0, 20).join(', ')}${names.length > 20 ? ', …' : ''}. Change the pattern.`,
		});
	}
	return chosen;
}

/** The databases of a server that accept connections and are no templates, by name. */
export async function listDatabases(client: Client): Promise<string[]> {
	const { rows } = await client.query<{ datname: string }>(
		'SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname',
	);
	return rows.map((row) => row.datname);
}

function matches(name: string, patterns: string[]): boolean {
	const wanted = patterns.filter((pattern) => !pattern.startsWith('!'));
	const unwanted = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1));
	return (
		(wanted.length === 0 || wanted.some((pattern) => matchesGlob(name, pattern))) &&
		!unwanted.some((pattern) => matchesGlob(name, pattern))
	);
}
