/**
 * The record that makes bytes a backup. It is written last: a backup exists exactly when its manifest exists.
 * It is not encrypted, so it holds nothing that a reader of the storage must not learn; names of tables and files are
 * in `contents`, an object of its own that is encrypted whenever the backup is.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { BackupError } from '../base/errors';
import { assertFits } from '../base/fits';
import { BACKUP_TYPES, parseLabel } from './label';

/** Version of the storage format this program writes, and the newest it reads. */
export const FORMAT = 1;

/** Losses in one manifest; sources tell of a few. */
export const MAX_LOSSES = 100;

const bytes = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const time = z.string().datetime();
const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`));
const fileName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,99}$/);

/** The bytes of one object as the source made them and as they lie in storage. */
const storedStream = z.strictObject({
	name: fileName,
	original: z.strictObject({ bytes, blake2b512: hex(128) }),
	stored: z.strictObject({ bytes, sha256: hex(64) }),
});

/**
 * What a part of a backup is for. `data`: what is restored. `contents`: what must match after a restore. `index`: what of that
 * is too much for the contents, one line per entry. `globals`: what the data needs of its server and is not in it.
 */
export const PART_ROLES = ['data', 'index', 'contents', 'globals'] as const;
export type PartRole = (typeof PART_ROLES)[number];

const part = storedStream.extend({ role: z.enum(PART_ROLES) });

const encryption = z.discriminatedUnion('method', [
	z.strictObject({
		method: z.literal('recipients'),
		recipients: z.array(z.string().max(3000)).min(1).max(100),
		/** The recipient of the host key, which opens `contents` and `index` and nothing else; null where there is none. */
		host: z.string().max(3000).nullable(),
		/** Whether the stored object was opened with an identity right after it was written. */
		proved: z.boolean(),
	}),
	z.strictObject({ method: z.literal('passphrase'), proved: z.boolean() }),
]);

const label = z.string().refine((text) => parseLabel(text) !== null, 'not the label of a backup');

/** Something of which the source had much less than in the backup before. */
const loss = z.strictObject({
	/** What it is, in the plural: files, bytes, rows of 3 tables. Never a name. */
	what: z.string().regex(/^[a-z][a-z0-9 ]{0,39}$/),
	/** How much of it there was, and in which backup. */
	from: bytes.positive(),
	since: label,
	/** How much was left, and which backup showed it first. */
	to: bytes,
	shownBy: label,
});

const schema = z.strictObject({
	format: z.literal(FORMAT),
	program: z.object({ name: z.string(), version: z.string() }),
	/** The id of the repository where it was made; a copy elsewhere keeps it. */
	repository: z.string().uuid(),
	group: z.string(),
	label: z.string(),
	type: z.enum(BACKUP_TYPES),
	/** Labels of the backups this one needs for a restore, nearest first. */
	parents: z.array(z.string()).max(1000),
	/** `incomplete`: the source could not give everything; what is missing is among the warnings. */
	status: z.enum(['whole', 'incomplete']),
	startedAt: time,
	finishedAt: time,
	source: z.strictObject({
		/** A name of the registry of kinds, e.g. `postgres`. */
		kind: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/),
		/** A mark that tells servers apart and says nothing else; null where nobody knows it. */
		server: hex(32).nullable(),
		/** Facts of this kind of source, which may stand in the clear. */
		details: z.record(z.union([z.string(), z.number(), z.boolean(), z.null()])),
	}),
	codecs: z.array(z.enum(['zstd', 'age'])),
	/** null: anyone who can read the storage can read the backup. */
	encryption: encryption.nullable(),
	/** In the order in which they were stored; exactly one is `contents`. */
	parts: z
		.array(part)
		.max(1000)
		.refine((parts) => new Set(parts.map(({ name }) => name)).size === parts.length, 'two parts have one name')
		.refine(
			(parts) => parts.filter(({ role }) => role === 'contents').length === 1,
			'not exactly one part is contents',
		),
	/** The newest backup of the group before this one, as it was then; null for the first. SHA-256 of its manifest's text. */
	previous: z.strictObject({ label: z.string(), sha256: hex(64) }).nullable(),
	warnings: z.array(z.string()),
	/**
	 * What this backup, or one before it, lost and nobody has approved until then (core/records/approval.ts); absent where there
	 * is nothing. While it stands in the newest manifest, retention removes nothing of the group.
	 */
	shrunk: z.array(loss).min(1).max(MAX_LOSSES).optional(),
});

export type Manifest = z.infer<typeof schema>;
export type StoredStream = z.infer<typeof storedStream>;
export type StoredPart = z.infer<typeof part>;
export type Loss = z.infer<typeof loss>;
export type ManifestEncryption = z.infer<typeof encryption>;

/** Whether a part says what is in the backup, and so is encrypted to the host key as well. */
export function isForHost(role: PartRole): boolean {
	return role === 'contents' || role === 'index';
}

/** The contents of a backup, which every backup has. */
export function contentsOf({ parts }: Manifest): StoredPart {
	return parts.find(({ role }) => role === 'contents')!;
}

/** Bytes of what is restored: as the source gave them, and as they are stored. */
export function dataSize({ parts }: Pick<Manifest, 'parts'>): { originalBytes: number; storedBytes: number } {
	const data = parts.filter(({ role }) => role === 'data');
	return {
		originalBytes: data.reduce((sum, { original }) => sum + original.bytes, 0),
		storedBytes: data.reduce((sum, { stored }) => sum + stored.bytes, 0),
	};
}

/**
 * Reads a manifest's text.
 * @param location where it lies, for messages
 * @throws BackupError 'newer-format', 'invalid-manifest'
 */
export function parseManifest(text: string, location: string): Manifest {
	const invalid = (why: string, cause?: unknown) =>
		new BackupError('invalid-manifest', `the manifest ${location} ${why}`, {
			hint: 'The file was changed or damaged, or somebody else put it there. Use another backup. If nothing lies beside it, it never was one: remove its folder by hand; otherwise restore by hand from what lies there.',
			cause,
		});
	let data: unknown;
	try {
		data = JSON.parse(text);
	} catch (cause) {
		throw invalid('is not valid JSON', cause);
	}
	assertFormat(data, location);
	const { sha256: _, ...said } = { ...(data as { sha256?: unknown }) };
	const isAsWritten = text === withChecksum(said);
	const result = schema.safeParse(said);
	if (result.success && isAsWritten) return result.data;
	if (result.success) throw invalid('is not as it was written: its checksum differs');
	const [issue] = result.error.issues as [z.ZodIssue];
	if (isAsWritten && isUnknown(issue)) {
		throw new BackupError(
			'newer-format',
			`the manifest ${location} says what this version does not know: ${textOf(issue)}`,
			{
				hint: UPDATE,
				cause: result.error,
			},
		);
	}
	throw invalid(`is not valid ${textOf(issue)}`, result.error);
}

/** Whether a program that knows more may have written it: a member or a word that is not among ours. */
function isUnknown({ code }: z.ZodIssue): boolean {
	return code === 'unrecognized_keys' || code === 'invalid_enum_value' || code === 'invalid_union_discriminator';
}

function textOf({ path, message }: z.ZodIssue): string {
	return `at "${path.join('.')}": ${message.toLowerCase()}`;
}

const UPDATE = 'Update n8n-nodes-backup and try again.';

/**
 * Refuses what a later version of this program wrote, before looking at anything else in it.
 * @throws BackupError 'newer-format'
 */
export function assertFormat(data: unknown, location: string): void {
	const format = typeof data === 'object' && data !== null && 'format' in data ? data.format : undefined;
	if (typeof format === 'number' && format > FORMAT) {
		throw new BackupError('newer-format', `${location} has format ${format}, this version reads up to ${FORMAT}`, {
			hint: UPDATE,
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

/** Refuses what nobody could read again. @throws BackupError 'invalid-input' */
export function assertManifest(manifest: Manifest): void {
	assertFits(schema, manifest, 'the manifest');
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
