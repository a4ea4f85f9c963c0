/**
 * Approvals: a person looked at a backup whose source had much less than before, and said that it is right. One object beside the
 * backup, signed where there is a key. What it is about is in manifests (`shrunk`): each names what was lost and nobody had approved
 * by then, also what backups before it had shown, so that the newest manifest alone tells.
 */
import { z } from 'zod';
import { BackupError, isBackupError } from '../base/errors';
import { NAMESPACES } from './authority';
import type { BackupEntry } from './catalog';
import { APPROVED, objectKey, SIGNATURE } from './layout';
import { assertFormat, FORMAT, type Loss, type Manifest } from './manifest';
import { readable } from './proof';
import type { Repository } from './repository';
import { readText, writeText } from './small-objects';

const schema = z.strictObject({
	format: z.literal(FORMAT),
	group: z.string(),
	label: z.string(),
	at: z.string().datetime(),
	/** Why it is right, for people; whoever reads the storage can read it. */
	reason: z.string().max(500).nullable(),
});

/** What lies beside a backup that was approved. */
export type Approval = z.infer<typeof schema>;

type Named = Pick<BackupEntry, 'group' | 'label'>;

/**
 * Reads an approval.
 * @throws BackupError 'not-found', 'damaged', 'newer-format'; 'unsigned', 'bad-signature', 'unknown-signer'
 */
export async function readApproval(
	repository: Repository,
	{ group, label }: Named,
	signal?: AbortSignal,
): Promise<Approval> {
	const key = objectKey(group, label, APPROVED);
	const text = await readText(repository.storage, key, signal);
	const approval = parseApproval(text, `${repository.storage.location}/${key}`);
	if (approval.group !== group || approval.label !== label) {
		throw damaged(`${repository.storage.location}/${key} belongs to ${approval.group}/${approval.label}`);
	}
	const made = { text, namespace: NAMESPACES.approval, at: new Date(approval.at) };
	const doubt = await repository.doubtOf(key, made, signal);
	if (doubt !== null) throw doubt;
	return approval;
}

/** Stores an approval in the place of any that does not count. */
export async function writeApproval(
	repository: Repository,
	approval: Omit<Approval, 'format'>,
	signal?: AbortSignal,
): Promise<void> {
	const key = objectKey(approval.group, approval.label, APPROVED);
	const text = `${JSON.stringify({ format: FORMAT, ...approval }, null, 2)}\n`;
	try {
		await writeText(repository.storage, key, text, { signal });
	} catch (error) {
		if (!isBackupError(error, 'already-exists')) throw error;
		await repository.storage.remove(`${key}${SIGNATURE}`);
		await repository.storage.remove(key);
		await writeText(repository.storage, key, text, { signal });
	}
	await repository.sign(key, text, NAMESPACES.approval, { signal });
}

/**
 * Whether an approval counts that the name of an object tells of: anyone who can write to the storage can make a name.
 * @throws BackupError of the storage
 */
export async function isApproved(repository: Repository, entry: Named, signal?: AbortSignal): Promise<boolean> {
	return 'value' in (await readable(async () => await readApproval(repository, entry, signal), { signal }));
}

/**
 * What a group lost and nobody has approved, told from its newest backup. An approval is about all that was lost up to that backup.
 * @param entries of the group
 * @throws BackupError of the storage
 */
export async function openLosses(
	repository: Repository,
	{ label: newest, shrunk = [] }: Manifest,
	entries: readonly BackupEntry[],
	signal?: AbortSignal,
): Promise<Loss[]> {
	if (shrunk.length === 0) return [];
	const first = shrunk.map(({ shownBy }) => shownBy).sort()[0]!;
	const latestFirst = entries
		.filter(({ approved, label }) => approved && label >= first && label <= newest)
		.sort((a, b) => (a.label < b.label ? 1 : -1));
	for (const entry of latestFirst) {
		if (!(await isApproved(repository, entry, signal))) continue;
		return shrunk.filter(({ shownBy }) => shownBy > entry.label);
	}
	return [...shrunk];
}

/** For people: "99 % of the files are gone since 20261120T020000Z-full-k3f9: 10 now, 1000 then". */
export function lossText({ what, from, to, since }: Loss): string {
	return `${lostPercent({ from, to })} % of the ${what} are gone since ${since}: ${to} now, ${from} then`;
}

/** Rounded down. */
export function lostPercent({ from, to }: Pick<Loss, 'from' | 'to'>): number {
	return Math.floor((1 - to / from) * 100);
}

function parseApproval(text: string, location: string): Approval {
	try {
		const data: unknown = JSON.parse(text);
		assertFormat(data, location);
		return schema.parse(data);
	} catch (cause) {
		if (cause instanceof BackupError) throw cause;
		throw damaged(`the approval ${location} cannot be read`, cause);
	}
}

function damaged(message: string, cause?: unknown): BackupError {
	return new BackupError('damaged', message, {
		hint: 'It was changed, moved or damaged. Approve the backup again.',
		cause,
	});
}
