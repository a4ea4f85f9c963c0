/**
 * Requests from outside that were accepted, each under the digest of its idempotency key: so the same key never starts a second run, also
 * not in an n8n that was restored or restarted. A request is written once, and once more when its work has ended. Both are in the clear,
 * and so hold names and codes, no messages.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { BackupError, isBackupError } from '../base/errors';
import { assertFits } from '../base/fits';
import { randomWord } from '../base/random-word';
import { pause } from '../base/retry';
import type { Storage } from '../storage/storage';
import { forgetOld } from './forget-old';
import { requestKey, REQUESTS } from './layout';
import { readText, writeText } from './small-objects';

/** So long a key is known, milliseconds: 30 days. */
const KEEP_MS = 30 * 24 * 3_600_000;

const MAX_WORD = 1000;
const MAX_BACKUPS = 1000;
const word = z.string().max(MAX_WORD);

const requestSchema = z.object({
	format: z.literal(1),
	verb: z.enum(['backup', 'verify', 'restore']),
	/** What is to be done: group, label, database, … */
	asked: z.record(word),
	requestedBy: word,
	/** Of n8n: number of the workflow, and of the execution that accepted it. */
	workflow: word,
	execution: word,
	/** What its doing needs besides; absent where nothing is. */
	offered: z.record(word).optional(),
	/** Tells two writers apart. */
	attempt: word,
});

const endSchema = z.object({
	format: z.literal(1),
	outcome: z.enum(['ok', 'failed']),
	code: word.nullable(),
	/** What was backed up, verified or restored. */
	backups: z.array(z.object({ group: word, label: word })).max(MAX_BACKUPS),
});

/** A request as it was accepted. */
export type AcceptedRequest = Omit<z.infer<typeof requestSchema>, 'format' | 'offered' | 'attempt'>;
/** How its work ended. */
export type RequestEnd = Omit<z.infer<typeof endSchema>, 'format'>;

/** A request as the storage knows it. */
export interface KnownRequest extends AcceptedRequest {
	/** By the storage's clock. */
	acceptedAt: Date;
	/** Null while it is at work, and for ever where that was killed. */
	end: (RequestEnd & { at: Date }) | null;
}

/** Ids of requests: twenty hexadecimal digits. */
export const REQUEST_ID = /^[0-9a-f]{20}$/;

/** The id of a request, from the key that its sender chose. */
export function requestId(idempotencyKey: string): string {
	return createHash('sha256').update(idempotencyKey).digest('hex').slice(0, 20);
}

/** What the doing of a request needs besides what was asked. */
export type Offer = Readonly<Record<string, string>>;

export interface AcceptOptions {
	/** Asked for where nobody has sent this key before. What it throws refuses the request, which is not written down then. */
	offer?: () => Promise<Offer>;
	/**
	 * Where the storage cannot promise that one of several writers wins: how long to wait before looking which one did, milliseconds.
	 * @default 0, without a look
	 */
	settleMs?: number;
	signal?: AbortSignal;
}

/**
 * Accepts a request, unless one with this id was accepted before.
 * @returns the one that counts, with what it was offered: the given one where it is new, else the earlier one
 * @throws BackupError of the storage; what `offer` throws
 */
export async function acceptRequest(
	storage: Storage,
	id: string,
	request: AcceptedRequest,
	{ offer = async () => ({}), settleMs = 0, signal }: AcceptOptions = {},
): Promise<{ isNew: boolean; request: AcceptedRequest; offer: Offer }> {
	await forgetOld(storage, REQUESTS, { olderThanMs: KEEP_MS, signal });
	const key = requestKey(id, 'accepted');
	const earlier = await readObject(storage, key, requestSchema, signal);
	if (earlier) return { isNew: false, ...acceptanceOf(earlier.value) };
	const offered = await offer();
	const attempt = randomWord(12);
	const text = textOf(requestSchema, { format: 1, ...request, offered, attempt });
	const isWritten = await writeOnce(storage, key, text, signal);
	if (isWritten && settleMs === 0) return { isNew: true, request, offer: offered };
	await pause(settleMs, signal);
	const known = await readObject(storage, key, requestSchema, signal);
	if (!known) {
		throw new BackupError('storage-failed', `${storage.location}/${key} was there, and is not any more`, {
			hint: 'Somebody has just removed it. Send the request again.',
		});
	}
	// A storage that repeats a write whose answer was lost finds what it wrote itself.
	return { isNew: known.value.attempt === attempt, ...acceptanceOf(known.value) };
}

/** What is known of a request; null where it was never accepted, or so long ago that it was forgotten. */
export async function readRequest(storage: Storage, id: string, signal?: AbortSignal): Promise<KnownRequest | null> {
	const accepted = await readObject(storage, requestKey(id, 'accepted'), requestSchema, signal);
	if (!accepted) return null;
	const end = await readObject(storage, requestKey(id, 'end'), endSchema, signal);
	return {
		...acceptedOf(accepted.value),
		acceptedAt: accepted.at,
		end: end && { outcome: end.value.outcome, code: end.value.code, backups: end.value.backups, at: end.at },
	};
}

/** Writes down how the work of a request ended. What was written first stays. Of more backups than are kept, the first ones are. */
export async function endRequest(storage: Storage, id: string, end: RequestEnd, signal?: AbortSignal): Promise<void> {
	const { outcome, code, backups } = end;
	const kept = { outcome, code: code && code.slice(0, MAX_WORD), backups: backups.slice(0, MAX_BACKUPS) };
	await writeOnce(storage, requestKey(id, 'end'), textOf(endSchema, { format: 1, ...kept }), signal);
}

/** @returns false where something lies there already */
async function writeOnce(storage: Storage, key: string, text: string, signal?: AbortSignal): Promise<boolean> {
	try {
		await writeText(storage, key, text, { signal });
		return true;
	} catch (error) {
		if (isBackupError(error, 'already-exists')) return false;
		throw error;
	}
}

async function readObject<T>(
	storage: Storage,
	key: string,
	schema: z.ZodType<T>,
	signal?: AbortSignal,
): Promise<{ value: T; at: Date } | null> {
	const object = await storage.stat(key, { signal });
	if (!object) return null;
	try {
		return { value: schema.parse(JSON.parse(await readText(storage, key, signal))), at: object.modifiedAt };
	} catch (cause) {
		if (!(cause instanceof z.ZodError) && !(cause instanceof SyntaxError)) throw cause;
		throw new BackupError('damaged', `${storage.location}/${key} is not as it was written`, {
			hint: 'Somebody or something changed this record of a request. Look at who can write to the storage.',
			cause,
		});
	}
}

function acceptedOf({ verb, asked, requestedBy, workflow, execution }: z.infer<typeof requestSchema>): AcceptedRequest {
	return { verb, asked, requestedBy, workflow, execution };
}

function acceptanceOf(value: z.infer<typeof requestSchema>): { request: AcceptedRequest; offer: Offer } {
	return { request: acceptedOf(value), offer: value.offered ?? {} };
}

/** The text of a record. @throws BackupError 'invalid-input' for one that could not be read again */
function textOf<T>(schema: z.ZodType<T>, value: T): string {
	assertFits(schema, value, 'a record of a request');
	return `${JSON.stringify(value)}\n`;
}
