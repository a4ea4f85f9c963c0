/** What the command line prints, and how it ends. */
import type { BackupError } from '../core/errors';

/** Exit codes; the same for every command. */
export const EXIT = { ok: 0, failed: 1, wrongUse: 2, incomplete: 3, verificationFailed: 4, locked: 5 } as const;

export function exitCodeOf(error: BackupError): number {
	if (error.code === 'invalid-input') return EXIT.wrongUse;
	if (error.code === 'locked') return EXIT.locked;
	if (error.code === 'incomplete') return EXIT.incomplete;
	return EXIT.failed;
}

/** One JSON document on stdout. */
export function printJson(value: unknown): void {
	process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

export function printLine(line: string): void {
	process.stdout.write(`${line}\n`);
}

/** An error for people on stderr; with --json, for programs on stdout too. */
export function printError(error: BackupError, json: boolean): void {
	if (json) printJson({ ok: false, error: error.message, code: error.code, hint: error.hint ?? null });
	process.stderr.write(`n8n-backup: ${error.message}\n${error.hint ? `  ${error.hint}\n` : ''}`);
}

/** Progress on a terminal: one line that is rewritten. Nothing where stderr is a file or a pipe. */
export function showProgress(line: string | null): void {
	if (!process.stderr.isTTY) return;
	process.stderr.write(line === null ? '\r\u001b[K' : `\r\u001b[K${line}`);
}

/** "1 backup", "2 backups". */
export function count(number: number, noun: string): string {
	return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
