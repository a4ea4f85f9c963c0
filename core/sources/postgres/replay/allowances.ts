/**
 * What a dump may make a server do only when somebody allows it by name: nobody but who made the backup knows whether a
 * dump is pg_dump's own work, and most restores are done by a superuser.
 */
import { BackupError } from '../../../base/errors';

export const ALLOWANCES = [
	'programs-and-files',
	'c-functions',
	'untrusted-languages',
	'roles',
	'server',
	'code-blocks',
	'other-statements',
] as const;

/** A drill on a server may also be done by the server's superuser itself, instead of a role that is made for it. */
export const ALLOWED_IN_DRILLS = [...ALLOWANCES, 'superuser'] as const;

export type Allowance = (typeof ALLOWANCES)[number];

/** @throws BackupError 'invalid-input' for a word that is none of these */
export function parseAllowances<Word extends string>(words: readonly string[], known: readonly Word[]): Word[] {
	const wrong = words.find((word) => !(known as readonly string[]).includes(word));
	if (wrong === undefined) return words as Word[];
	throw new BackupError('invalid-input', `"${wrong}" cannot be allowed`, {
		hint: `Allow one of: ${known.join(', ')}.`,
	});
}

interface Meaning {
	/** For people who choose. */
	name: string;
	/** What such a statement does: "line 7 of the dump …". */
	does: string;
	/** What it means to allow it, as a sentence. */
	risk: string;
}

export const MEANINGS: Readonly<Record<Allowance, Meaning>> = {
	'programs-and-files': {
		name: 'Programs and Files',
		does: 'starts a program or opens a file on the server',
		risk: 'Allowed, the dump can do on that machine whatever the server’s own account can do.',
	},
	'c-functions': {
		name: 'C Functions',
		does: 'makes a function of machine code',
		risk: 'A database with an old module that was never made an extension needs it. Allowed, the dump can run any code of a library that lies on the server.',
	},
	'untrusted-languages': {
		name: 'Untrusted Languages',
		does: 'makes a function in a language that knows no limits, or such a language',
		risk: 'A database with functions in plpython3u and the like needs it. Allowed, they can do on that machine whatever the server’s own account can do.',
	},
	roles: {
		name: 'Roles',
		does: 'makes or changes roles, which belong to all databases of the server',
		risk: 'Allowed, the dump can make superusers of its own. Roles that were saved beside the dump need none of this.',
	},
	server: {
		name: 'The Server',
		does: 'changes the server, or other databases of it',
		risk: 'Allowed, the dump can change settings of the server and drop databases.',
	},
	'code-blocks': {
		name: 'Code Blocks',
		does: 'runs a block of code',
		risk: 'Allowed, the dump can do whatever the user who restores can do.',
	},
	'other-statements': {
		name: 'Other Statements',
		does: 'is nothing that pg_dump writes',
		risk: 'Allowed, the dump can do whatever the user who restores can do.',
	},
};
