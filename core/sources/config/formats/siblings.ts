/** What stands beside a value and says what it is. */
import { isSecretName } from '../secret-names.ts';

const NAMES = ['name', 'key', 'Name', 'Key', 'variable', 'header', 'option'];
const VALUES: ReadonlySet<string> = new Set(['value', 'Value', 'default', 'values', 'val']);

/** The name that a pair of members gives, as in `{name: PASSWORD, value: x}`; null where the member is no such value. */
export function siblingName(members: Readonly<Record<string, string>>, member: string): string | null {
	if (!VALUES.has(member)) return null;
	const name = NAMES.find((each) => Object.hasOwn(members, each));
	return name === undefined ? null : members[name]!;
}

/**
 * The name that the arguments before it give to an argument of a command, as in `["--requirepass", "x"]`, and how much of it comes
 * before the secret; null where they give none.
 */
export function nameOfArgument(before: readonly string[], argument: string): { named: string; skip: number } | null {
	const last = before.at(-1) ?? '';
	const runs = (programs: RegExp) => before.slice(-20).some((each) => programs.test(each));
	if (/^--?[A-Za-z][\w-]+$/.test(last) && isSecretName(last) && !argument.startsWith('-'))
		return { named: last, skip: 0 };
	if ((last === '-a' && runs(/redis-cli/)) || (last === '-p' && runs(/sshpass/))) return { named: 'password', skip: 0 };
	return /^-p./.test(argument) && runs(/mysql|mariadb/) ? { named: 'password', skip: 2 } : null;
}
