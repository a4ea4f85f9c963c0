/**
 * What the process of the embedded database says, as it comes through a pipe. A dump may have taken it over: nothing of it
 * is believed before it has the form and size of an answer.
 */
import { z } from 'zod';
import { BackupError } from '../../../../base/errors';
import { type ChildSays, HEAD_BYTES } from './messages.ts';

/** Far above any answer to a drill's questions: rows go in, and what comes out are counts and digests. */
const MAX_BYTES = 64 * 1024 * 1024;

const text = z.string();
const SAYS: z.ZodType<ChildSays> = z.union([
	z.null(),
	z.object({ broken: text }).strict(),
	z
		.object({
			columns: z.array(z.object({ name: text, type: z.number().int() }).strict()),
			rows: z.array(z.array(text.nullable())),
			tag: text.nullable(),
			refusal: z
				.object({
					severity: text,
					code: text,
					message: text,
					detail: text.optional(),
					hint: text.optional(),
					where: text.optional(),
				})
				.strict()
				.nullable(),
			warnings: z.array(text),
			status: text.nullable(),
		})
		.strict(),
]);

/** Puts answers together of the pieces in which they come. */
export class AnswerReader {
	#pieces: Buffer[] = [];
	#length = 0;

	/**
	 * @returns the answer that this piece completes; undefined when more has to come
	 * @throws BackupError 'restore-failed' for anything that is no answer
	 */
	add(piece: Buffer): ChildSays | undefined {
		this.#pieces.push(piece);
		this.#length += piece.length;
		if (this.#length < HEAD_BYTES) return undefined;
		const head = this.#pieces[0]!.length < HEAD_BYTES ? this.#joined() : this.#pieces[0]!;
		const whole = HEAD_BYTES + head.readUInt32BE();
		if (whole > MAX_BYTES) throw unbelievable(`an answer of ${whole} bytes`);
		if (this.#length < whole) return undefined;
		// It speaks only when it was asked, and it is asked again only after its answer.
		if (this.#length > whole) throw unbelievable('more than one answer');
		const content = this.#joined().toString('utf8', HEAD_BYTES);
		this.#pieces = [];
		this.#length = 0;
		return parse(content);
	}

	#joined(): Buffer {
		const joined = Buffer.concat(this.#pieces);
		this.#pieces = [joined];
		return joined;
	}
}

function parse(content: string): ChildSays {
	let json: unknown;
	try {
		json = JSON.parse(content);
	} catch {
		throw unbelievable('no JSON');
	}
	const { success, data } = SAYS.safeParse(json);
	if (!success) throw unbelievable('JSON of another form');
	return data;
}

function unbelievable(what: string): BackupError {
	return new BackupError('restore-failed', `the embedded database gave no answer but ${what}`, {
		hint: 'Use a scratch database on a server.',
		details: { environment: true },
	});
}
