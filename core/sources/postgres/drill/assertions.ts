/** Questions of the user to a restored database, in SQL, that a good backup answers with yes. */
import { BackupError, isBackupError, messageOf } from '../../../base/errors';
import type { AssertionResult } from '../../source';
import type { Query } from '../connection/query';
import { sqlStateOf } from '../connection/sql-state';
import { SqlTokens } from '../replay/sql-tokens';

export interface Assertion {
	/** For people; never stored in the clear. */
	name: string;
	/** One statement. See {@link runAssertions} for which answers pass. */
	sql: string;
}

/** For one assertion. Longer than any sensible question takes, shorter than a night. */
export const ASSERTION_TIMEOUT_MS = 15 * 60_000;

/** About the server, never about the data. SQLSTATEs: PostgreSQL manual, appendix A. */
const ENVIRONMENT = /^(?:08|53|57|58|XX)/;
/**
 * The question is wrong by itself: no SQL, not possible, wants to write, or wants what its user may not see. That a table or a
 * column is not there is an answer.
 */
const WRONG_QUESTION = /^(?:0A|25|2D|3B|42(?!P01|703))/;
const QUESTION = new Set(['select', 'with', 'values']);
const DIALECT = { serverMajor: null, encoding: 'UTF8', standardStrings: true };

/**
 * Refuses what is no question: anything but one statement that reads. To be called before anything is restored.
 * @throws BackupError 'invalid-input'
 */
export function assertQuestions(assertions: readonly Assertion[]): void {
	for (const { name, sql } of assertions) {
		const tokens = new SqlTokens([Buffer.from(sql)], DIALECT, Infinity);
		const first = tokens.list.findIndex(({ text }) => text !== '(');
		const end = tokens.list.findIndex(({ kind, text }) => kind === 'symbol' && text === ';');
		const isOne = end < 0 || tokens.list.slice(end).every(({ text }) => text === ';');
		if (QUESTION.has(tokens.word(first)) && isOne) continue;
		throw wrongQuestion(name, isOne ? 'it is no SELECT, WITH or VALUES' : 'it is more than one statement');
	}
}

function wrongQuestion(name: string, why: string, cause?: unknown): BackupError {
	return new BackupError('invalid-input', `the assertion "${name}" cannot be asked: ${why}`, {
		hint: 'Write one SELECT that gives true, or a number other than 0, when the backup is good.',
		cause,
	});
}

/**
 * Asks each question in a transaction of its own that can change nothing. It passes when the first column of the first row
 * is true, 't', 'true' or a number other than 0. Everything else fails it: no row, null, false, 0, another text, and an error
 * of the data (a table that is not there, a division by zero).
 * @param query of one session
 * @throws BackupError 'timed-out'; 'invalid-input' for a question that is wrong by itself;
 * what `query` throws when server or connection fail: then nothing is said about the data
 */
export async function runAssertions(
	query: Query,
	assertions: readonly Assertion[],
	timeoutMs = ASSERTION_TIMEOUT_MS,
): Promise<AssertionResult[]> {
	assertQuestions(assertions);
	const results: AssertionResult[] = [];
	for (const assertion of assertions) results.push(await runAssertion(query, assertion, timeoutMs));
	return results;
}

async function runAssertion(query: Query, { name, sql }: Assertion, timeoutMs: number): Promise<AssertionResult> {
	await query('BEGIN READ ONLY');
	try {
		await query("SELECT pg_catalog.set_config('statement_timeout', $1, true)", [String(timeoutMs)]);
		const rows = await query<Record<string, unknown>>(sql, []);
		const [row] = Array.isArray(rows) ? rows : [];
		if (!row) return { name, ok: false, message: 'it gave no row' };
		const [answer] = Object.values(row);
		return { name, ok: isYes(answer), message: isYes(answer) ? null : `it answered ${show(answer)}` };
	} catch (error) {
		return { name, ok: false, message: refusal(error, name) };
	} finally {
		// Over a broken connection there is nothing to end, and the first error is the one that counts.
		await query('ROLLBACK').catch(() => undefined);
	}
}

/** What an error of the data said. @throws all other errors */
function refusal(error: unknown, name: string): string {
	const sqlState = sqlStateOf(error);
	if (sqlState === '57014') {
		throw new BackupError('timed-out', `the assertion "${name}" took too long`, {
			hint: 'Ask for less, or verify on a faster server.',
			cause: error,
		});
	}
	if (sqlState !== null && WRONG_QUESTION.test(sqlState)) {
		throw wrongQuestion(name, messageOf(error), error);
	}
	if (isBackupError(error) || sqlState === null || ENVIRONMENT.test(sqlState)) throw error;
	return messageOf(error);
}

function isYes(answer: unknown): boolean {
	if (typeof answer === 'string') return /^(?:t|true)$/i.test(answer) || isNonZero(answer);
	return answer === true || (typeof answer === 'number' && isNonZero(String(answer)));
}

/** `pg` gives bigint and numeric as text. */
function isNonZero(text: string): boolean {
	return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) && /[1-9]/.test(text.replace(/e.*/i, ''));
}

function show(answer: unknown): string {
	if (answer === null || answer === undefined) return 'null';
	const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
	return text.length <= 100 ? text : `${text.slice(0, 100)}…`;
}
