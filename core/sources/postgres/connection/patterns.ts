/**
 * pg_dump's patterns for schemas and tables, as regular expressions for PostgreSQL. The rules are those of psql's \d
 * (https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-PATTERNS): letters outside quotes are folded to lower
 * case, `*` and `?` are wildcards, `.` separates schema and name, quotes make everything inside literal, and the
 * characters of regular expressions outside quotes keep their meaning, except `$`.
 */
export interface NamePattern {
	/** Regular expression for the schema's name; null when the pattern names none. */
	schema: string | null;
	name: string;
}

/** Translates one pattern. Use the results as parameters of `~` with COLLATE "C". */
export function translatePattern(pattern: string): NamePattern {
	const parts = [''];
	let quoted = false;
	for (let i = 0; i < pattern.length; i++) {
		const char = pattern[i]!;
		const last = parts.length - 1;
		if (char === '"') {
			if (quoted && pattern[i + 1] === '"') {
				parts[last] += '"';
				i += 1;
			} else quoted = !quoted;
		} else if (quoted) parts[last] += /[|*+?()[\]{}.^$\\]/.test(char) ? `\\${char}` : char;
		else if (char === '.') parts.push('');
		else if (char === '*') parts[last] += '.*';
		else if (char === '?') parts[last] += '.';
		else if (char === '$') parts[last] += '\\$';
		else parts[last] += char.toLowerCase();
	}
	const anchored = parts.map((part) => `^(${part})$`);
	const name = anchored.pop()!;
	return { schema: anchored.pop() ?? null, name };
}
