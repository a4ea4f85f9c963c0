/** What the verbs must know of pieces of a write-ahead log to read them. */
import type { SourceKind } from '../../../source';
import { type LogContents, readContents } from './contents';
import { checkLog } from './log-check';

/** The word in manifests. */
export const LOG = 'wal';

export const logKind: SourceKind<LogContents> = {
	kind: LOG,
	noun: 'write-ahead log',
	readContents,
	checkData: checkLog,
	classify: ({ code }) => (code === 'damaged' || code === 'incomplete' ? 'backup' : 'environment'),
	withoutNames: ({ code }) => `the log could not be replayed (${code})`,
};
