/** How groups of base backups and of log find each other. */
import { withoutReplayed } from '../../../../core/sources/postgres/physical/groups';

it.each<[string, string[], string[]]>([
	['with a base backup of its cluster', ['cluster/a', 'wal/a', 'postgres/shop'], ['cluster/a', 'postgres/shop']],
	['not without one', ['cluster/b', 'wal/a'], ['cluster/b', 'wal/a']],
])('leaves log out %s', (_, groups, left) => {
	expect(withoutReplayed(groups.map((group) => ({ group }))).map(({ group }) => group)).toEqual(left);
});
