/** The node's fields as the engine takes them. */
import type { IExecuteFunctions } from 'n8n-workflow';
import type { ReportRequest } from '../../core/report/run-report';
import { splitList } from '../shared/run';
import { unknownOption, wholeNumber } from '../shared/values';

/** Fields of the node's "Options" collection; each is absent until the user adds it. */
interface OptionFields {
	about?: string;
	attach?: boolean;
	blockedAlarmDays?: number;
	moreToCome?: boolean;
	priority?: string;
	workflowInSubject?: boolean;
}

export interface ReportSettings {
	source: 'before' | 'input';
	attach: boolean;
	report: Omit<ReportRequest, 'items' | 'now' | 'timeZone' | 'workflow' | 'blockedSince'>;
}

/** @throws BackupError 'invalid-input' */
export function readSettings(context: IExecuteFunctions): ReportSettings {
	const source = context.getNodeParameter('source', 0) as ReportSettings['source'];
	if (source !== 'before' && source !== 'input') throw unknownOption('Report On', source);
	const options = context.getNodeParameter('options', 0, {}) as OptionFields;
	const { blockedAlarmDays } = options;
	return {
		source,
		attach: options.attach === true,
		report: {
			tellSuccesses: context.getNodeParameter('tellSuccesses', 0) === true,
			about: options.about,
			moreToCome: options.moreToCome === true,
			priority: splitList(options.priority),
			workflowInSubject: options.workflowInSubject === true,
			...(blockedAlarmDays !== undefined && {
				blockedAlarmDays: wholeNumber('Blocked Alarm After (Days)', blockedAlarmDays, 0, 3650),
			}),
		},
	};
}
