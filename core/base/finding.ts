/** Questions that are asked before something is done, and their answers. */
import { type ErrorCode, isBackupError } from './errors';

/** One question and its answer. */
export interface Finding {
	/** Short name of the question, e.g. "storage". */
	check: string;
	ok: boolean;
	/** What was found. */
	message: string;
	/** What to do, when it is not ok. */
	hint?: string;
	code?: ErrorCode;
	/** Nothing fails, but somebody should look: also part of the message. */
	warning?: true;
}

/** A question, which gives what was found; `warning` when somebody should look at it. */
export type Question = () => Promise<string | { warning: string }>;

/** Asks one question; a BackupError is an answer, anything else is a defect and is thrown. */
export async function ask(check: string, question: Question): Promise<Finding> {
	try {
		const found = await question();
		if (typeof found === 'string') return { check, ok: true, message: found };
		return { check, ok: true, message: found.warning, warning: true };
	} catch (error) {
		if (!isBackupError(error)) throw error;
		return { check, ok: false, message: error.message, hint: error.hint, code: error.code };
	}
}

/** Everything a check of several databases found, in one sentence for people. */
export function summarise(findings: Finding[]): { ok: boolean; message: string } {
	const failed = findings.filter((finding) => !finding.ok);
	if (failed.length > 0) {
		const messages = failed.map(({ message }) => message).join('; ');
		return { ok: false, message: `${failed.length} of ${findings.length} checks failed: ${messages}` };
	}
	const warnings = findings.filter(({ warning }) => warning).map(({ message }) => message);
	const more = warnings.length > 0 ? `, but: ${warnings.join('; ')}` : '';
	return { ok: true, message: `all ${findings.length} checks passed${more}` };
}
