/** The one builder of backups for tests that need no source: real objects with real digests, a manifest, evidence where asked for. */
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { DEFAULT_LIMITS } from '../../core/base/limits';
import { PROGRAM } from '../../core/base/program';
import type { Depth } from '../../core/records/evidence';
import { type BackupType, createLabel } from '../../core/records/label';
import type { Loss, Manifest, StoredPart } from '../../core/records/manifest';
import { Repository } from '../../core/records/repository';
import { storeStream } from '../../core/streams/pipeline';
import { manifestOf } from './manifest';

export const GROUP = 'postgres/shop';
const NEVER = new AbortController().signal;

export interface BuildOptions {
	group?: string;
	type?: BackupType;
	/** When its run began, to the second. Without it each backup is an hour younger than the one before. */
	at?: string | Date;
	/** Labels. */
	parents?: readonly string[];
	/** Bytes of the dump before compression: random ones, which do not compress. */
	bytes?: number;
	tags?: readonly string[];
	/** What its manifest says was lost: it showed that itself, against some backup long ago. */
	shrunk?: Pick<Loss, 'what' | 'from' | 'to'>;
	/** What its source says of itself. */
	details?: Manifest['source']['details'];
	/** Leaves evidence of that depth. */
	verified?: Depth | null;
	/** What the evidence says. */
	ok?: boolean;
}

let started = Date.UTC(2026, 10, 1);

/** Stores a backup in the clear, as a run at that time would have done. @returns its label */
export async function buildBackup({ storage }: Repository, options: BuildOptions = {}): Promise<string> {
	const {
		group = GROUP,
		type = 'full',
		parents = [],
		bytes = 200_000,
		tags = [],
		verified = null,
		ok,
		shrunk,
		details = {},
	} = options;
	const at = new Date(options.at ?? (started += 3_600_000));
	const label = createLabel(type, at);
	const common = { storage, group, label, encryption: null, zstdLevel: 1, limits: DEFAULT_LIMITS, signal: NEVER };
	const body = Readable.from(chunksOf(bytes), { objectMode: false });
	const data = await storeStream({ ...common, name: 'dump.sql', body });
	const contents = await storeStream({ ...common, name: 'contents.json', body: Readable.from([Buffer.from('{}\n')]) });
	const parts: StoredPart[] = [
		{ role: 'data', ...data },
		{ role: 'contents', ...contents },
	];
	const repository = await Repository.open(storage);
	const places = { since: createLabel('full', new Date('2020-01-01T00:00:00Z')), shownBy: label };
	await repository.writeManifest(
		manifestOf(group, label, {
			parents: [...parents],
			parts,
			source: { kind: 'postgres', server: null, details },
			...(shrunk && { shrunk: [{ ...shrunk, ...places }] }),
		}),
	);
	await repository.writeTags(group, label, tags);
	if (verified) await addEvidence(repository, label, { group, at: at.toISOString(), depth: verified, ok });
	return label;
}

/** Stores what a verification at that time would have left. */
export async function addEvidence(
	repository: Repository,
	label: string,
	{ group = GROUP, at, depth = 'stored', ok = true }: { group?: string; at: string; depth?: Depth; ok?: boolean },
): Promise<void> {
	const { text } = await repository.readManifestText(group, label);
	await repository.writeEvidence({
		format: 1,
		program: PROGRAM,
		group,
		label,
		depth,
		outcome: ok ? 'ok' : 'failed',
		startedAt: at,
		finishedAt: at,
		manifestSha256: createHash('sha256').update(text).digest('hex'),
		failure: ok ? null : { code: 'damaged', message: 'dump.sql.zst is not what was stored' },
		facts: {},
	});
}

function* chunksOf(bytes: number): Generator<Buffer> {
	for (let left = bytes; left > 0; left -= 1_000_000) yield randomBytes(Math.min(left, 1_000_000));
}
