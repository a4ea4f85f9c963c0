/**
 * A second kind of source, as small as one can be: a text file of lines. A full backup holds all lines; a differential or
 * incremental one says how many lines of its base stay, and holds those that follow. It proves that the verbs know nothing of
 * databases.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { json, text } from 'node:stream/consumers';
import { BackupError } from '../../core/base/errors';
import { shrunkSince } from '../../core/sources/shrunk';
import type { Comparison, Drill, OpenBackup, Restored, Restorer, Source, SourceKind } from '../../core/sources/source';

/** A digest of each line. */
interface NoteContents {
	lines: string[];
}

/** What the data of a backup says. */
interface Change {
	/** Lines of the base that stay; 0 of a full backup. */
	keep: number;
	lines: string[];
	end: true;
}

export const noteKind: SourceKind<NoteContents> = {
	kind: 'note',
	noun: 'a note',
	readContents: async (body) => (await json(body)) as NoteContents,
	checkData() {
		let last = '';
		return {
			add: (chunk) => void (last = `${last}${chunk.toString()}`.slice(-20)),
			end() {
				if (!last.endsWith('"end":true}')) throw new BackupError('incomplete', 'the note has no end');
			},
		};
	},
	classify: ({ details }) => (details?.isOfTheNote ? 'backup' : 'unknown'),
	withoutNames: () => 'the note could not be restored',
};

export interface NoteOptions {
	/** Say that something could not be read. */
	incomplete?: boolean;
	/** Give a full backup whatever was asked for. */
	alwaysFull?: boolean;
}

export function noteSource(path: string, { incomplete, alwaysFull }: NoteOptions = {}): Source {
	return {
		kind: 'note',
		async open({ base, previous }) {
			const lines = (await readFile(path, 'utf8')).split('\n');
			const digests = lines.map(digestOf);
			const before = base && !alwaysFull ? (base as OpenBackup<NoteContents>).contents.lines : [];
			const differs = digests.findIndex((digest, at) => digest !== before[at]);
			const keep = Math.min(differs === -1 ? digests.length : differs, before.length);
			const change: Change = { keep, lines: lines.slice(keep), end: true };
			return {
				...(alwaysFull && { type: 'full' }),
				async *parts() {
					yield { role: 'data', name: 'note.json', body: bodyOf(change) };
					yield { role: 'contents', name: 'contents.json', body: bodyOf({ lines: digests }) };
				},
				finish: async () => ({
					details: { lines: lines.length },
					shrunk: shrunkSince(previous, { lines: lines.length }, { kind: 'note', what: ['lines'], maxPercent: 50 }),
					warnings: incomplete ? ['a line could not be read'] : [],
					incomplete,
				}),
				close: async () => undefined,
			};
		},
	};
}

/** Writes the note to a file. */
export function noteRestorer(path: string): Restorer<NoteContents> {
	return {
		kind: 'note',
		async restore(backup): Promise<Restored> {
			await writeFile(path, (await linesOf(backup)).join('\n'));
			const comparison = compare((await readFile(path, 'utf8')).split('\n'), backup.contents);
			return { comparison, facts: { ...comparison.figures } };
		},
	};
}

/** Writes the note to a file of its own, and removes it. */
export function noteDrill(): Drill<NoteContents> {
	return {
		kind: 'note',
		async run(backup, run) {
			const folder = await mkdtemp(join(tmpdir(), 'note-'));
			try {
				run.onProgress({ phase: 'restoring', bytes: 0 });
				const { comparison } = await noteRestorer(join(folder, 'note')).restore(backup, run);
				return { scratch: folder, restoreSeconds: 0, comparison, assertions: [] };
			} finally {
				await rm(folder, { recursive: true });
			}
		},
	};
}

async function linesOf(backup: OpenBackup<NoteContents>): Promise<string[]> {
	const lines: string[] = [];
	for (const each of [backup, ...backup.parents].reverse()) {
		const { keep, lines: more } = JSON.parse(await text(await each.open(each.manifest.parts[0]!))) as Change;
		lines.splice(keep, lines.length, ...more);
	}
	return lines;
}

function compare(lines: readonly string[], contents: NoteContents): Comparison {
	const differences = contents.lines.flatMap((digest, at) => {
		const found = lines[at];
		if (found !== undefined && digestOf(found) === digest) return [];
		return [{ item: `line ${at + 1}`, expected: digest, found: found ?? 'nothing' }];
	});
	const says = differences.length === 0 ? `${lines.length} lines as they were` : `${differences.length} lines differ`;
	return { ok: differences.length === 0, says, figures: { lines: lines.length }, differences };
}

function digestOf(line: string): string {
	return createHash('sha256').update(line).digest('hex');
}

function bodyOf(data: unknown): Readable {
	return Readable.from([Buffer.from(JSON.stringify(data))]);
}
