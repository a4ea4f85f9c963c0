/** Applies the rules of a restore to the statements of a dump, one after the other. */
import type { RewriteRules } from './rewrite';
import { WithoutExtensions } from './rewrite-extensions';
import { LeavingOut } from './rewrite-kinds';
import { PartOfDump, type Sql } from './rewrite-only';
import { isOwnership, isPrivilege, isSessionAuthorization, mapRoles } from './rewrite-roles';
import { SqlTokens } from './sql-tokens';
import { COLUMN_VERSION, withoutParameters } from './storage-parameters';

const ALTER = 'ALTER ';
const INSERT = 'INSERT INTO ';
/** Of a row, only the table's name matters. */
const MAX_INSERT_BYTES = 1024;

export class Rewriter {
	/** Statements of the dump that the rules left out. */
	leftOut = 0;
	readonly #rules: RewriteRules;
	readonly #selection: PartOfDump | null;
	readonly #leavingOut: LeavingOut;
	readonly #withoutExtensions: WithoutExtensions;
	readonly #changesNothing: boolean;

	/** @throws BackupError 'invalid-input' for names of tables that are none */
	constructor(rules: RewriteRules) {
		const { owners, privileges, roles = {}, only, leaveOut = [], withoutExtensions = [] } = rules;
		const isSelective = (only?.schemas?.length ?? 0) + (only?.tables?.length ?? 0) > 0;
		this.#rules = rules;
		this.#selection = isSelective ? new PartOfDump(only!) : null;
		this.#leavingOut = new LeavingOut(leaveOut);
		this.#withoutExtensions = new WithoutExtensions(withoutExtensions);
		this.#changesNothing =
			owners === 'keep' &&
			privileges === 'keep' &&
			leaveOut.length === 0 &&
			withoutExtensions.length === 0 &&
			Object.keys(roles).length === 0 &&
			!isSelective;
	}

	/** What of the chosen tables could not be restored, for people. */
	get warnings(): readonly string[] {
		return this.#selection?.warnings ?? [];
	}

	/** @returns what is to be executed instead, in this order */
	take(found: Sql): Sql[] {
		const statement = withoutColumnVersion(found);
		if (statement === null) return [];
		if (this.#changesNothing) return [statement];
		const isRow = statement.pieces[0]?.toString('latin1', 0, INSERT.length) === INSERT;
		const tokens = new SqlTokens(statement.pieces, statement.dialect, isRow ? MAX_INSERT_BYTES : undefined);
		if (this.#isLeftOut(statement, tokens)) {
			this.leftOut++;
			return [];
		}
		const { roles } = this.#rules;
		const pieces = roles ? mapRoles(statement.pieces, tokens, roles) : statement.pieces;
		const changed = pieces === statement.pieces ? statement : { ...statement, pieces };
		if (!this.#selection) return [changed];
		const chosen = this.#selection.take(changed, tokens);
		// What is held back counts as left out until it is released.
		this.leftOut += 1 - chosen.length;
		return chosen;
	}

	/** To be called when the dump has ended. @throws BackupError 'invalid-input' when it had nothing of a chosen name */
	end(): void {
		this.#selection?.assertFound();
	}

	#isLeftOut({ entry, dialect }: Sql, tokens: SqlTokens): boolean {
		const { owners, privileges } = this.#rules;
		if (this.#withoutExtensions.has(tokens, dialect)) return true;
		const ofPrivileges = entry?.type.endsWith('ACL') ?? false;
		if (isSessionAuthorization(tokens)) return (ofPrivileges ? privileges : owners) === 'drop';
		if (owners === 'drop' && isOwnership(tokens)) return true;
		if (privileges === 'drop' && isPrivilege(tokens)) return true;
		return this.#leavingOut.has(tokens);
	}
}

/** Whatever the rules: dumps made by an earlier version, or by hand, may hold it. @returns null when nothing remains */
function withoutColumnVersion(statement: Sql): Sql | null {
	const { pieces, dialect } = statement;
	if (pieces[0]?.toString('latin1', 0, ALTER.length) !== ALTER) return statement;
	if (!Buffer.concat(pieces).includes(COLUMN_VERSION)) return statement;
	const kept = withoutParameters(pieces, new SqlTokens(pieces, dialect), (name) => name === COLUMN_VERSION);
	return kept === null ? null : { ...statement, pieces: kept };
}
