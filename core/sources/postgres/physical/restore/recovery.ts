/** What a restored cluster is told: how far to replay its log, and where that is. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { BackupError } from '../../../../base/errors';

/**
 * How far a cluster is restored. `base`: as it was when the base backup had ended. `newest`: as far as there is log. `time`,
 * `lsn`, `name` (of a restore point made by `pg_create_restore_point`): up to there, and no further.
 */
export type RecoveryTarget =
	| { kind: 'base' }
	| { kind: 'newest' }
	| { kind: 'time'; time: Date }
	| { kind: 'lsn'; lsn: string }
	| { kind: 'name'; name: string };

/**
 * Writes what the server reads at its first start.
 * @param folder of the cluster
 * @param restoreCommand as {@link formatRecovery} takes it
 */
export async function writeRecovery(folder: string, target: RecoveryTarget, restoreCommand?: string): Promise<void> {
	const text = formatRecovery(target, restoreCommand);
	await fs.appendFile(path.join(folder, 'postgresql.auto.conf'), text, { mode: 0o600 });
	await fs.writeFile(path.join(folder, 'recovery.signal'), '', { mode: 0o600 });
	// Of a standby: it would wait for more log, and never be a server of its own.
	await fs.rm(path.join(folder, 'standby.signal'), { force: true });
}

/**
 * The lines of a configuration that say so.
 * @param restoreCommand fetches the log; absent where all that the server needs lies in `pg_wal` already: then the command fails, and the server
 * looks there
 * @throws BackupError 'invalid-input' for a name or a command with control characters
 */
export function formatRecovery(target: RecoveryTarget, restoreCommand = 'false'): string {
	const wanted = targetSettings(target);
	const settings = [
		...Object.entries(NOT_OF_THE_BACKUP).filter(([name]) => !(name in wanted)),
		...Object.entries(FOR_RECOVERY),
		...Object.entries({ restore_command: restoreCommand, recovery_target_action: 'promote' }),
		// Last: an empty setting behind it would be a second target for PostgreSQL 13.
		...Object.entries(wanted),
	];
	const lines = settings.map(([name, value]) => `${name} = ${quoted(value)}`);
	return [
		'',
		'# Written by n8n-nodes-backup for this restore; may be removed when the server has started.',
		...lines,
		'',
	].join('\n');
}

/**
 * A server that was itself restored, or a standby, has settings of its own for that, which come along: targets, commands, a delay. A primary may have names of
 * standbys that each commit waits for, and none of them follows the restored server.
 */
const NOT_OF_THE_BACKUP = {
	archive_cleanup_command: '',
	recovery_end_command: '',
	recovery_min_apply_delay: '0',
	recovery_target: '',
	recovery_target_inclusive: 'on',
	recovery_target_lsn: '',
	recovery_target_name: '',
	recovery_target_time: '',
	recovery_target_timeline: 'latest',
	recovery_target_xid: '',
	synchronous_standby_names: '',
};

/**
 * Nobody may ask the server before all log is replayed. If somebody could, the log of a server that was given more connections after its base
 * backup would end this one ("recovery aborted because of insufficient parameter settings"), or, since PostgreSQL 14, make it wait for ever.
 * Once the server has started, the setting means nothing until somebody makes a standby of it.
 */
const FOR_RECOVERY = { hot_standby: 'off' };

/**
 * A `restore_command` that calls `n8n-backup wal-get` for one base backup.
 * @param command the program with its options, as a shell takes them
 * @param base group and label
 */
export function fetchCommand(command: string, base: string): string {
	// The plan has said how far the log goes. A group may have spaces in its name.
	const words = `${command} --up-to-gap ${shellWord(base)}`;
	return `${words.replaceAll('%', '%%')} "%f" "%p"`;
}

/** One word of a command, as a shell takes it. */
export function shellWord(word: string): string {
	return /^[\w@:/.,=+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function targetSettings(target: RecoveryTarget): Record<string, string> {
	switch (target.kind) {
		case 'base':
			return { recovery_target: 'immediate' };
		case 'newest':
			return {};
		case 'time':
			// Not as ISO 8601 has it: PostgreSQL refuses the T.
			return { recovery_target_time: target.time.toISOString().replace('T', ' ').replace('Z', '+00') };
		case 'lsn':
			return { recovery_target_lsn: target.lsn };
		case 'name':
			return { recovery_target_name: target.name };
	}
}

/** As a string of postgresql.conf, which knows escapes. @throws BackupError 'invalid-input' */
function quoted(value: string): string {
	if (/\p{Cc}/u.test(value)) {
		throw new BackupError(
			'invalid-input',
			'a restore point or a command may have no line breaks or other control characters',
			{
				hint: 'Give the name as pg_create_restore_point got it, and a command on one line.',
			},
		);
	}
	return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
