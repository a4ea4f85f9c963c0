/** Kinds of objects that a restore can do without, told by their statements. */
import type { LeftOut } from './rewrite';
import { rolesIn } from './rewrite-roles';
import type { SqlTokens } from './sql-tokens';

/** Leaves out objects of some kinds, and what is said about them. */
export class LeavingOut {
	readonly #kinds: ReadonlySet<LeftOut>;
	/** Policies that were left out, as `policy ON table`. */
	readonly #policies = new Set<string>();

	constructor(kinds: readonly LeftOut[]) {
		this.#kinds = new Set(kinds);
	}

	has(tokens: SqlTokens): boolean {
		if (this.#kinds.size === 0) return false;
		const kind = this.#kindOf(tokens);
		return kind !== null && this.#kinds.has(kind);
	}

	#kindOf(tokens: SqlTokens): LeftOut | null {
		const isComment = tokens.starts('comment', 'on');
		if (tokens.starts('security', 'label')) return 'security-labels';
		if (!isComment && tokens.word(0) !== 'create' && tokens.word(0) !== 'alter') return null;
		const at = isComment ? 2 : 1;
		switch (tokens.word(at)) {
			case 'subscription':
				return 'subscriptions';
			case 'publication':
				return 'publications';
			case 'extension':
				return isComment ? 'comments-on-extensions' : null;
			case 'user':
				return tokens.word(at + 1) === 'mapping' ? 'user-mappings' : null;
			case 'operator':
				return ['class', 'family'].includes(tokens.word(at + 1)) ? 'operator-classes' : null;
			case 'event':
				return tokens.word(at + 1) === 'trigger' ? 'event-triggers' : null;
			case 'policy':
				return this.#isForRoles(tokens, at + 1) ? 'policies-for-roles' : null;
		}
		return null;
	}

	#isForRoles(tokens: SqlTokens, at: number): boolean {
		const name = JSON.stringify([tokens.list[at]?.text, tokens.relation(at + 2)?.relation]);
		if (tokens.word(0) === 'create' && rolesIn(tokens).length > 0) this.#policies.add(name);
		return this.#policies.has(name);
	}
}
