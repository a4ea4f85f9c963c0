/**
 * How versions of objects that were not current are named in an archive: `%versions/`, the path of the object as a folder, and in it a
 * name of time and version, `%v-20261127T020000Z-<version id>`. A delete marker, which has no contents, ends in `%deleted`. No object
 * is named like that: in paths of objects, `%` comes before two digits, or stands at the end of a segment.
 */
import { hash } from 'node:crypto';
import type { S3Version } from '../../storage/s3/listing';
import type { Bytes } from '../files/names.ts';
import { folderPathOf } from './names';
import { modifiedOf } from './steps';

/** The folder of all versions that were not current. */
export const VERSIONS_FOLDER = '%versions';

/** Ids are opaque, up to 1,024 bytes; those of the servers that are known look like this. */
const PLAIN_ID = /^[\w.-]{1,128}$/;

/** Where a version lies in the archive that is not current, or a delete marker. */
export function versionPathOf(version: S3Version): Bytes {
	const { name, versionId, isMarker } = version;
	const time = modifiedOf(version).replace(/[-:]|\.\d+/g, '');
	const id = PLAIN_ID.test(versionId) ? versionId : `~${hash('sha256', versionId, 'hex').slice(0, 32)}`;
	return `${VERSIONS_FOLDER}/${folderPathOf(name)}/%v-${time}-${id}${isMarker ? '%deleted' : ''}`;
}
