/** What a server said when it refused a statement of a dump, with the place in the dump and what can be done. */
import { BackupError, messageOf } from '../../../base/errors';
import { type Allowance, MEANINGS } from './allowances';
import { describePosition, type Position } from '../dump/cursor';
import { blameFor, type RefusedStatement } from './verdict';
import { sqlStateOf } from '../connection/sql-state';

/** Where a dump is restored, for messages. */
export interface NamedTarget {
	/** "shop on db.example.org:5432" */
	readonly name: string;
	/** Takes secrets, and words that n8n misunderstands, out of a text of somebody else. */
	clean(text: string): string;
}

const MAX_EXCERPT = 300;
const MAX_MESSAGE = 1000;

/**
 * The error for a statement that failed. `details` hold `sqlState`, `line`, `byte`, `statement`, and `environment`:
 * whether the server, not the dump, is to blame, as {@link blameFor} has it.
 */
export function replayError(
	error: unknown,
	place: NamedTarget,
	{ pieces, line, byte }: Position & { pieces: readonly Buffer[] },
	circumstances: Omit<RefusedStatement, 'sqlState' | 'message' | 'statement'>,
): BackupError {
	const sqlState = sqlStateOf(error) ?? 'XX000';
	const said = error as { detail?: unknown; hint?: unknown; where?: unknown };
	const words = [messageOf(error), said.detail, said.hint, said.where].filter(
		(text) => typeof text === 'string' && text !== '',
	);
	const statement = excerpt(pieces);
	const { hint, environment } = blameFor({ sqlState, message: messageOf(error), statement, ...circumstances });
	const text = place.clean(shorten(words.join('; '), MAX_MESSAGE));
	return new BackupError(
		'restore-failed',
		`${place.name}: ${text} (SQLSTATE ${sqlState}) at ${describePosition({ line, byte })} of the dump: ${statement}`,
		{ hint, details: { sqlState, line, byte, statement, environment }, cause: error },
	);
}

/** The error for a statement that is not executed because nobody has allowed it. */
export function refusedStatement(
	allowance: Allowance,
	place: NamedTarget,
	{ pieces, line, byte }: Position & { pieces: readonly Buffer[] },
): BackupError {
	const statement = excerpt(pieces);
	const { does, risk } = MEANINGS[allowance];
	const where = describePosition({ line, byte });
	return new BackupError(
		'refused-statement',
		`${place.name}: the statement at ${where} of the dump ${does}: ${statement}`,
		{
			hint: `If you know who made this backup, and mean it, allow "${allowance}" (--allow, or Allow in the Dump). ${risk}`,
			details: { allowance, line, byte, statement },
		},
	);
}

/** The beginning of a statement on one line, without what may hold rows or passwords. */
export function excerpt(pieces: readonly Buffer[]): string {
	const head: Buffer[] = [];
	let bytes = 0;
	for (const piece of pieces) {
		if (bytes > MAX_EXCERPT * 4) break;
		head.push(piece.subarray(0, MAX_EXCERPT * 4));
		bytes += piece.length;
	}
	const start = Buffer.concat(head);
	const isUtf8 = !start.toString().slice(0, -1).includes('\uFFFD'); // the last character may be cut
	const text = start
		.toString(isUtf8 ? 'utf8' : 'latin1')
		.replaceAll(/\s+/g, ' ')
		.trim();
	const shown = text
		.replace(/^(INSERT INTO .*?\bVALUES\b).*/is, '$1 …')
		.replace(/^(.*?\b(?:OPTIONS|CONNECTION|PASSWORD|lowrite)\b).*/is, '$1 …');
	return shorten(shown, MAX_EXCERPT);
}

function shorten(text: string, limit: number): string {
	return text.length <= limit ? text : `${text.slice(0, limit)}…`;
}
