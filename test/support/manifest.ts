/** A manifest as a run would write it, of a backup that a test makes by hand. */
import { PROGRAM } from '../../core/base/program';
import { parseLabel } from '../../core/records/label';
import { FORMAT, type Manifest, type StoredPart } from '../../core/records/manifest';

/** Digests of nothing, for parts that nobody reads. */
const NO_DIGESTS = {
	original: { bytes: 1, blake2b512: '0'.repeat(128) },
	stored: { bytes: 1, sha256: '0'.repeat(64) },
};
const NO_PARTS: StoredPart[] = [
	{ role: 'data', name: 'dump.sql.zst', ...NO_DIGESTS },
	{ role: 'contents', name: 'contents.json.zst', ...NO_DIGESTS },
];

/** A manifest of a backup in the clear; type and times are those of its label unless given. */
export function manifestOf(group: string, label: string, change: Partial<Manifest> = {}): Manifest {
	const { type, startedAt } = parseLabel(label)!;
	return {
		format: FORMAT,
		program: PROGRAM,
		repository: '3f0c8f4e-2b1d-4c55-9d0e-6a1f0e9c7b21',
		group,
		label,
		type,
		parents: [],
		status: 'whole',
		startedAt: startedAt.toISOString(),
		finishedAt: startedAt.toISOString(),
		source: { kind: 'postgres', server: null, details: {} },
		codecs: ['zstd'],
		encryption: null,
		parts: NO_PARTS,
		previous: null,
		warnings: [],
		...change,
	};
}
