/** What the verbs must know of base backups to read them. */
import type { SourceKind } from '../../../source';
import { checkArchive } from './archive-check';
import { type ClusterContents, readContents } from './contents';
import { CLUSTER } from './word';

export const clusterKind: SourceKind<ClusterContents> = {
	kind: CLUSTER,
	noun: 'a cluster',
	readContents,
	checkData: checkArchive,
	classify: ({ code }) => (code === 'damaged' || code === 'incomplete' ? 'backup' : 'environment'),
	withoutNames: ({ code }) => `the cluster could not be restored (${code})`,
};
