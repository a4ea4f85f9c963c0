/** What a server says when it gives no copy of its files or its log, with what to do about it. */
import { about, BackupError, isBackupError } from '../../../base/errors';
import { sqlStateOf } from '../connection/sql-state';
import { type DatabaseTarget, describeTarget } from '../connection/target';

/** What a server says when it has no log from where we must go on. */
const BROKEN = /requested WAL segment .* has already been removed|requested starting point|requested timeline/i;

/** What somebody must do when log cannot be joined. */
export const START_OVER =
	'What is stored can be restored up to its end, and not beyond. Start over: collect the log anew, and make a base backup.';

/** The same for log that is to follow what is stored. */
export function explainLog(error: BackupError, target: DatabaseTarget): Error {
	if (!BROKEN.test(error.message)) return explain(error, target);
	return new BackupError('broken-log', error.message, { hint: START_OVER, cause: error.cause });
}

/** The same error of a server, which it names, with the hint that fits where the usual one does not. */
export function explain(error: Error, target: DatabaseTarget): Error;
export function explain(error: unknown, target: DatabaseTarget): unknown;
export function explain(error: unknown, target: DatabaseTarget): unknown {
	if (!isBackupError(error) || error.code === 'broken-log') return about(describeTarget(target), error);
	const sqlState = sqlStateOf(error.cause);
	const { message } = error;
	const say = (code: BackupError['code'], hint: string) =>
		new BackupError(code, message, { hint, cause: error.cause, details: error.details });
	if (sqlState === '42501' && /replication|WAL sender/i.test(message)) {
		return say('access-denied', `As a superuser, run: ALTER ROLE ${quoted(target.user)} REPLICATION;`);
	}
	if (sqlState === '53300' && /max_wal_senders|standby connections/i.test(message)) {
		return say(
			'unreachable',
			'All places for copies are taken: raise max_wal_senders, which takes a restart of the server, or stop another one.',
		);
	}
	if (sqlState === '58P01' && /WAL/i.test(message)) {
		return say('source-missing', logRemoved(message, target).hint!);
	}
	if (sqlState === '42501' && /could not open file/i.test(message)) {
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

function quoted(name: string): string {
	return `"${name.replaceAll('"', '""')}"`;
}
