/**
 * The extensions of a dump, as long as nothing else is there. Their scripts run with all rights, and what somebody put beside
 * them could take these over; so they are made for the dump only while it has brought nothing but schemas and collations, as
 * pg_dump orders them.
 */
import type { Sql } from './rewrite-only';
import { SqlTokens } from './sql-tokens';

export interface Extension {
	name: string;
	schema: string | null;
}

export class ExtensionPhase {
	#isOver = false;

	/** To be asked for each statement, in the order of the dump. @returns the extension that it makes, in this phase */
	take({ pieces, dialect }: Sql): Extension | null {
		if (this.#isOver) return null;
		const tokens = new SqlTokens(pieces, dialect);
		const extension = extensionOf(tokens);
		this.#isOver = extension === null && !isHarmless(tokens);
		return extension;
	}
}

/** CREATE EXTENSION [IF NOT EXISTS] name [WITH SCHEMA schema]; */
function extensionOf(tokens: SqlTokens): Extension | null {
	if (!tokens.starts('create', 'extension')) return null;
	const at = tokens.follow(2, 'if', 'not', 'exists') ? 5 : 2;
	const name = tokens.list[at];
	if (name === undefined || (name.kind !== 'word' && name.kind !== 'name')) return null;
	if (tokens.word(at + 1) === ';') return { name: name.text, schema: null };
	const schema = tokens.list[at + 3];
	const isWhole = tokens.follow(at + 1, 'with', 'schema') && tokens.word(at + 4) === ';';
	return isWhole && schema !== undefined && schema.kind !== 'symbol' ? { name: name.text, schema: schema.text } : null;
}

function isHarmless(tokens: SqlTokens): boolean {
	if (tokens.starts('create', 'schema')) return tokens.list.length === 4;
	if (tokens.starts('create', 'collation') || tokens.starts('comment', 'on', 'collation')) return true;
	if (tokens.starts('comment', 'on', 'schema') || tokens.starts('comment', 'on', 'extension')) return true;
	return tokens.starts('set') || tokens.starts('select', 'pg_catalog', '.', 'set_config', '(');
}
