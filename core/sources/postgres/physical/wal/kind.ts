/** What the verbs must know of pieces of a write-ahead log to read them. */
import type { SourceKind } from '../../../source';
import { type LogContents, readContents } from './contents';
import { isLogGroup } from '../groups';
import { checkLog } from './log-check';
import { planLogGroup } from './retention';
import { LOG } from './word';

export const logKind: SourceKind<LogContents> = {
	kind: LOG,
	noun: 'write-ahead log',
	readContents,
	checkData: checkLog,
	classify: ({ code }) => (code === 'damaged' || code === 'incomplete' ? 'backup' : 'environment'),
	retention: { isGroup: isLogGroup, plan: planLogGroup },
	withoutNames: ({ code }) => `the log could not be replayed (${code})`,
};
