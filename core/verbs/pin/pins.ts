/**
 * Pins: a pinned backup is one that no policy removes. Pinning counts as reading, so that it never comes between
 * retention's decision and the removal: while retention works, it waits; while it works, retention leaves the backup alone.
 */
import { MANIFEST, PIN, objectKey } from '../../records/layout';
import type { Actor, Verb } from '../../records/journal/actor';
import { BackupError } from '../../base/errors';
import { assertGroup, parseLabel } from '../../records/label';
import { type Limits } from '../../base/limits';
import { type Run, runVerb, within } from '../run';
import { type Repository } from '../../records/repository';

const MAX_REASON = 500;

export interface PinRequest {
	repository: Repository;
	group: string;
	label: string;
	/** Why, for people, up to 500 characters. Whoever reads the storage can read it. */
	reason?: string;
	actor?: Actor;
	limits?: Partial<Limits>;
	signal: AbortSignal;
}

export interface PinResult {
	group: string;
	label: string;
	pinned: boolean;
	/** false: it was so before. */
	changed: boolean;
	warnings: string[];
}

/**
 * Pins a backup. An earlier pin stays as it is.
 * @throws BackupError 'not-found' when there is no such backup, 'invalid-manifest' and others when nobody can read it, 'locked' while retention does not end, 'invalid-input'
 */
export async function pinBackup(request: PinRequest): Promise<PinResult> {
	const { group, label } = request;
	const reason = assertReason(request.reason);
	return await change(request, 'pin', async ({ repository, signal }) => {
		// What nobody can restore is not worth keeping: whoever pins it should hear of that.
		await repository.readManifest(group, label, signal);
		const isNew = await repository.writePin(group, label, { at: new Date().toISOString(), reason }, signal);
		// Somebody may have removed it by hand, and a pin alone is nothing.
		if (await isThere(repository, group, label)) return isNew;
		await repository.removePin(group, label);
		throw missing(request);
	});
}

/**
 * Lets retention decide about a backup again.
 * @throws BackupError 'not-found' when there is no such backup, 'locked' while retention does not end
 */
export async function unpinBackup(request: Omit<PinRequest, 'reason'>): Promise<PinResult> {
	const { group, label } = request;
	return await change(request, 'unpin', async ({ repository }) => {
		const wasPinned = (await repository.storage.stat(objectKey(group, label, PIN))) !== null;
		await repository.removePin(group, label);
		return wasPinned;
	});
}

async function change(
	request: PinRequest,
	verb: Extract<Verb, 'pin' | 'unpin'>,
	work: (run: Run) => Promise<boolean>,
): Promise<PinResult> {
	const { group, label, actor } = request;
	assertGroup(group);
	if (!parseLabel(label)) {
		throw new BackupError('invalid-input', `"${label}" is not the label of a backup`, {
			hint: 'Labels look like 20261120T020000Z-full-k3f9; list the backups to see them.',
		});
	}
	const { limits, signal } = request;
	const { value, warnings } = await runVerb(
		{ ...{ verb, group, label, actor, limits, signal, advice: 'try again' }, open: within(request.repository) },
		async (run): Promise<Omit<PinResult, 'warnings'>> => {
			await run.hold(group, label);
			if (!(await isThere(run.repository, group, label))) throw missing(request);
			return { group, label, pinned: verb === 'pin', changed: await work(run) };
		},
		({ changed }) => ({ outcome: 'ok', facts: { changed } }),
	);
	return { ...value, warnings };
}

async function isThere(repository: Repository, group: string, label: string): Promise<boolean> {
	return (await repository.storage.stat(objectKey(group, label, MANIFEST))) !== null;
}

function missing({ repository, group, label }: PinRequest): BackupError {
	return new BackupError('not-found', `there is no backup ${group}/${label} in ${repository.storage.location}`, {
		hint: 'List the backups to see what is there.',
	});
}

/** @throws BackupError 'invalid-input' */
function assertReason(reason: string | undefined): string | null {
	const text = reason?.trim() ?? '';
	if (text.length > MAX_REASON || /\p{Cc}/u.test(text)) {
		throw new BackupError('invalid-input', 'the reason of the pin cannot be used', {
			hint: `Give one line of up to ${MAX_REASON} characters.`,
		});
	}
	return text === '' ? null : text;
}
