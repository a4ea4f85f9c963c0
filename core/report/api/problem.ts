/** Errors of the API, as problem documents (RFC 9457). */
import { type ErrorCode, isBackupError, isOfStorage } from '../../base/errors';
import { shortened, textOf } from '../values';
import { type Answer, jsonAnswer } from './answer';

/** By code: the status, and what is the same for all of its kind. `docs/api.md` has a heading for each. */
const PROBLEMS = {
	'invalid-input': { status: 400, title: 'The request cannot be used as it is' },
	'no-idempotency-key': { status: 400, title: 'The request has no usable Idempotency-Key' },
	'not-allowed': { status: 403, title: 'The credential of this call may only read' },
	'not-found': { status: 404, title: 'There is no such thing' },
	'not-offered': { status: 422, title: 'This workflow does not do that' },
	'not-running': { status: 409, title: 'The run is not under way' },
	'wrong-method': { status: 405, title: 'This call takes another method' },
	'too-large': { status: 413, title: 'The body is too large' },
	'wrong-type': { status: 415, title: 'The body is not JSON' },
	'not-confirmed': { status: 422, title: 'The name of the database was not repeated' },
	'key-reused': { status: 422, title: 'This Idempotency-Key belongs to another request' },
	'stale-button': { status: 403, title: 'The button is not good any more' },
	'too-often': { status: 429, title: 'There were too many calls' },
	failed: { status: 500, title: 'The call could not be answered' },
	'storage-unavailable': { status: 503, title: 'The storage cannot be used' },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

/** Where each code is explained. */
const EXPLAINED = 'https://github.com/n8n-nodes-backup/n8n-nodes-backup/blob/main/docs/api.md';
/** A caller may send megabytes, and nobody needs them back. */
const MAX_DETAIL = 500;

interface ProblemOptions {
	/** A header of its own: what else is allowed, when to come again. */
	header?: Answer['header'];
	/** Of the error of the engine that it comes from. */
	cause?: ErrorCode;
}

/** What a caller did that cannot be answered, or what stands in the way. */
export class Problem extends Error {
	override readonly name = 'Problem';

	/**
	 * @param detail what happened, in one sentence without a full stop
	 * @param hint what to change, as a sentence
	 */
	constructor(
		readonly code: ProblemCode,
		readonly detail: string,
		readonly hint: string,
		readonly options: ProblemOptions = {},
	) {
		super(detail);
	}
}

/** An error of the engine as a problem; what is invalid then is a field of the workflow, not of the request. Who asked may read the storage, so that its location is no secret. */
export function toProblem(error: unknown): Problem | null {
	if (error instanceof Problem) return error;
	if (!isBackupError(error)) return null;
	const { code, message, hint = 'See the execution in n8n.' } = error;
	const options = { cause: code };
	if (code === 'not-found') return new Problem('not-found', message, hint, options);
	return new Problem(isOfStorage(code) ? 'storage-unavailable' : 'failed', message, hint, options);
}

/** The problem document. `hint` says what to change. */
export function problemAnswer(problem: Problem): Answer {
	const { code, options } = problem;
	const { status, title, detail, hint } = problemTexts(problem);
	const document = { type: `${EXPLAINED}#${code}`, title, status, detail, hint, code };
	return {
		...jsonAnswer(status, { ...document, ...(options.cause && { cause: options.cause }) }),
		contentType: 'application/problem+json',
		...(options.header && { header: options.header }),
	};
}

/** What a problem says to a person: what happened, and what to change. */
export function problemTexts({ code, detail, hint }: Problem): {
	status: number;
	title: string;
	detail: string;
	hint: string;
} {
	const text = (value: string) => shortened(textOf(value).replace(/\s+/g, ' ').trim(), MAX_DETAIL);
	return { ...PROBLEMS[code], detail: text(detail), hint: text(hint) };
}
