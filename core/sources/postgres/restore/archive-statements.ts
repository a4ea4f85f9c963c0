/**
 * The statements of a dump in custom format, looked at before any of them is executed. pg_restore writes them out as SQL, without
 * a server, and they are what it would execute.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { abortError, BackupError } from '../../../base/errors';
import { endProgram, isProgramMissing, programNotFound } from '../dump/engines/client-program';
import { cleanText } from '../connection/errors';
import { needsAllowance } from '../replay/refusals';
import { refusedStatement } from '../replay/errors';
import type { RewriteRules } from '../replay/rewrite';
import { splitDump } from '../replay/sql-splitter';
import { type DatabaseTarget, describeTarget } from '../connection/target';

const STDERR_LIMIT = 16 * 1024;

/**
 * Reads the whole archive, because its rows have statements too.
 * @param body is destroyed when this fails
 * @throws BackupError 'refused-statement'; those of the body; 'restore-failed' when pg_restore cannot read it; 'engine-not-found'
 */
export async function assertArchiveAllowed(
	body: Readable,
	target: DatabaseTarget,
	{ program, rules, signal }: { program: string; rules: RewriteRules; signal: AbortSignal },
): Promise<void> {
	const child = spawn(program, ['--file=-'], {
		env: { PATH: process.env.PATH, LC_ALL: 'C' },
		cwd: '/',
		stdio: ['pipe', 'pipe', 'pipe'],
	});
	let stderr = '';
	child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-STDERR_LIMIT)));
	const onAbort = () => void endProgram(child);
	signal.addEventListener('abort', onAbort, { once: true });
	try {
		await once(child, 'spawn').catch((error: unknown) => {
			throw isProgramMissing(error) ? programNotFound(program, 'pg_restore', error) : error;
		});
		const closed = once(child, 'close') as Promise<[number | null]>;
		const looking = look(child.stdout, target, rules);
		// Who stops looking makes the program stop reading, which is no failure of the body.
		let failure: Error | undefined;
		const feeding = pipeline(body, child.stdin).catch((error: NodeJS.ErrnoException) => {
			if (error.code === 'EPIPE') return;
			failure = error;
			child.stdout.destroy(error);
		});
		await looking;
		await feeding;
		if (failure) throw failure;
		const [code] = await closed;
		if (code === 0) return;
		throw new BackupError('restore-failed', `pg_restore cannot read the dump: ${cleanText(stderr, target)}`, {
			hint: 'Look at what it says, and verify the backup.',
		});
	} catch (error) {
		throw signal.aborted ? abortError(signal) : error;
	} finally {
		signal.removeEventListener('abort', onAbort);
		body.destroy();
		await endProgram(child);
	}
}

async function look(sql: Readable, target: DatabaseTarget, { allow = [] }: RewriteRules): Promise<void> {
	const place = { name: describeTarget(target), clean: (text: string) => cleanText(text, target) };
	for await (const item of splitDump(sql as AsyncIterable<Buffer>)) {
		const allowance = item.kind === 'command' ? null : needsAllowance(item);
		if (item.kind === 'command' || allowance === null || allow.includes(allowance)) continue;
		throw refusedStatement(allowance, place, item);
	}
}
