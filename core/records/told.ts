/**
 * Which alerts people were told of. It lies in the storage that they are about, so that an n8n that was restored, or another one, does not tell
 * all of them again. A storage never overwrites: each state is a new small object, and the one before it is removed.
 */
import { z } from 'zod';
import { isBackupError } from '../base/errors';
import type { Storage } from '../storage/storage';
import { TOLD } from './layout';
import { readText, writeText } from './small-objects';

const MAX_TEXT = 2000;
const text = z.string().max(MAX_TEXT);

const schema = z.object({
	format: z.literal(1),
	/** By what it is about and its reason. */
	alerts: z
		.record(
			z.object({
				severity: z.enum(['warning', 'critical']),
				text,
				/** When it was first seen, and last told; ISO 8601. */
				since: z.string().datetime(),
				toldAt: z.string().datetime(),
			}),
		)
		.refine((alerts) => Object.keys(alerts).length <= 100_000),
});

/** Alerts that people know of. */
export type Told = z.infer<typeof schema>['alerts'];

/** A state, and the number under which the next one is stored. */
export interface StoredTold {
	alerts: Told;
	next: number;
	/** Key of the object; null where there is none. */
	key: string | null;
}

const NAME = /^monitoring\/told-(\d{1,12})\.json$/;

/** Reads the newest state; nobody was told of anything where there is none, or none that can be read. */
export async function readTold(storage: Storage, signal?: AbortSignal): Promise<StoredTold> {
	let newest: { key: string; number: number } | null = null;
	for await (const { key } of storage.list(TOLD, { signal })) {
		const number = Number(NAME.exec(key)?.[1] ?? NaN);
		if (number > (newest?.number ?? -1)) newest = { key, number };
	}
	if (newest === null) return { alerts: {}, next: 1, key: null };
	return { alerts: await alertsIn(storage, newest.key, signal), next: newest.number + 1, key: newest.key };
}

async function alertsIn(storage: Storage, key: string, signal?: AbortSignal): Promise<Told> {
	try {
		return schema.parse(JSON.parse(await readText(storage, key, signal))).alerts;
	} catch (error) {
		const isNone = error instanceof z.ZodError || error instanceof SyntaxError;
		if (isNone || isBackupError(error, 'not-found', 'damaged')) return {};
		throw error;
	}
}

/**
 * Stores the next state.
 * @returns false when somebody else has just stored one: he tells
 * @throws BackupError of the storage
 */
export async function writeTold(
	storage: Storage,
	{ next, key }: StoredTold,
	alerts: Told,
	signal?: AbortSignal,
): Promise<boolean> {
	try {
		await writeText(
			storage,
			`${TOLD}${String(next).padStart(8, '0')}.json`,
			`${JSON.stringify({ format: 1, alerts: shortened(alerts) })}\n`,
			{ signal },
		);
	} catch (error) {
		if (isBackupError(error, 'already-exists')) return false;
		throw error;
	}
	if (key !== null && !storage.appendOnly) await storage.remove(key, { signal });
	return true;
}

/** With texts that can be read again: one that is too long would have all alerts told anew each time. */
function shortened(alerts: Told): Told {
	const each = Object.entries(alerts).map(([key, alert]) => [key, { ...alert, text: alert.text.slice(0, MAX_TEXT) }]);
	return Object.fromEntries(each) as Told;
}
