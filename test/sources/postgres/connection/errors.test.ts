import { BackupError } from '../../../../core/base/errors';
import { cleanText, dumpError, toBackupError } from '../../../../core/sources/postgres/connection/errors';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';

const target: DatabaseTarget = {
	host: 'db.example.org',
	port: 5432,
	database: 'shop',
	user: 'backup',
	password: 'geheim1',
	tls: 'off',
	ssh: { host: 'gate', port: 22, user: 's', password: 'geheim2', passphrase: 'geheim3' },
};

const failure = (code: string, message = 'x') => Object.assign(new Error(message), { code });

describe('an error of PostgreSQL or the network', () => {
	it.each([
		['28P01', 'wrong-credentials'],
		['28000', 'wrong-credentials'],
		['3D000', 'database-not-found'],
		['42501', 'access-denied'],
		['53300', 'unreachable'],
		['55P03', 'lock-timeout'],
		['57P01', 'connection-lost'],
		['57P02', 'connection-lost'],
		['57P03', 'unreachable'],
		['08006', 'connection-lost'],
		['42601', 'dump-failed'],
		['ECONNREFUSED', 'unreachable'],
		['ENOTFOUND', 'unreachable'],
		['EHOSTUNREACH', 'unreachable'],
		['ETIMEDOUT', 'unreachable'],
		['ECONNRESET', 'connection-lost'],
		['EPIPE', 'connection-lost'],
		['DEPTH_ZERO_SELF_SIGNED_CERT', 'untrusted-certificate'],
		['SELF_SIGNED_CERT_IN_CHAIN', 'untrusted-certificate'],
		['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'untrusted-certificate'],
		['CERT_HAS_EXPIRED', 'untrusted-certificate'],
		['ERR_TLS_CERT_ALTNAME_INVALID', 'untrusted-certificate'],
	])('with code %s is "%s", with a hint', (code, expected) => {
		const error = toBackupError(failure(code), target);
		expect(error).toMatchObject({ code: expected, hint: expect.stringMatching(/^[A-Z].*\.$/) });
		expect(error.message).toContain('shop on db.example.org:5432 through gate');
	});

	it('is judged by its code, not by words in another language', () => {
		expect(toBackupError(failure('28P01', 'Passwort-Authentifizierung fehlgeschlagen'), target).code).toBe(
			'wrong-credentials',
		);
		expect(toBackupError(failure('42601', 'permission denied'), target).code).toBe('dump-failed');
	});

	it('that is a code of Node in words only is a lost connection, and says so', () => {
		for (const error of [new Error('Error: read ECONNRESET'), failure('ECONNRESET', 'read ECONNRESET')]) {
			expect(toBackupError(error, target)).toMatchObject({
				code: 'connection-lost',
				message: expect.stringMatching(/: the connection was lost: .*read ECONNRESET$/),
			});
		}
	});

	it('that is ours already stays what it is', () => {
		const ours = new BackupError('stalled', 'nothing moved');
		expect(toBackupError(ours, target)).toBe(ours);
	});

	it('of a host with several addresses says what was tried', () => {
		const error = toBackupError(
			Object.assign(
				new AggregateError([new Error('connect ECONNREFUSED ::1:1'), new Error('connect ECONNREFUSED 127.0.0.1:1')]),
				{ code: 'ECONNREFUSED' },
			),
			target,
		);
		expect(error).toMatchObject({
			code: 'unreachable',
			message: expect.stringContaining('::1:1, connect ECONNREFUSED 127.0.0.1:1'),
		});
	});
});

describe('what pg_dump wrote', () => {
	it.each([
		[
			'pg_dump: error: connection to server at "x", port 1 failed: FATAL:  password authentication failed for user "u"',
			'wrong-credentials',
		],
		['pg_dump: error: connection to server failed: fe_sendauth: no password supplied', 'wrong-credentials'],
		[
			'pg_dump: error: connection failed: FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "u", database "d", no encryption',
			'wrong-credentials',
		],
		['pg_dump: error: connection failed: FATAL:  database "d" does not exist', 'database-not-found'],
		[
			'pg_dump: error: query failed: ERROR:  permission denied for table t\npg_dump: detail: Query was: LOCK TABLE public.t IN ACCESS SHARE MODE',
			'access-denied',
		],
		[
			'pg_dump: error: query failed: ERROR:  query would be affected by row-level security policy for table "t"',
			'access-denied',
		],
		[
			'pg_dump: error: query failed: ERROR:  canceling statement due to statement timeout\npg_dump: detail: Query was: LOCK TABLE public.t',
			'lock-timeout',
		],
		['pg_dump: error: aborting because of server version mismatch', 'server-too-new'],
		['pg_dump: error: no matching tables were found', 'invalid-input'],
		[
			'pg_dump: error: Dumping the contents of table "t" failed: PQgetCopyData() failed.\npg_dump: detail: Error message from server: server closed the connection unexpectedly',
			'connection-lost',
		],
		['pg_dump: error: query failed: FATAL:  terminating connection due to administrator command', 'connection-lost'],
		['pg_dump: error: connection failed: SSL error: certificate verify failed', 'untrusted-certificate'],
		['pg_dump: error: connection failed: server does not support SSL, but SSL was required', 'unsupported'],
		['pg_dump: error: connection failed: FATAL:  sorry, too many clients already', 'unreachable'],
		[
			'pg_dump: error: query failed: ERROR:  canceling statement due to conflict with recovery\npg_dump: detail: Query was: COPY',
			'connection-lost',
		],
		[
			'pg_dump: error: query failed: ERROR:  relation "public.t" does not exist\npg_dump: detail: Query was: LOCK TABLE public.t',
			'source-changing',
		],
		['pg_dump: error: out of memory', 'dump-failed'],
		['', 'dump-failed'],
	])('%p is understood as "%s"', (stderr, expected) => {
		expect(dumpError(stderr, target)).toMatchObject({ code: expected, hint: expect.stringMatching(/^[A-Z].*\.$/) });
	});

	it('is quoted, shortened, without secrets and without the word that n8n takes for a stopped run', () => {
		const { message } = dumpError(
			`pg_dump: error: canceling statement, canceled by geheim1 geheim2 geheim3 ${'x'.repeat(5000)}`,
			target,
		);
		expect(message).toContain('stopping statement, stopped by *** *** ***');
		expect(message).not.toMatch(/cancel|geheim/i);
		expect(message.length).toBeLessThan(1000);
	});

	it('does not tell a short secret by leaving it out of ordinary words', () => {
		const { message } = dumpError('pg_dump: error: it failed', { ...target, password: 'il' });
		expect(message).toContain('it failed');
	});

	it('yields to the SQLSTATE where the server gave one', () => {
		expect(dumpError('pg_dump: Fehler: Passwort falsch', target, '28P01').code).toBe('wrong-credentials');
	});
});

it('a text without secrets stays as it is', () => {
	expect(cleanText(' 3 rows ', { ...target, password: '', ssh: undefined })).toBe('3 rows');
});
