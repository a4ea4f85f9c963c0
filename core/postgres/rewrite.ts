/** What of a dump is restored, and for whom: the rules that change or leave out statements on their way. */

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
	| 'publications'
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
