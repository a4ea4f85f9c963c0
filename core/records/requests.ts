/**
 * Requests from outside that were accepted, each under the digest of its idempotency key: so the same key never starts a second run, also
 * not in an n8n that was restored or restarted. A request is written once, and once more when its work has ended. Both are in the clear,
 * and so hold names and codes, no messages.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { BackupError, isBackupError } from '../base/errors';
import { randomWord } from '../base/random-word';
import type { Storage } from '../storage/storage';
import { forgetOld } from './forget-old';
import { requestKey, REQUESTS } from './layout';
import { readText, writeText } from './small-objects';

/** So long a key is known, milliseconds: 30 days. */
const KEEP_MS = 30 * 24 * 3_600_000;

const word = z.string().max(1000);

const requestSchema = z.object({
	format: z.literal(1),
	verb: z.enum(['backup', 'verify', 'restore']),
	/** What is to be done: group, label, database, … */
	asked: z.record(word),
	requestedBy: word,
	/** Of n8n: number of the workflow, and of the execution that accepted it. */
	workflow: word,
	execution: word,
	/** Tells two writers apart. */
	attempt: word,
});

const endSchema = z.object({
	format: z.literal(1),
	outcome: z.enum(['ok', 'failed']),
	code: word.nullable(),
	/** What was backed up, verified or restored. */
	backups: z.array(z.object({ group: word, label: word })).max(1000),
});

/** A request as it was accepted. */
export type AcceptedRequest = Omit<z.infer<typeof requestSchema>, 'format' | 'attempt'>;
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

/**
 * Accepts a request, unless one with this id was accepted before.
 * @returns the one that counts: the given one where it is new, else the earlier one
 * @throws BackupError of the storage
 */
export async function acceptRequest(
	storage: Storage,
	id: string,
	request: AcceptedRequest,
	signal?: AbortSignal,
): Promise<{ isNew: boolean; request: AcceptedRequest }> {
	await forgetOld(storage, REQUESTS, { olderThanMs: KEEP_MS, signal });
	const attempt = randomWord(12);
	const key = requestKey(id, 'accepted');
	try {
		await writeText(storage, key, textOf({ ...request, attempt }), { signal });
		return { isNew: true, request };
	} catch (error) {
		if (!isBackupError(error, 'already-exists')) throw error;
	}
	const known = await readObject(storage, key, requestSchema, signal);
	if (!known) {
		throw new BackupError('storage-failed', `${storage.location}/${key} was there, and is not any more`, {
			hint: 'Somebody has just removed it. Send the request again.',
		});
	}
	// A storage that repeats a write whose answer was lost finds what it wrote itself.
	return { isNew: known.value.attempt === attempt, request: acceptedOf(known.value) };
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

/** Writes down how the work of a request ended. What was written first stays. */
export async function endRequest(storage: Storage, id: string, end: RequestEnd, signal?: AbortSignal): Promise<void> {
	try {
		await writeText(storage, requestKey(id, 'end'), textOf(end), { signal });
	} catch (error) {
		if (!isBackupError(error, 'already-exists')) throw error;
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

function textOf(value: object): string {
	return `${JSON.stringify({ format: 1, ...value })}\n`;
}
