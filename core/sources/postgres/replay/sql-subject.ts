/** What a statement of a dump is about: the table (view, sequence, index) it creates, changes or fills. */
import { type Dialect, type Relation, SqlTokens } from './sql-tokens';

/** A statement about a relation, or about something that belongs to one. */
export interface Subject {
	/**
	 * `creation`: creates `relation`. `link`: makes `child` a part of `relation` (a partition, a sequence of a column).
	 * `rows`: fills it. `part`: anything else about it.
	 */
	readonly kind: 'creation' | 'link' | 'rows' | 'part';
	readonly relation: Relation;
	/** An index or sequence that the statement creates, or the one it links. */
	readonly child?: Relation;
	/** What else must exist: the table of a foreign key, the index of which another one becomes a part. */
	readonly needs?: Relation;
	/** A constraint, trigger, rule or policy of the relation that is created or commented on, by its kind and name. */
	readonly member?: { readonly kind: string; readonly name: string };
	/** The function that a trigger calls; null without a schema is one of pg_catalog. */
	readonly calls?: { readonly schema: string | null };
	/** Whether children of the relation are spared: ONLY. */
	readonly only?: boolean;
}

const RELATIONS = [['table'], ['foreign', 'table'], ['view'], ['materialized', 'view'], ['sequence'], ['index']];
const MODIFIERS = new Set(['or', 'replace', 'global', 'local', 'temporary', 'temp', 'unlogged', 'recursive']);
const MEMBERS = new Set(['constraint', 'trigger', 'rule', 'policy']);

/** @returns null for what is about no relation, or not in a form that pg_dump writes */
export function subjectOf(tokens: SqlTokens, dialect: Dialect): Subject | null {
	switch (tokens.word(0)) {
		case 'create':
			return created(tokens);
		case 'alter':
			return altered(tokens);
		case 'copy':
			return about('rows', tokens, 1);
		case 'insert':
			return about('rows', tokens, 2);
		case 'refresh':
			return about('rows', tokens, tokens.word(3) === 'concurrently' ? 4 : 3);
		case 'select':
			return sequenceValue(tokens, dialect);
		case 'comment':
			return tokens.word(1) === 'on' ? commented(tokens, 2) : null;
		case 'security': {
			const on = tokens.find('on');
			return on < 0 ? null : commented(tokens, on + 1);
		}
		case 'grant':
		case 'revoke': {
			const on = tokens.find('on');
			const kind = tokens.word(on + 1);
			return on > 0 && (kind === 'table' || kind === 'sequence') ? about('part', tokens, on + 2) : null;
		}
	}
	return null;
}

function created(tokens: SqlTokens): Subject | null {
	let at = 1;
	while (MODIFIERS.has(tokens.word(at))) at++;
	const relation = RELATIONS.find((words) => tokens.follow(at, ...words));
	if (relation && relation[0] !== 'index') {
		at += relation.length;
		return about('creation', tokens, tokens.follow(at, 'if', 'not', 'exists') ? at + 3 : at);
	}
	if (tokens.word(at) === 'unique' || tokens.word(at) === 'constraint') at++;
	switch (tokens.word(at)) {
		case 'index': {
			const found = onRelation(tokens, at + 2);
			return found && named(found, tokens, at + 1);
		}
		case 'statistics': {
			const found = about('part', tokens, tokens.find('from') + 1);
			return found && { ...found, child: tokens.relation(at + 1)?.relation };
		}
		case 'trigger': {
			const found = onRelation(tokens, at + 2);
			const call = tokens.find('execute') + 2; // FUNCTION, or PROCEDURE
			const schema = tokens.word(call + 1) === '.' ? tokens.list[call]!.text : null;
			return found && { ...found, member: member(tokens, at), calls: { schema } };
		}
		case 'policy': {
			const found = onRelation(tokens, at + 2);
			return found && { ...found, member: member(tokens, at) };
		}
		case 'rule': {
			const found = about('part', tokens, tokens.find('to') + 1);
			return found && { ...found, member: member(tokens, at) };
		}
	}
	return null;
}

function altered(tokens: SqlTokens): Subject | null {
	const words = RELATIONS.find((each) => tokens.follow(1, ...each));
	if (!words) return null;
	let at = 1 + words.length;
	const only = tokens.word(at) === 'only';
	if (only) at++;
	const name = tokens.relation(at);
	if (!name) return null;
	const { relation, next } = name;
	const part: Subject = { kind: 'part', relation, only };
	if (tokens.follow(next, 'attach', 'partition')) {
		const child = tokens.relation(next + 2)?.relation;
		if (words[0] !== 'index') return { kind: 'link', relation, child };
		return { ...part, needs: child };
	}
	if (tokens.follow(next, 'owned', 'by')) {
		const owner = tokens.relation(next + 2)?.relation;
		return owner && tokens.word(next + 2) !== 'none' ? { kind: 'link', relation: owner, child: relation } : part;
	}
	if (tokens.follow(next, 'add', 'constraint')) {
		const constraint = { ...part, member: { kind: 'constraint', name: tokens.list[next + 2]?.text ?? '' } };
		if (!tokens.follow(next + 3, 'foreign', 'key')) return named(constraint, tokens, next + 2);
		return { ...constraint, needs: tokens.relation(tokens.find('references', next) + 1)?.relation };
	}
	if (tokens.follow(next, 'alter', 'column') && tokens.follow(next + 3, 'add', 'generated')) {
		const sequence = tokens.list.findIndex((_, index) => tokens.follow(index, 'sequence', 'name'));
		return sequence < 0 ? part : { ...part, child: tokens.relation(sequence + 2)?.relation };
	}
	return part;
}

/** @param at of the kind of what is commented on */
function commented(tokens: SqlTokens, at: number): Subject | null {
	const kind = tokens.word(at);
	if (MEMBERS.has(kind)) {
		const found = onRelation(tokens, at + 2);
		return found && { ...found, member: member(tokens, at) };
	}
	if (kind === 'column' || kind === 'statistics') return about('part', tokens, at + 1);
	const words = RELATIONS.find((each) => tokens.follow(at, ...each));
	return words ? about('part', tokens, at + words.length) : null;
}

/** SELECT pg_catalog.setval('shop."Numbers"', 5, true) */
function sequenceValue(tokens: SqlTokens, dialect: Dialect): Subject | null {
	const name = tokens.list[5];
	if (!tokens.follow(1, 'pg_catalog', '.', 'setval', '(') || name?.kind !== 'string') return null;
	return about('rows', new SqlTokens([Buffer.from(name.text)], { ...dialect, encoding: 'UTF8' }), 0);
}

function onRelation(tokens: SqlTokens, from: number): Subject | null {
	const on = tokens.find('on', from);
	if (on < 0 || tokens.word(on + 1) === 'domain') return null;
	const only = tokens.word(on + 1) === 'only';
	const found = about('part', tokens, only ? on + 2 : on + 1);
	return found && { ...found, only };
}

function about(kind: Subject['kind'], tokens: SqlTokens, at: number): Subject | null {
	const found = at > 0 || kind === 'rows' ? tokens.relation(at) : null;
	return found && { kind, relation: found.relation };
}

/** An index is in the schema of its table. */
function named(subject: Subject, tokens: SqlTokens, at: number): Subject {
	return { ...subject, child: { schema: subject.relation.schema, name: tokens.list[at]?.text ?? '' } };
}

function member(tokens: SqlTokens, at: number): Subject['member'] {
	return { kind: tokens.word(at), name: tokens.list[at + 1]?.text ?? '' };
}
