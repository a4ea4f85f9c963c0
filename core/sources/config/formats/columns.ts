/** Files with a secret in a fixed place of each line: `.pgpass`, `.htpasswd` and what else lists users with hashes. */
import type { Passage } from '../passage.ts';

/** Everything behind the first colon of a line is secret, or, in `.pgpass`, behind the fourth that has no backslash before it. */
export function columnPassages(text: string, separators: 1 | 4): Passage[] {
	const found: Passage[] = [];
	for (const match of text.matchAll(/[^\r\n]+/g)) {
		const line = match[0];
		const [start, end] = [match.index, match.index + line.length];
		if (line.startsWith('#')) {
			found.push({ keys: [], start, end, text: line, free: true });
			continue;
		}
		const columns = new RegExp(`^(?:(?:[^:\\\\]|\\\\.)*:){${separators}}`).exec(line);
		if (!columns) found.push({ keys: ['password'], start, end, text: line, named: 'password' });
		else {
			const from = start + columns[0].length;
			found.push({ keys: ['password'], start: from, end, text: text.slice(from, end), named: 'password' });
		}
	}
	return found;
}
