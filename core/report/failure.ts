/** A workflow that failed, as one short message: which, where, what happened, and the way to it. Pure. */
import { type Channels, channelsOf } from './channels';
import { type Message, shortText } from './message';
import { entry } from './section';
import { errorText, factsOf, nameOf, shortened, textOf } from './values';

/** In the forms of the channels. */
export interface FailureReport extends Channels {
	tell: true;
	ok: false;
	outcome: 'failed';
	subject: string;
	text: string;
	/** For programs; '' where n8n does not say it. */
	failedWorkflow: string;
	failedNode: string;
	/** Not `error`: n8n takes an item with that for a failed one. */
	message: string;
	hint: string;
	/** Address of the execution; '' where the workflow could not even begin. */
	url: string;
}

/** Of a message: the rest is in the execution. */
const MAX_ERROR = 1000;
const MAX_SUBJECT = 200;

/**
 * @param item of n8n's Error Trigger, or anything else
 * @param workflow that tells of it
 */
export function failureReport(item: unknown, workflow = ''): FailureReport {
	const { execution, trigger, workflow: failed } = factsOf(item);
	const { url, lastNodeExecuted, error = factsOf(trigger).error } = factsOf(execution);
	const { node, description } = factsOf(error);
	const failedWorkflow = nameOf(factsOf(failed).name);
	const failedNode = nameOf(factsOf(node).name) || nameOf(lastNodeExecuted);
	const message = shortened(errorText(error), MAX_ERROR) || 'n8n does not say what happened';
	const hint = shortened(textOf(description).trim(), MAX_ERROR);
	const address = nameOf(url);
	const about = failedNode === '' ? failedWorkflow : `${failedWorkflow}, ${failedNode}`;
	const lines = [message, ...(hint === '' ? [] : [hint]), ...(address === '' ? [] : [address])];
	const subject = shortened(`Workflow FAILED: ${failedWorkflow || 'one without a name'}`, MAX_SUBJECT);
	const made = entry('failed', 'FAILED', about, lines);
	const shown: Message = { outcome: 'failed', subject, entries: [made], figures: [], workflow: nameOf(workflow) };
	const text = shortText(made.text, [], [made.text]);
	return {
		...{ tell: true, ok: false, outcome: 'failed', subject, text, ...channelsOf(shown, text) },
		...{ failedWorkflow, failedNode, message, hint, url: address },
	};
}
