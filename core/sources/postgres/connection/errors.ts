/**
 * What PostgreSQL, the network or pg_dump said, as errors of ours: which code, and what the user can do about it.
 * Messages never contain the word that n8n takes for a stopped run, though PostgreSQL likes to use it.
 */
import { BackupError, isBackupError, messageOf, type ErrorCode } from '../../../base/errors';
import { describeTarget, type DatabaseTarget } from './target';

interface Verdict {
	code: ErrorCode;
	/** Replaces the other side's words, where they would mislead. */
	message?: string;
	hint: string;
}

const CREDENTIALS = 'Check user and password in the credential.';
/** The session was ended, though the server goes on: by a time limit, or because a standby had to. */
const ENDED =
	'The server ended the session by itself: look into its log, and at the time limits of the role and the database.';
const STANDBY =
	'A standby ends what holds up the changes it receives: turn hot_standby_feedback on, raise max_standby_streaming_delay there, or back up the primary.';
const LOST =
	'Look into the server’s log: it was restarted, or something on the way ended the connection. Then run it again.';
const CERTIFICATE =
	'Give the certificate authority that signed the server’s certificate, or use TLS without verification if the network is trusted.';
const REACH = 'Check host and port, that the server runs and listens there, and that no firewall is in between.';

/** What pg_dump found in its snapshot, it looks for as it is now. */
const GONE =
	/relation (?:".*"|with OID \d+) does not exist|could not open relation|cache lookup failed|deadlock detected/i;
const CHANGING =
	'Tables are made and dropped all the time there: leave them out by their names or schema, or run the backup at a quieter time.';

/** SQLSTATEs (PostgreSQL manual, appendix A) that call for something particular. */
function fromSqlState(sqlState: string, message: string, target: DatabaseTarget): Verdict | undefined {
	switch (sqlState) {
		case '28P01':
			return { code: 'wrong-credentials', hint: CREDENTIALS };
		case '28000':
			return {
				code: 'wrong-credentials',
				hint: /pg_hba/.test(message)
					? 'Allow this user, database and address in the server’s pg_hba.conf, or change the TLS setting of the credential.'
					: CREDENTIALS,
			};
		case '3D000':
			return { code: 'database-not-found', hint: 'Check the database name in the credential or the node.' };
		case '42501':
			return {
				code: 'access-denied',
				hint: `Grant what is missing to user "${target.user}" (since PostgreSQL 14, pg_read_all_data may read everything but large objects), or leave the object out.`,
			};
		case '53300':
			return {
				code: 'unreachable',
				hint: 'The server has no connection left: close some, raise max_connections, or run at a quieter time.',
			};
		case '55P03':
			return lockTimeout();
		case '57P01':
		case '57P02':
		case '57P04':
			return { code: 'connection-lost', hint: LOST };
		case '25P03':
		case '25P04':
		case '57P05':
			return { code: 'connection-lost', hint: ENDED };
		case '40001':
			// What only reads meets it nowhere else.
			return { code: 'connection-lost', hint: STANDBY };
		case '57P03':
			return { code: 'unreachable', hint: 'The server is starting up or shutting down: try again when it is ready.' };
		default:
			return sqlState.startsWith('08') ? { code: 'connection-lost', hint: LOST } : undefined;
	}
}

function lockTimeout(): Verdict {
	return {
		code: 'lock-timeout',
		message: 'a table was locked by another session for too long',
		hint: 'Run the backup when no migration or maintenance runs, or allow a longer lock time-out.',
	};
}

const UNREACHABLE = new Set([
	'ECONNREFUSED',
	'ENOTFOUND',
	'EAI_AGAIN',
	'EHOSTUNREACH',
	'EHOSTDOWN',
	'ENETUNREACH',
	'ETIMEDOUT',
	'EADDRNOTAVAIL',
]);
const LOST_CODES = new Set([
	'ECONNRESET',
	'EPIPE',
	'ECONNABORTED',
	'ERR_STREAM_PREMATURE_CLOSE',
	'ERR_STREAM_DESTROYED',
]);
/** Node's words for a connection that is gone, which some errors carry as text only. */
const BARE = /\b(?:ECONNRESET|EPIPE|ECONNABORTED)\b/;
/** Node's names for a certificate that is not trusted, not valid now, or for somebody else. */
const UNTRUSTED = /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_|UNABLE_TO_|CERT_|HOSTNAME_MISMATCH|ERR_TLS_CERT_)/;

function fromSystemCode(code: string): Verdict | undefined {
	if (UNREACHABLE.has(code)) return { code: 'unreachable', hint: REACH };
	if (LOST_CODES.has(code)) return { code: 'connection-lost', hint: LOST };
	if (UNTRUSTED.test(code)) return { code: 'untrusted-certificate', hint: CERTIFICATE };
	return undefined;
}

