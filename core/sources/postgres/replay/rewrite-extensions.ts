/** Extensions that a restore does without, and what a dump holds of their tables: rows of their configuration, rights, sequences. */
import { subjectOf } from './sql-subject';
import type { Dialect, SqlTokens } from './sql-tokens';

export class WithoutExtensions {
	readonly #names: ReadonlySet<string>;
	/** Schemas that the dump makes or that are always there. A schema of an extension is in no dump. */
	readonly #schemas = new Set(['public', 'pg_catalog']);

	constructor(names: readonly string[]) {
		this.#names = new Set(names);
	}

	/** To be asked for each statement, in the order of the dump. */
	has(tokens: SqlTokens, dialect: Dialect): boolean {
		if (this.#names.size === 0) return false;
		if (tokens.starts('create', 'extension')) return this.#isNamed(tokens, tokens.word(2) === 'if' ? 5 : 2);
		if (tokens.starts('comment', 'on', 'extension')) return this.#isNamed(tokens, 3);
		if (tokens.starts('create', 'schema')) this.#schemas.add(tokens.list[2]?.text ?? '');
		const subject = subjectOf(tokens, dialect);
		if (subject) return !this.#schemas.has(subject.relation.schema);
		const on = tokens.starts('grant') || tokens.starts('revoke') ? tokens.find('on') : -1;
		if (on < 0) return false;
		const schema =
			tokens.word(on + 1) === 'schema' ? tokens.list[on + 2]?.text : tokens.relation(on + 2)?.relation.schema;
		return schema !== undefined && !this.#schemas.has(schema);
	}

	#isNamed(tokens: SqlTokens, at: number): boolean {
		return this.#names.has(tokens.list[at]?.text ?? '');
	}
}
