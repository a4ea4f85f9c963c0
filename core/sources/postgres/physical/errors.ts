/** What a server says when it gives no copy of its files or its log, with what to do about it. */
import { about, BackupError, isBackupError } from '../../../base/errors';
import { sqlStateOf } from '../connection/sql-state';
import { type DatabaseTarget, describeTarget } from '../connection/target';

/**
 * Where in its own program a server finds that it has no log from where we must go on: the segment was removed, the place lies ahead of it, or
 * the timeline is none of its history. Its words depend on `lc_messages`; these names do not.
 */
const BROKEN =
	/^(?:WalSndSegmentOpen|wal_segment_open|CheckXLogRemoved|XLogSendPhysical|StartReplication|tliOfPointInHistory|tliSwitchPoint)$/;
/** 'undefined file', and all that has no state of its own. */
const BROKEN_STATES = ['58P01', 'XX000'];
/** The same where a role may not replicate. */
const NO_REPLICATION = /^(?:InitPostgres|CheckSlotPermissions|check_permissions)$/;
/** Files of its program that read the cluster's files for us. */
const READS_FILES = /^(?:basebackup\w*|genfile|fd|walsender)\.c$/;

/** What somebody must do when log cannot be joined. */
export const START_OVER =
	'What is stored can be restored up to its end, and not beyond. Start over: collect the log anew, and make a base backup.';

/** The same for log that is to follow what is stored. */
export function explainLog(error: BackupError, target: DatabaseTarget): Error {
	const { routine } = placeOf(error.cause);
	if (!BROKEN.test(routine) || !BROKEN_STATES.includes(sqlStateOf(error.cause) ?? '')) return explain(error, target);
	return new BackupError('broken-log', error.message, { hint: START_OVER, cause: error.cause });
}

/** The same error of a server, which it names, with the hint that fits where the usual one does not. */
export function explain(error: Error, target: DatabaseTarget): Error;
export function explain(error: unknown, target: DatabaseTarget): unknown;
export function explain(error: unknown, target: DatabaseTarget): unknown {
	if (!isBackupError(error) || error.code === 'broken-log') return about(describeTarget(target), error);
	const sqlState = sqlStateOf(error.cause);
	const { file, routine } = placeOf(error.cause);
	// Names of settings, and WAL itself, are the same in every language.
	const { message } = error;
	const say = (code: BackupError['code'], hint: string) =>
		new BackupError(code, message, { hint, cause: error.cause, details: error.details });
	if (sqlState === '42501' && NO_REPLICATION.test(routine)) {
		return say('access-denied', `As a superuser, run: ALTER ROLE ${quoted(target.user)} REPLICATION;`);
	}
	if (sqlState === '53300' && message.includes('max_wal_senders')) {
		return say(
			'unreachable',
			'All places for copies are taken: raise max_wal_senders, which takes a restart of the server, or stop another one.',
		);
	}
	if (sqlState === '58P01' && message.includes('WAL')) {
		return say('source-missing', logRemoved(message, target).hint!);
	}
	if (sqlState === '42501' && READS_FILES.test(file)) {
		return say(
			'access-denied',
			'The server cannot read a file in its own folder. Give it to the user who runs the server, or move it elsewhere.',
		);
	}
	if (sqlState === '57P01' || error.code === 'connection-lost') {
		return say(
			error.code,
			'Look into the server’s log: it was restarted, something on the way ended the connection, or more log was written meanwhile than max_slot_wal_keep_size lets a copy hold back: then raise that. Run it again.',
		);
	}
	return about(describeTarget(target), error);
}

/** The server has removed log that a base backup needs. */
export function logRemoved(message: string, target: DatabaseTarget): BackupError {
	return new BackupError('source-missing', message, {
		hint: `${describeTarget(target)} has removed log that was needed: raise wal_keep_size or max_replication_slots, and run it again.`,
	});
}

/** Where in the server's program an error was raised, as the protocol tells it; empty for errors of anything else. */
function placeOf(error: unknown): { file: string; routine: string } {
	const { file, routine } = (error ?? {}) as { file?: unknown; routine?: unknown };
	return { file: typeof file === 'string' ? file : '', routine: typeof routine === 'string' ? routine : '' };
}

function quoted(name: string): string {
	return `"${name.replaceAll('"', '""')}"`;
}
