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
 * Writes what the server reads at its first start. All log that it needs lies in `pg_wal` already, so the command that is to
 * fetch it fails, and the server looks there.
 * @param folder of the cluster
 */
export async function writeRecovery(folder: string, target: RecoveryTarget): Promise<void> {
	await fs.appendFile(path.join(folder, 'postgresql.auto.conf'), formatRecovery(target), { mode: 0o600 });
	await fs.writeFile(path.join(folder, 'recovery.signal'), '', { mode: 0o600 });
	// Of a standby: it would wait for more log, and never be a server of its own.
	await fs.rm(path.join(folder, 'standby.signal'), { force: true });
}

/** The lines of a configuration that say so. @throws BackupError 'invalid-input' for a name that cannot be a target */
export function formatRecovery(target: RecoveryTarget): string {
	const wanted = targetSettings(target);
	const settings = [
		...Object.entries(NO_OTHER_TARGET).filter(([name]) => !(name in wanted)),
		...Object.entries({ restore_command: 'false', recovery_target_action: 'promote' }),
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

/** A server that was itself restored, or a standby, has settings of its own for that, which come along. */
const NO_OTHER_TARGET = {
	archive_cleanup_command: '',
	recovery_end_command: '',
	recovery_target: '',
	recovery_target_inclusive: 'on',
	recovery_target_lsn: '',
	recovery_target_name: '',
	recovery_target_time: '',
	recovery_target_timeline: 'latest',
	recovery_target_xid: '',
};

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
		throw new BackupError('invalid-input', 'a name with line breaks or other control characters cannot be a target', {
			hint: 'Give the name as pg_create_restore_point got it.',
		});
	}
	return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
