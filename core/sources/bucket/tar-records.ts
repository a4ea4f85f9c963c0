/**
 * What the archive says of an object besides its bytes: pax records in the form of extended attributes, which GNU tar and bsdtar know
 * (`SCHILY.xattr.…`). They pass over them without a word, and with `--xattrs` make attributes `user.s3.…` of the files.
 */
import { record } from '../files/archive/tar.ts';
import { type Bytes, fromText } from '../files/names.ts';
import type { ObjectFacts } from '../files/object.ts';

const PREFIX = 'SCHILY.xattr.user.s3.';
const METADATA = 'x-amz-meta-';

/** The pax records of an object. */
export function recordsOf(object: ObjectFacts): Bytes {
	const { key, etag = '', version, headers = {}, tags, storageClass, latest, marker } = object;
	let records = attribute('key', fromText(key)) + attribute('etag', fromText(etag));
	if (version !== undefined) records += attribute('version-id', fromText(version));
	if (latest !== undefined) records += attribute('is-latest', String(latest));
	if (marker) records += attribute('delete-marker', 'true');
	if (storageClass !== undefined) records += attribute('storage-class', fromText(storageClass));
	for (const [name, value] of Object.entries(headers)) {
		records += attribute(name.startsWith(METADATA) ? `meta.${name.slice(METADATA.length)}` : name, value);
	}
	// As a header of S3 has them.
	if (tags) records += attribute('tags', new URLSearchParams(tags).toString());
	return records;
}

/** GNU tar writes "%" and "=" of an attribute's name like this. */
function attribute(name: string, value: Bytes): Bytes {
	return record(`${PREFIX}${name.replace(/%/g, '%25').replace(/=/g, '%3D')}`, value);
}
