/** The objects of a backup of files. */
import { BackupError } from '../../base/errors';
import type { Manifest, StoredPart } from '../../records/manifest';

/**
 * The archive among the parts of a backup of files.
 * @throws BackupError 'invalid-manifest' where there is none, or more than one
 */
export function archiveOf(manifest: Manifest): StoredPart {
	return only(manifest, 'data');
}

/**
 * The index among the parts of a backup of files.
 * @throws BackupError 'invalid-manifest' where there is none, or more than one
 */
export function indexOf(manifest: Manifest): StoredPart {
	return only(manifest, 'index');
}

function only({ group, label, parts }: Manifest, role: 'data' | 'index'): StoredPart {
	const [part, ...more] = parts.filter((each) => each.role === role);
	if (part && more.length === 0) return part;
	throw new BackupError(
		'invalid-manifest',
		`${group}/${label} has ${more.length + (part ? 1 : 0)} parts of the role ${role}`,
		{
			hint: 'No archive of files is like that: use another backup.',
		},
	);
}
