/** What is kept beside the files of an archive of configuration: where they come from, and what was done to each. */
import os from 'node:os';
import { z } from 'zod';
import { PROGRAM } from '../../base/program';
import type { GitState } from './git';

const text = z.string().max(10_000);
const digest = z.string().max(64).nullable();

const certificate = z.strictObject({
	names: z.array(text).max(1000),
	issuer: text,
	serial: text,
	notAfter: text,
	daysLeft: z.number(),
	ended: z.boolean(),
});

const fileSchema = z.strictObject({
	path: text,
	kind: text,
	/** Bytes, as it was found. */
	size: z.number().int().nonnegative(),
	/** `verbatim`, `sanitised`: without its secrets, or `left out`. */
	done: z.enum(['verbatim', 'sanitised', 'left out']),
	/** Of what was left out, why. */
	why: text.optional(),
	/** The names of its secrets; null where nobody can say. */
	secrets: z.array(text).max(10_000).nullable(),
	/** Of its bytes as they were found; null without a key for digests, and of what could not be read. */
	found: digest,
	/** Of its bytes as they are archived; null of what is not. */
	archived: digest,
	/** Of an env file: a digest of each value. */
	settings: z.record(digest).nullable(),
	certificates: z.array(certificate).max(500),
	missing: z.array(text).max(1000),
});

const schema = z.strictObject({
	version: z.literal(1),
	host: text,
	/** When the files were read, ISO 8601. */
	time: text,
	secrets: z.enum(['removed', 'kept']),
	/** Versions by name. */
	programs: z.record(text),
	git: z
		.array(
			z.strictObject({
				folder: text,
				commit: text.nullable(),
				branch: text.nullable(),
				dirty: z.boolean().nullable(),
			}),
		)
		.max(10_000),
	/** Images of compose files, as they are written there. */
	images: z.array(z.strictObject({ file: text, service: text, image: text })).max(100_000),
	files: z.array(fileSchema).max(10_000),
	/** Says which key made the digests; null for none. */
	digestKey: digest,
});

/** Where an archive of configuration comes from, and what was done to each file. No secret is in it. */
export type VersionRecord = z.infer<typeof schema>;
/** One file of it. */
export type RecordedFile = z.infer<typeof fileSchema>;

/** The record of what was found. @param programs versions besides our own and Node's */
export function createRecord(found: {
	secrets: VersionRecord['secrets'];
	programs: Readonly<Record<string, string>>;
	git: readonly GitState[];
	images: VersionRecord['images'];
	files: readonly RecordedFile[];
	digestKey: string | null;
}): VersionRecord {
	return {
		version: 1,
		host: os.hostname(),
		time: new Date().toISOString(),
		secrets: found.secrets,
		programs: { [PROGRAM.name]: PROGRAM.version, node: process.versions.node, ...found.programs },
		git: [...found.git],
		images: found.images,
		files: [...found.files],
		digestKey: found.digestKey,
	};
}

/** Reads a record back; null for what is none, such as one of a later version. */
export function readRecord(value: unknown): VersionRecord | null {
	return schema.safeParse(value).data ?? null;
}
