/**
 * One entry of the journal as text. It holds codes and figures only: who may read the storage may read it.
 *
 * `previous` is the SHA-256 of the whole text of the entry before it, so that nothing can be taken out, changed or exchanged
 * without its neighbour telling. `sha256`, the last member, is that of the text without it: it guards the newest entry, which
 * no neighbour knows yet, against accidents.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { VERBS } from './actor';
import { BackupError } from '../../base/errors';
import { assertFormat, FORMAT } from '../manifest';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const day = z.string().regex(/^\d{4}-\d{2}-\d{2}$/);
/** Long enough for names; whoever writes to the storage could say otherwise. */
const word = z.string().max(1000);

const link = {
	format: z.literal(FORMAT),
	/** null for the very first entry. */
	previous: sha256.nullable(),
	/** By the storage's clock, where the writer's differs by more than a minute. */
	at: z.string().datetime(),
};

const run = {
	run: z.string().regex(/^[a-z2-9]{12}$/),
	verb: z.enum(VERBS),
	group: word.nullable(),
	label: word.nullable(),
	actor: z
		.object({
			via: z.enum(['n8n', 'command line', 'script']),
			workflow: word.optional(),
			execution: word.optional(),
			node: word.optional(),
			requestedBy: word.optional(),
			request: word.optional(),
		})
		.nullable(),
	/** With what tells machines of one name apart. */
	host: word,
	pid: z.number().int().positive(),
	program: z.object({ name: word, version: word }),
	startedAt: z.string().datetime(),
};

const OUTCOMES = ['ok', 'degraded', 'failed', 'cancelled'] as const;

const schema = z.discriminatedUnion('kind', [
	z.object({ ...link, kind: z.literal('start'), ...run, sha256 }),
	z.object({
		...link,
		kind: z.literal('end'),
		...run,
		outcome: z.enum(OUTCOMES),
		code: word.nullable(),
		facts: z.record(z.union([word, z.number(), z.boolean(), z.null()])),
		sha256,
	}),
	/** The last entry of a day: the chain goes on with the first of another one. */
	z.object({ ...link, kind: z.literal('next-day'), next: day, sha256 }),
]);

export type JournalEntry = z.infer<typeof schema>;
export type RunEntry = Exclude<JournalEntry, { kind: 'next-day' }>;
export type EndEntry = Extract<JournalEntry, { kind: 'end' }>;
/** An entry before it has its place in the chain. */
type Unlinked<T> = T extends unknown ? Omit<T, 'format' | 'previous' | 'sha256'> : never;
export type NewEntry = Unlinked<JournalEntry>;

/** The text of an entry at its place in the chain. */
export function formatJournalEntry(entry: NewEntry, previous: string | null): string {
	return withChecksum({ format: FORMAT, previous, ...entry });
}

/**
 * @param location where it lies, for messages
 * @throws BackupError 'damaged', 'newer-format'
 */
export function parseJournalEntry(text: string, location: string): JournalEntry {
	try {
		const data: unknown = JSON.parse(text);
		assertFormat(data, location);
		const entry = schema.parse(data);
		const { sha256: _, ...rest } = data as Record<string, unknown>;
		if (text === withChecksum(rest)) return entry;
	} catch (cause) {
		if (cause instanceof BackupError) throw cause;
		throw damaged(location, cause);
	}
	throw damaged(location);
}

/** What the next entry says of this one. */
export function hashOf(text: string): string {
	return createHash('sha256').update(text).digest('hex');
}

function damaged(location: string, cause?: unknown): BackupError {
	return new BackupError('damaged', `${location} is not as it was written`, {
		hint: 'Somebody or something changed this entry of the journal. Look at who can write to the storage.',
		cause,
	});
}

function withChecksum(data: object): string {
	return toText({ ...data, sha256: hashOf(toText(data)) });
}

function toText(data: object): string {
	return `${JSON.stringify(data, null, 1)}\n`;
}
