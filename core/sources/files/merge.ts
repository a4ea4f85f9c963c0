/** The indexes of a chain as one: what was there when the last of its backups was made, and where its contents lie. */
import { type Entry, isGone, entrySortKey, parseEntry } from './entry.ts';
import { Fault } from './fault.ts';
import { readLines } from './lines.ts';
import { versionsBelow } from './object.ts';

/** An entry as it was at the time of the last backup of a chain. */
export interface MergedEntry extends Entry {
	key: string;
	/** Which backup of the chain holds the contents: 0 is the last one, 1 its nearest parent, … */
	holder: number;
}

interface Layer {
	/** How far from the last backup. */
	distance: number;
	entry: Entry;
	key: string;
}

/**
 * Merges the indexes of a chain, in the order of `sortKey`, in the memory of one entry each.
 * @param files the index of each backup of the chain, unpacked: the last one first, then its parents, nearest first
 * @throws Fault 'damaged' when a line is none of ours, or not in order
 */
export function* mergeIndexes(files: readonly string[]): Generator<MergedEntry, void, undefined> {
	const sources = files.map((file) => readLines(file));
	const layers: Array<Layer | null> = [];
	/** Beginnings of keys below which a newer backup says that what older ones knew is gone; the last is the innermost. */
	const barriers: Array<{ prefix: string; distance: number }> = [];
	const advance = (distance: number) => (layers[distance] = next(sources[distance]!, distance, layers[distance]));
	try {
		files.forEach((_, distance) => advance(distance));
		for (;;) {
			const first = newestOfFirst(layers);
			if (!first) return;
			const { key, entry, distance } = first;
			while (barriers.length > 0 && !key.startsWith(barriers.at(-1)!.prefix)) barriers.pop();
			const isBelowGone = barriers.some((barrier) => barrier.distance < distance);
			for (const layer of layers) {
				if (layer?.key !== key) continue;
				const prefix = isKnownAnew(layer);
				if (prefix !== null) barriers.push({ prefix, distance: layer.distance });
				advance(layer.distance);
			}
			if (isBelowGone || isGone(entry)) continue;
			yield { ...entry, key, holder: distance + (entry.in ?? 0) };
		}
	} finally {
		for (const source of sources) source.return();
	}
}

/** What keys begin with of which this layer has all there is; null where it may have a part. */
function isKnownAnew({ entry, key }: Layer): string | null {
	// Also where a newer backup has made it anew: what was in it before is gone.
	if (entry.type === 'gone-directory') return key;
	// Who says anything of an object with versions says all of them; the first line is about what was current.
	return entry.object && !key.includes('\0') ? versionsBelow(key) : null;
}

function next(lines: Generator<string>, distance: number, before: Layer | null | undefined): Layer | null {
	const line = lines.next();
	if (line.done) return null;
	const entry = parseEntry(line.value);
	const key = entrySortKey(entry);
	if (before && key <= before.key) {
		throw new Fault('damaged', 'the index is not in order', 'No program of ours writes that. Use another backup.');
	}
	return { distance, entry, key };
}

/** Of the layers that come first, the one of the newest backup. */
function newestOfFirst(layers: ReadonlyArray<Layer | null>): Layer | null {
	let first: Layer | null = null;
	for (const layer of layers) if (layer && (first === null || layer.key < first.key)) first = layer;
	return first;
}
