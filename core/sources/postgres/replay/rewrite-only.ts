/**
 * Some tables or schemas out of a dump of everything. The dump is read once and never backwards: what may turn out to
 * belong to a chosen table (a sequence, a partition) is held back until the statement that says so.
 */
import { BackupError } from '../../../base/errors';
import type { Only } from './rewrite';
import { parseRelation, relationText } from './rewrite-names';
import { isSessionAuthorization } from './rewrite-roles';
import { subjectOf, type Subject } from './sql-subject';
import type { CopyStatement, SqlStatement } from './sql-splitter';
import { relationKey, type Relation, type SqlTokens } from './sql-tokens';
import type { TocEntry } from '../dump/toc';

export type Sql = SqlStatement | CopyStatement;

/** What becomes of a statement and of all that follow in its entry. */
type Verdict = 'keep' | 'leave' | { readonly hold: Relation };

interface Held {
	readonly statements: Sql[];
	readonly child: Relation | undefined;
}

/**
 * With a schema comes everything that pg_dump files under it, with a table what belongs to it: columns, rows, owned
 * sequences, partitions, constraints, indexes, policies, statistics, comments, privileges, and its schema if that is
 * missing. Foreign keys come if both tables do, triggers if the schema of their function is chosen or they call a function
 * of PostgreSQL's own, rules of single tables never. Types, functions and extensions do not come with a table.
 */
export class PartOfDump {
	/** What of the chosen tables could not be restored, for people. */
	readonly warnings: string[] = [];
	readonly #schemas: ReadonlySet<string>;
	readonly #schemasOfTables: ReadonlySet<string>;
	/** Relations that are restored, and do not lie in a chosen schema. */
	readonly #chosen = new Set<string>();
	readonly #held = new Map<string, Held[]>();
	/** Constraints, triggers and rules that were left out: there is nothing to comment on. */
	readonly #leftOut = new Set<string>();
	/** Chosen, not yet seen: what to tell the user, by key. */
	readonly #missing = new Map<string, string>();
	#entry: TocEntry | null = null;
	#verdict: Verdict | null = null;
	#waiting: Sql[] = [];
	#sawRows = false;

	/** @throws BackupError 'invalid-input' for what is no name */
	constructor({ schemas = [], tables = [] }: Only) {
		const relations = tables.map(parseRelation);
		this.#schemas = new Set(schemas);
		this.#schemasOfTables = new Set(relations.map(({ schema }) => schema));
		for (const schema of schemas) this.#missing.set(schema, `schema ${schema}`);
		for (const relation of relations) {
			this.#chosen.add(relationKey(relation));
			this.#missing.set(relationKey(relation), `table ${relationText(relation)}`);
		}
	}

