/** When the last transaction of a piece of log ended, as far as its manifest can be believed. */
import type { Manifest } from '../../../../records/manifest';

/** No server that is backed up had its last transaction before. */
const FIRST = Date.UTC(2001, 0, 1);
/** The clocks of a server and of whoever backs it up differ by less. */
const CLOCKS_DIFFER_MS = 24 * 60 * 60 * 1000;

/** What is known of the end of a transaction. */
export interface LastCommit {
	/** ISO 8601; null where no transaction ended, or nobody knows when. */
	time: string | null;
	isKnown: boolean;
}

/**
 * The last transaction that ended in a piece of log. A time that cannot be is not known: where `wal_level` was `logical`, early versions read it
 * out of records that have none, mostly as one of January 2000.
 * @param earlier that of the pieces before
 */
export function lastCommitOf(
	{ finishedAt, source }: Pick<Manifest, 'finishedAt' | 'source'>,
	earlier: string | null = null,
): LastCommit {
	const { lastCommit } = source.details;
	if (typeof lastCommit !== 'string') return { time: null, isKnown: true };
	const time = Date.parse(lastCommit);
	const from = earlier === null ? FIRST : Date.parse(earlier) - CLOCKS_DIFFER_MS;
	const isKnown = time >= from && time <= Date.parse(finishedAt) + CLOCKS_DIFFER_MS;
	return { time: isKnown ? lastCommit : null, isKnown };
}

/** The last transaction of this piece and of all before: times do not always rise along the log. */
export function laterCommit(before: LastCommit, piece: Pick<Manifest, 'finishedAt' | 'source'>): LastCommit {
	const own = lastCommitOf(piece, before.time);
	if (!own.isKnown) return { ...before, isKnown: false };
	if (own.time === null) return before;
	const isLater = before.time === null || Date.parse(own.time) > Date.parse(before.time);
	return { time: isLater ? own.time : before.time, isKnown: true };
}
