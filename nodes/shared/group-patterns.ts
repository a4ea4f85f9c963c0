/** Groups as users name them in a field: by name, or with wildcards. */
import { matchesGlob } from '../../core/base/glob';

/**
 * Whether a group is one of those that the patterns name. `*` stands for any characters, also none, and `?` for one; a
 * name without them is that one group and never one that only begins like it.
 */
export function matchesGroup(group: string, patterns: readonly string[]): boolean {
	return patterns.some((pattern) => matchesGlob(group, pattern));
}