	/** @returns what is to be executed now: nothing, the statement, or others before it as well */
	take(statement: Sql, tokens: SqlTokens): Sql[] {
		if (isSetting(tokens)) return [statement];
		// It may have been there before, and is not what was asked for.
		if (tokens.starts('alter', 'schema') && !this.#schemas.has(tokens.list[2]?.text ?? '')) return [];
		if (statement.entry !== this.#entry) {
			this.#entry = statement.entry;
			this.#verdict = null;
			this.#waiting = [];
		}
		if (this.#verdict !== null) return this.#apply(this.#verdict, [statement], undefined);
		const subject = subjectOf(tokens, statement.dialect);
		this.#verdict = this.#judge(statement, tokens, subject);
		if (this.#verdict === null) {
			this.#waiting.push(statement);
			return [];
		}
		if (subject?.kind === 'rows') this.#sawRows = true;
		return this.#apply(this.#verdict, [...this.#waiting, statement], subject?.child);
	}

	/** @throws BackupError 'invalid-input' when the dump had nothing of a chosen name */
	assertFound(): void {
		if (this.#missing.size === 0) return;
		throw new BackupError('invalid-input', `the backup has no ${[...this.#missing.values()].join(', no ')}`, {
			hint: 'Check the names: upper and lower case count, and a table outside of public needs its schema.',
		});
	}

	#apply(verdict: Verdict, statements: Sql[], child: Relation | undefined): Sql[] {
		if (verdict === 'leave') return [];
		if (verdict === 'keep') return [...(child ? this.#choose(child) : []), ...statements];
		const key = relationKey(verdict.hold);
		this.#held.set(key, [...(this.#held.get(key) ?? []), { statements, child }]);
		return [];
	}

	/** @returns what was held back for it */
	#choose(relation: Relation): Sql[] {
		const key = relationKey(relation);
		this.#chosen.add(key);
		const held = this.#held.get(key) ?? [];
		this.#held.delete(key);
		return held.flatMap(({ statements, child }) => [...(child ? this.#choose(child) : []), ...statements]);
	}

	#isChosen(relation: Relation): boolean {
		const key = relationKey(relation);
		const bySchema = this.#schemas.has(relation.schema);
		if (!bySchema && !this.#chosen.has(key)) return false;
		this.#missing.delete(bySchema ? relation.schema : key);
		return true;
	}

	/** @returns null when only a later statement of the entry can tell */
	#judge({ entry }: Sql, tokens: SqlTokens, subject: Subject | null): Verdict | null {
		if (/^(?:PUBLICATION|SUBSCRIPTION)/.test(entry?.type ?? '')) return 'leave';
		if (subject) return this.#judgeRelation(subject);
		const schema = entry?.schema ?? schemaIn(tokens);
		if (schema !== null && this.#schemas.has(schema)) {
			this.#missing.delete(schema);
			return 'keep';
		}
		if (tokens.starts('create', 'schema') && schema !== null && this.#schemasOfTables.has(schema)) return 'keep';
		return isSessionAuthorization(tokens) ? null : 'leave';
	}

	#judgeRelation(subject: Subject): Verdict {
		const { kind, relation, needs } = subject;
		if (!this.#isChosen(relation)) {
			// Chosen for itself, without what it is a part of.
			if (kind === 'rows' || this.#sawRows) return 'leave';
			return { hold: relation };
		}
		const obstacle = this.#obstacle(subject);
		if (obstacle === null && (!needs || this.#isChosen(needs))) return 'keep';
		const { member } = subject;
		if (member && !this.#leftOut.has(nameOf(subject))) {
			this.#leftOut.add(nameOf(subject));
			const why = obstacle ?? `${relationText(needs!)} is not restored`;
			this.warnings.push(`${member.kind} ${member.name} of ${relationText(relation)} was left out: ${why}`);
		}
		return 'leave';
	}

	#obstacle(subject: Subject): string | null {
		const { calls, member, relation } = subject;
		if (member && this.#leftOut.has(nameOf(subject))) return 'it is not there';
		if (calls && calls.schema !== null && calls.schema !== 'pg_catalog' && !this.#schemas.has(calls.schema)) {
			return 'its function is not restored';
		}
		const isRule = member?.kind === 'rule' && member.name !== '_RETURN';
		return isRule && !this.#schemas.has(relation.schema) ? 'it may use anything' : null;
	}
}

function nameOf({ member, relation }: Subject): string {
	return JSON.stringify([member?.kind, member?.name, relationKey(relation)]);
}

/** What pg_dump sets for all that follows, wherever it stands. */
function isSetting(tokens: SqlTokens): boolean {
	if (tokens.starts('select', 'pg_catalog', '.', 'set_config')) return true;
	return tokens.starts('set') && !isSessionAuthorization(tokens);
}

/** The schema of what is in none itself: a schema, or an extension that is put into one. */
function schemaIn(tokens: SqlTokens): string | null {
	if (tokens.starts('create', 'schema')) return tokens.list[2]?.text ?? null;
	if (tokens.starts('comment', 'on', 'schema')) return tokens.list[3]?.text ?? null;
	if (tokens.starts('create', 'extension')) return tokens.list[tokens.find('schema') + 1]?.text ?? null;
	if (!tokens.starts('grant') && !tokens.starts('revoke')) return null;
	const on = tokens.find('on');
	return tokens.word(on + 1) === 'schema' ? (tokens.list[on + 2]?.text ?? null) : null;
}
