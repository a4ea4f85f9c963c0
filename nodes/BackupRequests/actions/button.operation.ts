/** Requests for Backups: Answer Button. A press of a button of the page, which becomes the same request as a call of the API. */
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import type { Answer } from '../../../core/report/api/answer';
import { readPress } from '../../../core/report/api/button';
import { parseCall } from '../../../core/report/api/call';
import { Problem, problemTexts, toProblem } from '../../../core/report/api/problem';
import { addressAfterPress, renderRefusal } from '../../../core/report/status/page/page';
import { factsOf } from '../../../core/report/values';
import { cancelSignal } from '../../shared/run';
import { accept, assertRate, isDoing, itemOf, readJson } from './answer.operation';

export async function answerButton(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const { headers, body } = readJson(context.getNodeParameter('request', itemIndex));
	try {
		assertRate(context, itemIndex, { role: 'operator', method: 'POST' });
		const call = parseCall(readPress({ headers: factsOf(headers), body: factsOf(body) }, new Date()));
		if (call.call === 'cancel' || !isDoing(call)) throw new TypeError(`a button is no "${call.call}"`);
		const { accepted } = await accept(context, itemIndex, call);
		return itemOf({ answer: seeOther(addressAfterPress(call.asked.group!)), accepted }, itemIndex);
	} catch (error) {
		const problem = toProblem(error);
		if (!problem || cancelSignal(context).aborted) throw error;
		return itemOf({ answer: refusal(problem), accepted: null }, itemIndex);
	}
}

/** The browser then shows the page, and loading that again presses nothing. */
function seeOther(address: string): Answer {
	const header = { name: 'Location', value: address };
	return { status: 303, contentType: 'text/html; charset=utf-8', header, body: '' };
}

function refusal(problem: Problem): Answer {
	const texts = problemTexts(problem);
	const header = problem.options.header ?? { name: 'X-Content-Type-Options', value: 'nosniff' };
	return { status: texts.status, contentType: 'text/html; charset=utf-8', header, body: renderRefusal(texts) };
}
