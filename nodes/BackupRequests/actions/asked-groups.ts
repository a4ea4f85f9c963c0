/** Which group a request is about, and whether the node is about it. */
import type { IExecuteFunctions } from 'n8n-workflow';
import { toSegment } from '../../../core/records/label';
import { readGroups } from '../../shared/status-settings';
import { DATABASE_PREFIX } from '../properties';

/** What the node is about, as its fields say. */
export interface AskedGroups {
	/** Where the groups of databases begin that are backed up by their names. */
	readonly prefix: string;
	/** The group of what was asked for; a database that is backed up has one of its own. */
	readonly groupOf: (asked: Readonly<Record<string, string>>) => string;
	readonly isOurs: (group: string) => boolean;
}

export function readAskedGroups(context: IExecuteFunctions, itemIndex: number): AskedGroups {
	const prefix = (context.getNodeParameter('groupPrefix', itemIndex, DATABASE_PREFIX) as string).trim();
	return {
		prefix,
		groupOf: ({ group, database = '' }) => group ?? `${prefix}/${toSegment(database)}`,
		isOurs: readGroups(context, itemIndex),
	};
}
