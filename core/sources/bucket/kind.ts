/** What the verbs must know of archives of buckets to read them: they are archives as those of files. */
import type { FilesContents } from '../files/contents';
import { filesKind } from '../files/kind';
import type { SourceKind } from '../source';

/** The word in manifests. */
export const BUCKET = 'bucket';

export const bucketKind: SourceKind<FilesContents> = { ...filesKind, kind: BUCKET, noun: 'a bucket' };
