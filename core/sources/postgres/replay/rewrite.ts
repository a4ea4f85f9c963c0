/** What of a dump is restored, and for whom: the rules that change, leave out or refuse statements on their way. */
import type { Allowance } from './allowances';

/** Which tables and schemas to restore; everything else is left out. */
export interface Only {
	/** Names as they are, without quotes. */
	schemas?: string[];
	/** `schema.table`, or `table` for one in public. A name with a dot, or with a quote at its beginning, is written as in SQL: `"a.b"."c"`. */
	tables?: string[];
}

/** Kinds of objects that can be left out; what is said about them is left out too. */
export type LeftOut =
	| 'subscriptions' // would begin to pull rows from the original's publisher
	| 'publications' // some only a superuser may create
	| 'operator-classes' // only a superuser may create them: a wrong one can crash the server
	| 'comments-on-extensions' // only the extension's owner may set them
	| 'user-mappings' // hold passwords of other servers
	| 'policies-for-roles' // row level security for roles that need not exist; without them nobody sees more
	| 'event-triggers' // only a superuser may create them; they act on what the restore does after them
	| 'security-labels'; // need a provider in the server

export interface RewriteRules {
	/** Whether ALTER … OWNER TO is executed. Without, everything belongs to who restores. */
	owners: 'keep' | 'drop';
	/** Whether GRANT, REVOKE and ALTER DEFAULT PRIVILEGES are executed. */
	privileges: 'keep' | 'drop';
	/** Other names for roles: of owners, in privileges, policies and user mappings. */
	roles?: Readonly<Record<string, string>>;
	only?: Only;
	leaveOut?: readonly LeftOut[];
	/** Extensions that are not created, and whatever the dump has of them: rows and rights in schemas that it does not make itself. */
	withoutExtensions?: readonly string[];
	/** What a dump may do that is refused otherwise. Default: nothing. */
	allow?: readonly Allowance[];
}

/** Everything, as the dump says. */
export const KEEP_ALL: RewriteRules = { owners: 'keep', privileges: 'keep' };

/** For a restore that is only a proof: no role has to exist, and nothing outside of the database is touched. */
export const DRILL_RULES: RewriteRules = {
	owners: 'drop',
	privileges: 'drop',
	leaveOut: [
		'subscriptions',
		'comments-on-extensions',
		'user-mappings',
		'policies-for-roles',
		'event-triggers',
		'security-labels',
	],
};

/** What a drill cannot restore as a role that is no superuser. An index that needs such a class is the environment's fault. */
export const ONLY_FOR_SUPERUSERS: readonly LeftOut[] = ['publications', 'operator-classes'];
