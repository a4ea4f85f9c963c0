/** Whole files of a running server, piece by piece: the next pieces are asked for while the last ones are worked at. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { firstPageOf, type PageCheck, type PageJudge } from '../base/page-check';
import { PAGE_BYTES } from '../base/page-checksum';
import type { ServerFile } from './list-files';
import { BATCH_BYTES, BATCH_PIECES, type Piece, PIECE_BYTES, readPieces } from './read-files';

/** A file of settings may have grown since it was listed, and must not be cut. */
const GROWTH_BYTES = 64 * 1024;
/** So often a page is read again that was half old and half new, with a pause, milliseconds. */
const REREADS = 5;
const PAUSE_MS = 20;

/** A piece of a file, in the order of the file. */
export interface ReadPiece {
	file: ServerFile;
	offset: number;
	/** Of the file as it is given: as it was listed, or as it was read where one piece is all of it. */
	size: number;
	/** Of this piece. */
	length: number;
	/** Null where the file is gone; less than the length where it does not go as far any more. */
	bytes: Buffer | null;
	/** No other piece of the file follows. */
	isLast: boolean;
}

export interface PageChecks {
	judge: PageJudge;
	/** Takes note of what stays damaged. */
	check: PageCheck;
}

interface WantedPiece extends Piece {
	file: ServerFile;
	isLast: boolean;
}

/**
 * Reads files, none of which is empty.
 * @param pages of a cluster whose pages have checksums; null otherwise
 * @throws what `pg` throws
 */
export async function* readWhole(
	client: Client,
	files: Iterable<ServerFile>,
	pages: PageChecks | null,
): AsyncGenerator<ReadPiece> {
	for await (const { batch, found } of readAhead(client, batchesOf(files))) {
		if (pages) await mendTorn(client, batch, found, pages);
		for (const [at, { file, offset, length, isLast }] of batch.entries()) {
			const bytes = found[at] ?? null;
			const isAll = offset === 0 && isLast;
			const read = bytes?.length ?? 0;
			yield { file, offset, size: isAll ? read : file.size, length: isAll ? read : length, bytes, isLast };
		}
	}
}

/** Reads batches of pieces, one ahead. @throws what `pg` throws */
export async function* readAhead<P extends Piece>(
	client: Client,
	batches: Iterable<P[]>,
): AsyncGenerator<{ batch: P[]; found: Array<Buffer | null> }> {
	let before: { batch: P[]; reading: Promise<Array<Buffer | null>> } | null = null;
	for (const batch of batches) {
		const reading = readPieces(client, batch);
		// Whoever waits hears of it; nobody may wait any more.
		reading.catch(() => undefined);
		if (before) yield { batch: before.batch, found: await before.reading };
		before = { batch, reading };
	}
	if (before) yield { batch: before.batch, found: await before.reading };
}

/** Pieces of at most {@link BATCH_BYTES} together. */
export function* batched<P extends Piece>(pieces: Iterable<P>): Generator<P[]> {
	let batch: P[] = [];
	let bytes = 0;
	for (const piece of pieces) {
		if (batch.length === BATCH_PIECES || (batch.length > 0 && bytes + piece.length > BATCH_BYTES)) {
			yield batch;
			batch = [];
			bytes = 0;
		}
		batch.push(piece);
		bytes += piece.length;
	}
	if (batch.length > 0) yield batch;
}

function* batchesOf(files: Iterable<ServerFile>): Generator<WantedPiece[]> {
	yield* batched(allPieces(files));
}

function* allPieces(files: Iterable<ServerFile>): Generator<WantedPiece> {
	for (const file of files) {
		const { path, size } = file;
		if (firstPageOf(path) === null && size <= PIECE_BYTES) {
			yield { file, path, offset: 0, length: size + GROWTH_BYTES, isLast: true };
			continue;
		}
		for (let offset = 0; offset < size; offset += PIECE_BYTES) {
			const length = Math.min(PIECE_BYTES, size - offset);
			yield { file, path, offset, length, isLast: offset + length === size };
		}
	}
}

/** Where a page lies, in a piece and in its file. */
interface Torn {
	piece: WantedPiece;
	bytes: Buffer;
	at: number;
	block: number;
}

/** A page that the server wrote while it was read is read again, as the server does it when it makes the copy. */
async function mendTorn(
	client: Client,
	batch: readonly WantedPiece[],
	found: ReadonlyArray<Buffer | null>,
	{ judge, check }: PageChecks,
): Promise<void> {
	const isSound = (bytes: Buffer, at: number, block: number) => {
		bytes.copy(judge.bytes, 0, at, at + PAGE_BYTES);
		return judge.isSound(block);
	};
	let torn: Torn[] = [];
	for (const [n, piece] of batch.entries()) {
		const first = firstPageOf(piece.path);
		const bytes = found[n];
		if (first === null || !bytes) continue;
		for (let at = 0; at + PAGE_BYTES <= bytes.length; at += PAGE_BYTES) {
			const block = first + (piece.offset + at) / PAGE_BYTES;
			if (!isSound(bytes, at, block)) torn.push({ piece, bytes, at, block });
		}
	}
	for (let reread = 0; torn.length > 0 && reread < REREADS; reread++) {
		await delay(PAUSE_MS);
		const wanted = torn.map(({ piece, at }) => ({ path: piece.path, offset: piece.offset + at, length: PAGE_BYTES }));
		const again = await readPieces(client, wanted);
		torn = torn.filter(({ bytes, at, block }, n) => {
			const page = again[n];
			// Cut off since, or removed: replayed, it is gone.
			if (page?.length !== PAGE_BYTES) return false;
			page.copy(bytes, at);
			return !isSound(bytes, at, block);
		});
	}
	for (const { piece, block } of torn) check.note(piece.path, block);
}
