/**
 * The names of everything in a repository, each spelled once: those of evidence in evidence.ts, all others here.
 *
 *     repository.json                                  what the repository says of itself
 *     <group>/<label>/                                 a backup: its data, and
 *         manifest.json                                written last: what has none is no backup
 *         <name>.sig                                   the signature of a manifest, of evidence or of an approval
 *         verified-<time>-<depth>-<outcome>.json       evidence (see evidence.ts)
 *         pin.json, tag-<tag>.json                     what keeps it
 *         approved.json                                a person said that what the source lost is right
 *         expired.json                                 it is being removed
 *     runs/<yyyy-mm-dd>/<number>.json                  the journal
 *     runs/<yyyy-mm-dd>/<run id>.beat-<n>.json         a run's last heartbeat
 *     monitoring/told-<n>.json                         which alerts people were told of
 *     monitoring/request-<id>.json                     a request from outside that was accepted
 *     monitoring/request-<id>.end.json                 how its work ended
 *     monitoring/cancel-<run id>.json                  somebody wants that run to stop
 *     locks/<group>.json                               the lock of a group
 *     locks/<group>.alive-<id>-<n>.json                the holder's last heartbeat
 *     locks/<group>.break-<id>.json                    the right to break the lock <id>
 *     locks/<group>.reading-<id>.json                  who reads a backup
 *     locks/<group>.reading-<id>-<n>.json              the reader's last heartbeat
 *     locks/<group>.probe-<id>.json                    written and removed to learn the storage's time
 */

export const REPOSITORY_KEY = 'repository.json';
export const RUNS = 'runs/';
export const LOCKS = 'locks/';
/** What was told of alerts: the newest counts. */
export const TOLD = 'monitoring/told-';
/** What the names of accepted requests, and of their ends, begin with. */
export const REQUESTS = 'monitoring/request-';
/** What the names of wishes that a run stops begin with. */
export const CANCELS = 'monitoring/cancel-';

export const MANIFEST = 'manifest.json';
export const PIN = 'pin.json';
export const APPROVED = 'approved.json';
export const EXPIRED = 'expired.json';
export const TAG_NAME = /^tag-([a-z0-9][a-z0-9-]{0,39})\.json$/;

/** What the name of a signature ends in, behind the name of what is signed. */
export const SIGNATURE = '.sig';

/** Top-level names that belong to the repository itself. */
export const RESERVED: readonly string[] = [
	REPOSITORY_KEY,
	RUNS.slice(0, -1),
	LOCKS.slice(0, -1),
	TOLD.split('/', 1)[0]!,
];

/** Whether a key is, or lies below, what belongs to the repository itself. */
export function isReserved(key: string): boolean {
	return RESERVED.includes(key.split('/', 1)[0]!);
}

/** Where an object of a backup lies. */
export function objectKey(group: string, label: string, name: string): string {
	return `${group}/${label}/${name}`;
}

/** Name of the object that is a tag. */
export function tagName(tag: string): string {
	return `tag-${tag}.json`;
}

/** An entry of the journal: its day and its number. */
export const ENTRY = /^runs\/(\d{4}-\d{2}-\d{2})\/(\d{6,9})\.json$/;
/** A run's heartbeat: the run and its number. Words are those of `randomWord`, here and below. */
export const BEAT = /^runs\/\d{4}-\d{2}-\d{2}\/([a-z2-9]{12})\.beat-(\d+)\.json$/;

/** The wish that a run stops. */
export function cancelKey(run: string): string {
	return `${CANCELS}${run}.json`;
}

/** @param part what it says of the request: that it was accepted, or how it ended */
export function requestKey(id: string, part: 'accepted' | 'end'): string {
	return `${REQUESTS}${id}${part === 'end' ? '.end' : ''}.json`;
}

export function entryKey(day: string, number: number): string {
	return `${RUNS}${day}/${String(number).padStart(6, '0')}.json`;
}

export function beatKey(day: string, id: string, n: number): string {
	return `${RUNS}${day}/${id}.beat-${n}.json`;
}

/** A lock, where it is nothing that lies beside one: its group. */
export const LOCK = /^locks\/(.+)\.json$/;
/** What lies beside a lock: its group, what it is, whose. */
export const BESIDE = /^locks\/(.+)\.(alive|break|probe|reading)-([a-z2-9]{12})(?:-\d+)?\.json$/;
/** What follows {@link markPrefix} in the name of a reader's mark or heartbeat: whose it is. */
export const MARK = /^([a-z2-9]{12})(?:-\d+)?\.json$/;

export function lockKey(group: string): string {
	return `${LOCKS}${group}.json`;
}

/** What the names of a group's lock, and of all that lies beside it, begin with; so do those of `<group>.<more>`. */
export function lockPrefix(group: string): string {
	return `${LOCKS}${group}.`;
}

/** @param n of the heartbeat; what all of this holder's begin with when absent */
export function aliveKey(group: string, id: string, n?: number): string {
	return `${LOCKS}${group}.alive-${id}-${n === undefined ? '' : `${n}.json`}`;
}

export function breakKey(group: string, id: string): string {
	return `${LOCKS}${group}.break-${id}.json`;
}

export function probeKey(group: string, id: string): string {
	return `${LOCKS}${group}.probe-${id}.json`;
}

export function markPrefix(group: string): string {
	return `${LOCKS}${group}.reading-`;
}

/** @param beat of the reader's heartbeat; the mark itself when absent */
export function markKey(group: string, id: string, beat?: number): string {
	return `${markPrefix(group)}${id}${beat === undefined ? '' : `-${beat}`}.json`;
}
