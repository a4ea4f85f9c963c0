/** n8n's credentials in a database that was restored as a test. */
import { BackupError } from '../../base/errors';
import { toError } from '../files/faults';
import type { Query } from '../postgres/connection/query';
import { ASSERTION_TIMEOUT_MS } from '../postgres/drill/assertions';
import { countOpened, type KeyRow, type Opened } from './credentials';
import { MAX_CREDENTIAL, MAX_KEYS, type N8nTables, TOO_LARGE, TOO_MANY_KEYS } from './tables';

/** So many are read at once: an answer of the embedded database has a limit. */
const PAGE = 20;

/**
 * Tries a key with every credential of a restored database, in a transaction that can change nothing.
 * @param key null where there is none: then it is only counted
 * @throws BackupError 'unsupported' for more than n8n ever has; what `query` throws
 */
export async function openInPostgres(query: Query, tables: N8nTables, key: string | null): Promise<Opened> {
	await query('BEGIN READ ONLY');
	try {
		await query("SELECT pg_catalog.set_config('statement_timeout', $1, true)", [String(ASSERTION_TIMEOUT_MS)]);
		return await countOpened(key, await keysOf(query, tables), credentialsOf(query, tables));
	} finally {
		// Over a broken connection there is nothing to end, and the first error is the one that counts.
		await query('ROLLBACK').catch(() => undefined);
	}
}

async function keysOf(query: Query, { schema, keys }: N8nTables): Promise<KeyRow[]> {
	if (keys === null) return [];
	const text = await statement(
		query,
		`SELECT id::text AS id, "type"::text AS "type", value::text AS value, algorithm::text AS algorithm FROM %I.%I
		WHERE pg_catalog.length(value::text) <= ${MAX_CREDENTIAL} LIMIT ${MAX_KEYS + 1}`,
		[schema, keys],
	);
	const rows = await query<KeyRow>(text);
	if (rows.length > MAX_KEYS) throw toError(TOO_MANY_KEYS);
	return rows;
}

async function* credentialsOf(query: Query, { schema, credentials }: N8nTables): AsyncGenerator<string> {
	const text = await statement(
		query,
		`SELECT id::text AS id, CASE WHEN pg_catalog.length(data::text) <= ${MAX_CREDENTIAL} THEN data::text END AS data
		FROM %I.%I WHERE $1::text IS NULL OR id::text > $1::text ORDER BY id::text LIMIT ${PAGE}`,
		[schema, credentials],
	);
	for (let after: string | null = null; ; ) {
		const rows: Array<{ id: string; data: string | null }> = await query(text, [after]);
		for (const { data } of rows) {
			if (data === null) throw toError(TOO_LARGE);
			yield data;
		}
		if (rows.length < PAGE) return;
		after = rows.at(-1)!.id;
	}
}

/** Puts names into a statement, which the server itself quotes. */
async function statement(query: Query, text: string, names: readonly string[]): Promise<string> {
	const values = names.map((_, at) => `$${at + 2}::text`).join(', ');
	const [row] = await query<{ text: string }>(`SELECT pg_catalog.format($1::text, ${values}) AS text`, [
		text,
		...names,
	]);
	if (!row) throw new BackupError('restore-failed', 'the restored database gave no answer');
	return row.text;
}
