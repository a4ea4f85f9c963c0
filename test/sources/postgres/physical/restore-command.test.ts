/** What a restored server is told; the restore_command as a shell gets it: the name of a group is one word of it, whatever it holds. */
import { execFileSync } from 'node:child_process';
import { fetchCommand, formatRecovery } from '../../../../core/sources/postgres/physical/restore/recovery';

/** What the server puts into the places of a restore_command. */
const PLACES: Record<string, string> = { '%%': '%', '%f': '000000010000000000000001', '%p': 'pg_wal/RECOVERYXLOG' };

function wordsOfShell(command: string): string[] {
	const filled = command.replace(/%[%fp]/g, (place) => PLACES[place]!);
	return execFileSync('/bin/sh', ['-c', filled], { encoding: 'utf8' }).split('\n').slice(0, -1);
}

test.each(['cluster/20261128T092000Z-full', 'our shop (new)/a', "the owner's; 100 %f $HOME `id`/a"])(
	'the backup %j is one word',
	(base) => {
		expect(wordsOfShell(fetchCommand("printf '%s\\n' wal-get", base))).toEqual([
			'wal-get',
			'--up-to-gap',
			base,
			PLACES['%f'],
			PLACES['%p'],
		]);
	},
);

test('nothing that a standby or an earlier restore was told holds up the server, or stops it elsewhere', () => {
	const told = Object.fromEntries(
		[...formatRecovery({ kind: 'time', time: new Date(0) }).matchAll(/^(\w+) = '(.*)'$/gm)].map(([, name, value]) => [
			name,
			value,
		]),
	) as Record<string, string>;
	expect(told).toEqual({
		...{ archive_cleanup_command: '', recovery_end_command: '', recovery_min_apply_delay: '0' },
		...{ recovery_target: '', recovery_target_lsn: '', recovery_target_name: '', recovery_target_xid: '' },
		...{ recovery_target_inclusive: 'on', recovery_target_timeline: 'latest', recovery_target_action: 'promote' },
		...{ recovery_target_time: '1970-01-01 00:00:00.000+00', restore_command: 'false' },
		...{ hot_standby: 'off', synchronous_standby_names: '' },
	});
});
