/** Which stored log belongs behind a base backup, by the manifests alone: what may not be joined never is. */
import { isBackupError } from '../../../../base/errors';
import { inParallel } from '../../../../base/in-parallel';
import type { Manifest } from '../../../../records/manifest';
import type { BackupEntry, Repository } from '../../../../records/repository';
import { assertLogRange, logRangeOf } from '../wal/position';
import { LOG } from '../wal/word';
import { type LastCommit, laterCommit } from './last-commit';

/** There may be thousands of pieces of log; so many manifests are read at a time. */
const READS = 8;
/** Pieces before a base backup that are read at once, until one of them had ended before it. */
const BEFORE = 8;

/** What is read of a repository. */
type Records = Pick<Repository, 'list' | 'readManifest'>;

/**
 * Reads the backups of a group of log, in the order in which they were made. What nobody can read is left out: then what follows it does
 * not join.
 * @throws BackupError of the storage, 'cancelled'
 */
export async function readLog(repository: Records, group: string, signal: AbortSignal): Promise<Manifest[]> {
	return await readEach(repository, await listLog(repository, group), signal);
}

/**
 * The same, without what {@link joinLog} does not look at for a base backup: all that had ended before it began. Of weeks of log, a restore of
 * the newest moment needs that of a day.
 * @throws BackupError of the storage, 'cancelled'
 */
export async function readLogBehind(
	repository: Records,
	group: string,
	base: Manifest,
	signal: AbortSignal,
): Promise<Manifest[]> {
	const entries = await listLog(repository, group);
	const began = Date.parse(base.startedAt);
	const later = entries.findIndex(({ startedAt }) => startedAt > began);
	const before = later < 0 ? entries.length : later;
	let log: Manifest[] = [];
	for (let from = before; from > 0 && !log.some((piece) => isFirstOf(base, piece)); ) {
		const to = from;
		from = Math.max(0, to - BEFORE);
		log = [...(await readEach(repository, entries.slice(from, to), signal)), ...log];
	}
	return [...log, ...(await readEach(repository, entries.slice(before), signal))];
}

/** Whether nothing that was made before this piece, which is older than the base backup, belongs behind that. */
function isFirstOf(base: Manifest, piece: Manifest): boolean {
	const { source } = piece;
	if (source.server !== base.source.server) return false;
	const endsBefore = assertLogRange(piece).end <= assertLogRange(base).start;
	return endsBefore || source.details.newBeginning === true;
}

async function listLog(repository: Records, group: string): Promise<BackupEntry[]> {
	return (await repository.list(group)).toSorted((a, b) => a.startedAt - b.startedAt);
}

async function readEach(
	repository: Records,
	entries: readonly BackupEntry[],
	signal: AbortSignal,
): Promise<Manifest[]> {
	const read = await inParallel([...entries], READS, async ({ group, label }) => {
		signal.throwIfAborted();
		try {
			const manifest = await repository.readManifest(group, label, signal);
			return manifest.source.kind === LOG && logRangeOf(manifest) !== null ? [manifest] : [];
		} catch (error) {
			if (!isBackupError(error, 'invalid-manifest', 'not-found', 'unsigned', 'unknown-signer', 'bad-signature'))
				throw error;
			return [];
		}
	});
	return read.flat();
}

/** The log that belongs to a base backup. */
export interface JoinedLog {
	/** What follows the end of the base backup without a gap, in order. */
	pieces: Manifest[];
	/** What ends before that, and holds something of the time of the base backup. */
	earlier: Manifest[];
	/** Behind the last byte. */
	end: bigint;
	/** Of the last transaction in these pieces. */
	lastCommit: LastCommit;
	/** The first piece that would follow, were nothing missing before it; null where all that is stored of this history joins. */
	gap: Manifest | null;
}

/**
 * Which of the log belongs to a base backup.
 * @param log in the order in which it was made, of any server
 * @throws BackupError 'invalid-manifest' where one of them does not say which log it holds
 */
export function joinLog(base: Manifest, log: readonly Manifest[]): JoinedLog {
	const { start, end } = assertLogRange(base);
	const joined: JoinedLog = { pieces: [], earlier: [], end, lastCommit: { time: null, isKnown: true }, gap: null };
	for (const piece of ofSameHistory(base, log)) {
		const { start: from, end: to } = assertLogRange(piece);
		// Written before the server was restored to an earlier place, from which it went on on a timeline of its own.
		if (Number(piece.source.details.timeline) < Number(base.source.details.timeline) && to > joined.end) continue;
		if (to <= joined.end) {
			if (joined.pieces.length === 0 && to > start) joined.earlier.push(piece);
			continue;
		}
		if (from > joined.end) {
			joined.gap = piece;
			break;
		}
		joined.pieces.push(piece);
		joined.end = to;
		joined.lastCommit = laterCommit(joined.lastCommit, piece);
	}
	return joined;
}

/**
 * A server that was put back to an older state writes other log at the same places of the same timeline, and its collecting began anew: so
 * log from before such a beginning, and from behind it, are two histories, whatever their places say. A base backup belongs to the one that
 * had begun when it ended.
 */
function ofSameHistory(base: Manifest, log: readonly Manifest[]): Manifest[] {
	const ours = log.filter(({ source }) => source.server === base.source.server);
	const isBeginning = ({ source }: Manifest) => source.details.newBeginning === true;
	const ended = Date.parse(base.finishedAt);
	const begun = ours.findLastIndex((piece) => isBeginning(piece) && Date.parse(piece.startedAt) <= ended);
	const first = Math.max(begun, 0);
	const next = ours.findIndex((piece, place) => place > first && isBeginning(piece));
	return ours.slice(first, next < 0 ? undefined : next);
}
