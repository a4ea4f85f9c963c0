/** The kinds of sources that this program knows. The only file that names them. */
import { BackupError } from '../base/errors';
import type { Manifest } from '../records/manifest';
import { bucketKind } from './bucket/kind';
import { filesKind } from './files/kind';
import { postgresKind } from './postgres/kind';
import { clusterKind } from './postgres/physical/base/kind';
import { logKind } from './postgres/physical/wal/kind';
import type { SourceKind } from './source';

const KINDS = new Map<string, SourceKind>(
	[postgresKind, filesKind, bucketKind, clusterKind, logKind].map((kind) => [kind.kind, kind]),
);

/** Adds a kind, for programs that bring one of their own. */
export function registerKind(kind: SourceKind): void {
	KINDS.set(kind.kind, kind);
}

/**
 * The kind of source that a backup came from.
 * @throws BackupError 'unsupported' when this program does not know it
 */
export function kindOf({ group, label, source }: Manifest): SourceKind {
	const kind = KINDS.get(source.kind);
	if (kind) return kind;
	throw new BackupError(
		'unsupported',
		`${group}/${label} is a backup of ${source.kind}, which this version does not know`,
		{
			hint: 'Update n8n-nodes-backup, or use the program that made it. Its bytes can be verified and copied all the same.',
		},
	);
}

/** Who decides which backups of a group stay, where it is no policy. */
export function plannerOf(group: string): NonNullable<SourceKind['retention']>['plan'] | null {
	return KINDS.values().find(({ retention }) => retention?.isGroup(group))?.retention?.plan ?? null;
}
