/** Which tables a statement locks, as far as it may run beside others; everything that is not known for sure may not. */
import { subjectOf } from './sql-subject';
import type { SqlStatement } from './sql-splitter';
import { relationKey, SqlTokens, type Relation } from './sql-tokens';

export interface Locks {
	/** By {@link relationKey}. */
	readonly tables: readonly string[];
	/** Whether nobody else may work on these tables; several indexes of one table may be built at the same time. */
	readonly exclusive: boolean;
}

/** Knows the tables of a dump from the statements that passed. */
export class TableLocks {
	/** Tables with partitions or heirs: what is done to them may lock those too. */
	readonly #parents = new Set<string>();
	readonly #tableOfIndex = new Map<string, string>();
	/** After a definition too long to be read, nothing is known for sure. */
	#isLost = false;

	/** To be asked for each statement, in the order of the dump. @returns null when it must run alone */
	of(statement: SqlStatement): Locks | null {
		const tokens = new SqlTokens(statement.pieces, statement.dialect);
		const subject = subjectOf(tokens, statement.dialect);
		if (!subject) return null;
		const { kind, relation, child, needs, member, only } = subject;
		if (kind === 'creation') this.#learn(tokens, relation);
		if (kind === 'link') this.#parents.add(relationKey(relation));
		if (kind !== 'part' || this.#isLost || !tokens.isWhole) return null;
		const isIndex = tokens.starts('create', 'index') || tokens.starts('create', 'unique', 'index');
		if (isIndex && child) {
			this.#tableOfIndex.set(relationKey(child), relationKey(relation));
			return this.#locks([relation], false);
		}
		if (tokens.starts('alter', 'table') && member?.kind === 'constraint' && only) {
			if (child) this.#tableOfIndex.set(relationKey(child), relationKey(relation));
			else if (!needs) return null;
			return this.#locks(needs ? [relation, needs] : [relation], true);
		}
		if (!tokens.starts('comment', 'on')) return null;
		if (member?.kind === 'constraint') return this.#locks([relation], true);
		const table = tokens.word(2) === 'index' ? this.#tableOfIndex.get(relationKey(relation)) : undefined;
		return table === undefined ? null : { tables: [table], exclusive: true };
	}

	#locks(relations: readonly Relation[], exclusive: boolean): Locks | null {
		const tables = [...new Set(relations.map(relationKey))];
		return tables.some((table) => this.#parents.has(table)) ? null : { tables, exclusive };
	}

	#learn(tokens: SqlTokens, relation: Relation): void {
		if (!tokens.isWhole) this.#isLost = true;
		for (let at = tokens.find('partition'); at >= 0; at = tokens.find('partition', at + 1)) {
			const parent = tokens.word(at + 1) === 'of' ? tokens.relation(at + 2)?.relation : relation;
			if (parent) this.#parents.add(relationKey(parent));
		}
		const heir = tokens.find('inherits');
		for (let at = heir < 0 ? -1 : heir + 2; at > 0; ) {
			const parent = tokens.relation(at);
			if (parent) this.#parents.add(relationKey(parent.relation));
			at = parent && tokens.word(parent.next) === ',' ? parent.next + 1 : -1;
		}
	}
}
