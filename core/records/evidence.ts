/**
 * What a verification found, stored beside the backup: one object per verification, never changed. Its name alone tells
 * when, how deep and how it ended. It is not encrypted, so it holds counts and times, never a name of a table.
 */
import { z } from 'zod';
import { BackupError } from '../base/errors';
import { assertFormat, FORMAT } from './manifest';

/**
 * How deep a verification looks. `stored`: the bytes lie there as they were written. `readable`: they decrypt and
 * decompress to the original. `restored`: a database was made from them and compared.
 */
export const DEPTHS = ['stored', 'readable', 'restored'] as const;
export type Depth = (typeof DEPTHS)[number];

/** What the names of a backup's evidence tell. */
export interface Verification {
	/** Milliseconds since 1970; there can be very many, and a Date takes six times the memory. */
	at: number;
	depth: Depth;
	ok: boolean;
}

const schema = z.object({
	format: z.literal(FORMAT),
	program: z.object({ name: z.string(), version: z.string() }),
	group: z.string(),
	label: z.string(),
	depth: z.enum(DEPTHS),
	outcome: z.enum(['ok', 'failed']),
	startedAt: z.string().datetime(),
	finishedAt: z.string().datetime(),
	/** SHA-256 of the manifest's text as it was found; null when there was none to be read. */
	manifestSha256: z
		.string()
		.regex(/^[0-9a-f]{64}$/)
		.nullable(),
	/** Why it failed: an error code, and words without names. */
	failure: z.object({ code: z.string(), message: z.string() }).nullable(),
	/** Figures of the verification: tables and rows compared, seconds of the restore, … */
	facts: z.record(z.union([z.string(), z.number(), z.boolean(), z.null()])),
});

export type Evidence = z.infer<typeof schema>;

const NAME = /^verified-(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z-(stored|readable|restored)-(ok|failed)\.json$/;

/** The object's name, e.g. `verified-20261120T021500Z-restored-ok.json`. Times are UTC, in seconds. */
export function evidenceName({
	finishedAt,
	depth,
	outcome,
}: Pick<Evidence, 'finishedAt' | 'depth' | 'outcome'>): string {
	return `verified-${finishedAt.replace(/[-:]|\.\d+/g, '')}-${depth}-${outcome}.json`;
}

/** The name of the evidence that a verification left. */
export function nameOfVerification({ at, depth, ok }: Verification): string {
	const outcome = ok ? 'ok' : 'failed';
	return evidenceName({ finishedAt: new Date(at).toISOString(), depth, outcome });
}

/** What an object's name says, or null when it is no evidence. */
export function parseEvidenceName(name: string): Verification | null {
	const match = NAME.exec(name);
	if (!match) return null;
	const [, year, month, day, hour, minute, second, depth, outcome] = match;
	const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
	if (Number.isNaN(at)) return null;
	// The name of the depth, and not this part of a text: there can be a hundred thousand of them.
	return { at, depth: DEPTHS.find((each) => each === depth)!, ok: outcome === 'ok' };
}

/** The text that is stored. */
export function formatEvidence(evidence: Evidence): string {
	return `${JSON.stringify(evidence, null, 2)}\n`;
}

/**
 * Reads the text of an evidence.
 * @param location where it lies, for messages
 * @throws BackupError 'newer-format', 'damaged'
 */
export function parseEvidence(text: string, location: string): Evidence {
	try {
		const data: unknown = JSON.parse(text);
		assertFormat(data, location);
		return schema.parse(data);
	} catch (cause) {
		if (cause instanceof BackupError) throw cause;
		throw new BackupError('damaged', `the evidence ${location} cannot be read`, {
			hint: 'It was changed or damaged. Verify the backup again.',
			cause,
		});
	}
}

/**
 * Why an evidence says nothing of a backup; null when it does. A name alone proves nothing: anyone who can write to the
 * storage can make one, so what it says must be in it, of this backup, and of the manifest that lies there now.
 * @param manifestSha256 of the text of the backup's manifest
 */
export function whyNotOf(
	evidence: Evidence,
	{ group, label, name, manifestSha256 }: { group: string; label: string; name: string; manifestSha256: string },
): string | null {
	if (evidence.group !== group || evidence.label !== label) return `belongs to ${evidence.group}/${evidence.label}`;
	if (evidenceName(evidence) !== name) return 'does not say what its name says';
	if (evidence.manifestSha256 !== manifestSha256) return 'is of another manifest than the one that lies there';
	return null;
}

/** Whether one depth includes all that another one proves. */
export function reaches(depth: Depth, wanted: Depth): boolean {
	return DEPTHS.indexOf(depth) >= DEPTHS.indexOf(wanted);
}
