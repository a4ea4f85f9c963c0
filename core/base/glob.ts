/** Names chosen by wildcards. */

/**
 * Whether a pattern names all of a text: `*` stands for any characters, also none, `?` for one, all else for itself.
 *
 * Only the last star is ever given more to take, because what an earlier one took is as good as any. So the time grows with
 * the product of both lengths at most. Regular expressions, also those that the usual libraries make of patterns, try all
 * combinations: six stars took more than a minute.
 */
export function matchesGlob(text: string, pattern: string): boolean {
	const name = [...text];
	const wanted = [...pattern];
	let at = 0;
	let next = 0;
	let star = -1;
	let taken = 0;
	while (at < name.length) {
		if (wanted[next] === '*') {
			star = next++;
			taken = at;
		} else if (wanted[next] === '?' || wanted[next] === name[at]) {
			next++;
			at++;
		} else if (star >= 0) {
			next = star + 1;
			at = ++taken;
		} else return false;
	}
	return wanted.slice(next).every((char) => char === '*');
}