/** Sentences of libpq, pg_dump, node-postgres and of a server that speaks English, for where there is no code. */
const TEXTS: ReadonlyArray<[RegExp, string | Verdict]> = [
	[/password authentication failed|no password supplied|authentication failed for user|password must be a/i, '28P01'],
	[/no pg_hba\.conf entry/i, '28000'],
	[/role ".*" does not exist/i, '28000'],
	[/database ".*" does not exist/i, '3D000'],
	[/permission denied|may lack SELECT privilege|row-level security|must be (?:owner|superuser)/i, '42501'],
	[/too many (?:clients|connections)|remaining connection slots/i, '53300'],
	[/conflict with recovery/i, '40001'],
	[/lock timeout|statement timeout[^]*LOCK TABLE/i, '55P03'],
	[/the database system is (?:starting|shutting|in recovery|not yet)/i, '57P03'],
	[/server version mismatch/i, { code: 'server-too-new', hint: 'Install a pg_dump of at least the server’s version.' }],
	[/no matching (?:tables|schemas)/i, { code: 'invalid-input', hint: 'Check the names in the filter of the dump.' }],
	[/certificate|SSL error: .*verify/i, { code: 'untrusted-certificate', hint: CERTIFICATE }],
	[
		/(?:server|not) .*support SSL/i,
		{ code: 'unsupported', hint: 'Turn TLS on in the server, or off in the credential.' },
	],
	[BARE, { code: 'connection-lost', hint: LOST }],
	[
		/could not translate host|connection refused|timeout expired|could not connect/i,
		{ code: 'unreachable', hint: REACH },
	],
	[
		/terminat(?:ed|ing) |connection (?:has been closed|reset|not open|to server was lost)|closed the connection|could not (?:receive|send) data|connection error/i,
		{ code: 'connection-lost', hint: LOST },
	],
];

function fromText(text: string, target: DatabaseTarget): Verdict | undefined {
	const verdict = TEXTS.find(([pattern]) => pattern.test(text))?.[1];
	return typeof verdict === 'string' ? fromSqlState(verdict, text, target) : verdict;
}

/**
 * Anything that went wrong between us and a database, as a BackupError. One of ours is passed through.
 * @param otherwise the code of what has none of its own: what was being done failed
 */
export function toBackupError(
	error: unknown,
	target: DatabaseTarget,
	otherwise: ErrorCode = 'dump-failed',
): BackupError {
	if (isBackupError(error)) return error;
	const text = wordsOf(error, target);
	const code = codeOf(error);
	const isSqlState = /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('E');
	const verdict =
		(isSqlState ? fromSqlState(code, text, target) : fromSystemCode(code)) ??
		// A server's refusal has a SQLSTATE; its words, which may be in any language, decide nothing.
		(isSqlState ? undefined : fromText(text, target));
	// "read ECONNRESET" alone says nothing to most people.
	const words = BARE.test(text) ? `the connection was lost: ${text}` : text;
	const message = `${describeTarget(target)}: ${verdict?.message ?? words}`;
	const hint = verdict?.hint ?? 'Look into the server’s log for what it says about this.';
	return new BackupError(verdict?.code ?? otherwise, message, { hint, cause: error });
}

/**
 * A pg_dump that ended with an error, from what it wrote to stderr.
 * @param sqlState what the server said when it refused the connection, where we saw it
 */
export function dumpError(stderr: string, target: DatabaseTarget, sqlState?: string): BackupError {
	const text = shorten(wordsOf(new Error(stderr.replaceAll(/^pg_dump: (?:error: )?/gm, '')), target));
	const verdict = (sqlState && fromSqlState(sqlState, text, target)) || fromText(text, target);
	// At which of its long queries pg_dump failed says nothing about what is gone.
	if (!verdict && GONE.test(text)) return changingError(new Error(text.split('\n', 1)[0]), target);
	const said = verdict?.message ?? (text || 'it said nothing');
	return new BackupError(verdict?.code ?? 'dump-failed', `pg_dump of ${describeTarget(target)} failed: ${said}`, {
		hint: verdict?.hint ?? 'Look into the server’s log for what it says about this, then run the backup again.',
	});
}

/** Something that was to be dumped was there a moment ago. */
export function changingError(error: unknown, target: DatabaseTarget): BackupError {
	return new BackupError('source-changing', `${describeTarget(target)} changed meanwhile: ${wordsOf(error, target)}`, {
		hint: CHANGING,
		cause: error,
	});
}

/** A shorter secret is part of ordinary words, and leaving it out of them would tell what it is: "fai***ed". */
const MIN_SECRET = 6;

/** Removes a target's secrets and the words that n8n misunderstands from a text of somebody else. */
export function cleanText(text: string, target: Pick<DatabaseTarget, 'password' | 'ssh'>): string {
	const secrets = [target.password, target.ssh?.password, target.ssh?.passphrase];
	return secrets
		.filter((secret) => secret !== undefined && secret.length >= MIN_SECRET)
		.reduce<string>((result, secret) => result.replaceAll(secret!, '***'), text)
		.replaceAll(/\bcancell?ing\b/gi, 'stopping')
		.replaceAll(/\bcancell?ed\b/gi, 'stopped')
		.trim();
}

function wordsOf(error: unknown, target: DatabaseTarget): string {
	// A host with several addresses fails with an AggregateError, whose own message is empty.
	const inner = (error as { errors?: unknown[] } | null)?.errors;
	const text = messageOf(error) || (Array.isArray(inner) ? inner.map(messageOf).join(', ') : '');
	// The server's own advice: "You might need to increase max_locks_per_transaction."
	const { hint } = error as { hint?: unknown };
	const advice = typeof hint === 'string' && hint !== '' ? `; ${hint}` : '';
	return cleanText(`${text || codeOf(error) || 'unknown error'}${advice}`, target);
}

function codeOf(error: unknown): string {
	const code = (error as { code?: unknown } | null)?.code;
	return typeof code === 'string' ? code : '';
}

function shorten(text: string): string {
	return text.length <= 800 ? text : `${text.slice(0, 800)}…`;
}
