/** What the verbs must know of archives of files to read them. */
import type { SourceKind } from '../source';
import { type FilesContents, readContents } from './contents';
import { checkData } from './data-check';

/** The word in manifests. */
export const FILES = 'files';

export const filesKind: SourceKind<FilesContents> = {
	kind: FILES,
	noun: 'files',
	readContents,
	checkData,
	classify: ({ code }) => (code === 'damaged' || code === 'incomplete' ? 'backup' : 'environment'),
	withoutNames: ({ code }) => `the archive could not be restored (${code})`,
};
