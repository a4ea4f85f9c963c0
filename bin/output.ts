/** What the command line prints, and how it ends. */
import { once } from 'node:events';
import type { BackupError } from '../core/base/errors';
import type { Event } from '../core/base/events';
import type { ArchiveSummary } from '../core/sources/files/archive/messages.ts';

/** Exit codes; the same for every command but `wal-get`. */
export const EXIT = {
	ok: 0,
	failed: 1,
	wrongUse: 2,
	incomplete: 3,
	verificationFailed: 4,
	locked: 5,
	/**
	 * Of `wal-get`, for each error. PostgreSQL takes 1 to 125 for the end of the log, and would go on without what is behind it; what is
	 * above 125 stops it (PostgreSQL manual, restore_command).
	 */
	unfetched: 200,
} as const;

export function exitCodeOf(error: BackupError): number {
	if (error.code === 'invalid-input') return EXIT.wrongUse;
	if (error.code === 'locked') return EXIT.locked;
	if (error.code === 'incomplete') return EXIT.incomplete;
	return EXIT.failed;
}

/** One JSON document on stdout. */
export function printJson(value: unknown): void {
	// What JSON leaves as it is, a terminal may still obey.
	const text = JSON.stringify(value, null, 2).replace(UNSAFE_BUT_NEWLINE, (char) => `\\u${codeOf(char)}`);
	process.stdout.write(`${text}\n`);
}

/** One JSON array on stdout, of which one element at a time is in memory. */
export async function printJsonArray(elements: AsyncIterable<unknown>): Promise<void> {
	let before = '[\n';
	for await (const element of elements) {
		const text = JSON.stringify(element, null, 2).replace(UNSAFE_BUT_NEWLINE, (char) => `\\u${codeOf(char)}`);
		await printSlowly(`${before}${text.replace(/^/gm, '  ')}`);
		before = ',\n';
	}
	process.stdout.write(before === ',\n' ? '\n]\n' : '[]\n');
}

/** Lines on stdout, as fast as whoever reads them takes them. */
export async function printLines(lines: AsyncIterable<string>): Promise<void> {
	for await (const line of lines) await printSlowly(`${forTerminal(line)}\n`);
}

async function printSlowly(text: string): Promise<void> {
	if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

export function printLine(line: string): void {
	process.stdout.write(`${forTerminal(line)}\n`);
}

export function printWarning(text: string): void {
	process.stderr.write(`${forTerminal(`warning: ${text}`)}\n`);
}

/** Control characters of both ranges, and those that change the direction of what follows. */
const UNSAFE_BUT_NEWLINE = /[^\P{Cc}\n]|[\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/**
 * A text as a terminal shows it and never obeys it, whoever wrote it: a server, a dump, the name of a file. Its second line
 * and those after it are indented, so that none passes for one of ours.
 */
export function forTerminal(text: string): string {
	return text
		.replace(UNSAFE_BUT_NEWLINE, (char) => (char === '\t' ? ' ' : `\\u${codeOf(char)}`))
		.replace(/\n(?! )/g, '\n  ');
}

function codeOf(char: string): string {
	return char.charCodeAt(0).toString(16).padStart(4, '0');
}

/** An error for people on stderr; with --json, for programs on stdout too. */
export function printError(error: BackupError, json: boolean): void {
	if (json) printJson({ ok: false, error: error.message, code: error.code, hint: error.hint ?? null });
	const hint = error.hint ? `\n  ${error.hint}` : '';
	process.stderr.write(`${forTerminal(`n8n-backup: ${error.message}${hint}`)}\n`);
}

/** What happens while a command runs, with the time, on stderr. */
export function printEvent(event: Event): void {
	const time = new Date().toISOString().slice(11, 19);
	process.stderr.write(`${forTerminal(`${time} ${describeEvent(event)}`)}\n`);
}

function describeEvent(event: Event): string {
	switch (event.kind) {
		case 'phase':
			return event.phase;
		case 'retry':
			return `tries again after failure ${event.failures}: ${event.message}`;
		case 'slow':
			return `nothing has moved for ${event.seconds} seconds; waiting for the ${event.waitingFor}`;
		case 'lock-broken':
			return event.message;
	}
}

/** Progress on a terminal: one line that is rewritten. Nothing where stderr is a file or a pipe. */
export function showProgress(line: string | null): void {
	if (!process.stderr.isTTY) return;
	process.stderr.write(line === null ? '\r\u001b[K' : `\r\u001b[K${forTerminal(line).replaceAll('\n', ' ')}`);
}

/** Entries that are named with a remark; more of them are in the contents of the backup. */
const MOST_NAMED = 20;

/** Warns of what an archive says of single entries. @param root put before each name */
export function printNamed(summary: Pick<ArchiveSummary, 'named'> | null, root: string): void {
	const named = summary?.named ?? [];
	for (const { path, why } of named.slice(0, MOST_NAMED)) printWarning(`${why}: ${root}${path}`);
	if (named.length > MOST_NAMED) printWarning(`and ${named.length - MOST_NAMED} more`);
}
