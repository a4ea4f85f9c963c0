/**
 * The record that makes bytes a backup. It is written last: a backup exists exactly when its manifest exists.
 * It is not encrypted, so it holds nothing that a reader of the storage must not learn; names of tables and files are
 * in `contents`, an object of its own that is encrypted whenever the backup is.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { BackupError } from '../base/errors';
import { BACKUP_TYPES } from './label';

/** Version of the storage format this program writes, and the newest it reads. */
export const FORMAT = 1;

const bytes = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const time = z.string().datetime();
const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`));
const fileName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,99}$/);

/** One object of a backup: the bytes as the source made them and as they lie in storage. */
const storedStream = z.object({
	name: fileName,
	original: z.object({ bytes, blake2b512: hex(128) }),
	stored: z.object({ bytes, sha256: hex(64) }),
});

const encryption = z.discriminatedUnion('method', [
	z.object({
		method: z.literal('recipients'),
		recipients: z.array(z.string().max(3000)).min(1).max(100),
		/** Whether the stored object was opened with an identity right after it was written. */
		proved: z.boolean(),
	}),
	z.object({ method: z.literal('passphrase'), proved: z.boolean() }),
]);

const schema = z.object({
	format: z.literal(FORMAT),
	program: z.object({ name: z.string(), version: z.string() }),
	group: z.string(),
	label: z.string(),
	type: z.enum(BACKUP_TYPES),
	/** Labels of the backups this one needs for a restore, nearest first. */
	parents: z.array(z.string()),
	startedAt: time,
	finishedAt: time,
	source: z
		.object({ kind: z.enum(['postgres', 'files', 'config', 'bucket']) })
		.catchall(z.union([z.string(), z.number(), z.boolean(), z.null()])),
	codecs: z.array(z.enum(['zstd', 'age'])),
	/** null: anyone who can read the storage can read the backup. */
	encryption: encryption.nullable(),
	object: storedStream,
	contents: storedStream,
	/** The roles of a database's server, as SQL; absent where they were not saved. */
	globals: storedStream.optional(),
	warnings: z.array(z.string()),
});

export type Manifest = z.infer<typeof schema>;
export type StoredStream = z.infer<typeof storedStream>;
export type ManifestEncryption = z.infer<typeof encryption>;

/**
 * Reads a manifest's text.
 * @param location where it lies, for messages
 * @throws BackupError 'newer-format', 'invalid-manifest'
 */
export function parseManifest(text: string, location: string): Manifest {
	const invalid = (why: string, cause?: unknown) =>
		new BackupError('invalid-manifest', `the manifest ${location} ${why}`, {
			hint: 'The file was changed or damaged after the backup was made. Use another backup, or restore by hand from the object beside it.',
			cause,
		});
	let data: unknown;
	try {
		data = JSON.parse(text);
	} catch (cause) {
		throw invalid('is not valid JSON', cause);
	}
	assertFormat(data, location);
	const result = schema.safeParse(data);
	if (!result.success) {
		const issue = result.error.issues[0]!;
		throw invalid(`is not valid at "${issue.path.join('.')}": ${issue.message.toLowerCase()}`, result.error);
	}
	const { sha256: _, ...rest } = data as Record<string, unknown>;
	if (text !== withChecksum(rest)) throw invalid('is not as it was written: its checksum differs');
	return result.data;
}

/**
 * Refuses what a later version of this program wrote, before looking at anything else in it.
 * @throws BackupError 'newer-format'
 */
export function assertFormat(data: unknown, location: string): void {
	const format = typeof data === 'object' && data !== null && 'format' in data ? data.format : undefined;
	if (typeof format === 'number' && format > FORMAT) {
		throw new BackupError('newer-format', `${location} has format ${format}, this version reads up to ${FORMAT}`, {
			hint: 'Update n8n-nodes-backup and try again.',
		});
	}
}

/**
 * Refuses a manifest that lies where another backup's belongs.
 * @param location where it lies, for messages
 * @throws BackupError 'invalid-manifest'
 */
export function assertBelongs(manifest: Manifest, group: string, label: string, location: string): void {
	if (manifest.group === group && manifest.label === label) return;
	throw new BackupError('invalid-manifest', `${location} belongs to the backup ${manifest.group}/${manifest.label}`, {
		hint: 'The file was moved or copied by hand. Put it back to where it belongs.',
	});
}

/** The text that is stored: stable order, readable by people. */
export function formatManifest(manifest: Manifest): string {
	return withChecksum(manifest);
}

/**
 * As text whose last member, `sha256`, is the SHA-256 of the same text without that member. Nothing in a manifest can
 * change without being noticed: not even a blank.
 */
function withChecksum(manifest: object): string {
	const sha256 = createHash('sha256').update(toText(manifest)).digest('hex');
	return toText({ ...manifest, sha256 });
}

function toText(data: object): string {
	return `${JSON.stringify(data, null, 2)}\n`;
}
