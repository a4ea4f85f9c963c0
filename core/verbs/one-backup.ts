/**
 * What pinning and approving have in common: something is said of one backup, in a run of its own. It counts as reading, so that it
 * never comes between retention's decision and the removal: while retention works, it waits; while it works, retention leaves the
 * backup alone.
 */
import { BackupError } from '../base/errors';
import type { Limits } from '../base/limits';
import { withWayBack } from '../records/deleted';
import type { Actor, Verb } from '../records/journal/actor';
import { assertGroup, parseLabel } from '../records/label';
import { MANIFEST, objectKey } from '../records/layout';
import type { Repository } from '../records/repository';
import { type Ran, type Run, runVerb, alreadyOpen } from './run';

const MAX_REASON = 500;

/** Which backup, and who says it. */
export interface OneBackupRequest {
	repository: Repository;
	group: string;
	label: string;
	actor?: Actor;
	limits?: Partial<Limits>;
	signal: AbortSignal;
}

/**
 * Runs a verb about one backup that is there.
 * @throws BackupError 'not-found' when there is no such backup, 'locked' while retention does not end, 'invalid-input'
 */
export async function onBackup<T extends { changed: boolean }>(
	verb: Verb,
	request: OneBackupRequest,
	work: (run: Run) => Promise<T>,
): Promise<Ran<T>> {
	const { group, label, actor, limits, signal } = request;
	assertGroup(group);
	if (!parseLabel(label)) {
		throw new BackupError('invalid-input', `"${label}" is not the label of a backup`, {
			hint: 'Labels look like 20261120T020000Z-full-k3f9; list the backups to see them.',
		});
	}
	return await runVerb(
		{ ...{ verb, group, label, actor, limits, signal, advice: 'try again' }, open: alreadyOpen(request.repository) },
		async (run) => {
			await run.hold(group, label);
			if (!(await backupExists(run.repository, group, label))) throw await missing(request);
			return await work(run);
		},
		({ changed }) => ({ outcome: 'ok', facts: { changed } }),
	);
}

export async function backupExists(repository: Repository, group: string, label: string): Promise<boolean> {
	return (await repository.storage.stat(objectKey(group, label, MANIFEST))) !== null;
}

export async function missing({ repository: { storage }, group, label }: OneBackupRequest): Promise<BackupError> {
	const error = new BackupError('not-found', `there is no backup ${group}/${label} in ${storage.location}`, {
		hint: 'List the backups to see what is there.',
	});
	return await withWayBack(error, storage, `${group}/${label}/`);
}

/**
 * Why somebody says it, without blanks around it; null where nothing is given.
 * @param of what, for messages: "the pin"
 * @throws BackupError 'invalid-input'
 */
export function assertReason(reason: string | undefined, of: string): string | null {
	const text = reason?.trim() ?? '';
	if (text.length > MAX_REASON || /\p{Cc}/u.test(text)) {
		throw new BackupError('invalid-input', `the reason of ${of} cannot be used`, {
			hint: `Give one line of up to ${MAX_REASON} characters.`,
		});
	}
	return text === '' ? null : text;
}
