/** What lies in a storage besides its journal, and the journal itself, to look at and to spoil. */
import { Readable } from 'node:stream';
import { readText } from '../../core/records/small-objects';
import type { Storage } from '../../core/storage/storage';

const ENTRY = /^runs\/\d{4}-\d{2}-\d{2}\/\d{6}\.json$/;

/** Every run adds entries, and they stay; heartbeats of runs that ended are none. */
export function isJournalEntry(key: string): boolean {
	return ENTRY.test(key);
}

export async function keysIn(storage: Storage): Promise<string[]> {
	const found: string[] = [];
	for await (const { key } of storage.list('')) found.push(key);
	return found;
}

export async function entriesIn(storage: Storage): Promise<string[]> {
	return (await keysIn(storage)).filter(isJournalEntry);
}

export async function keysBesideJournal(storage: Storage): Promise<string[]> {
	return (await keysIn(storage)).filter((key) => !isJournalEntry(key));
}

/** Puts another text in the place of an object, as somebody with other programs can. */
export async function replaceText(storage: Storage, key: string, text: string): Promise<void> {
	await storage.remove(key);
	await storage.write(key, Readable.from([Buffer.from(text)]));
}

export async function exchange(storage: Storage, one: string, other: string): Promise<void> {
	const texts = [await readText(storage, one), await readText(storage, other)] as const;
	await replaceText(storage, one, texts[1]);
	await replaceText(storage, other, texts[0]);
}
