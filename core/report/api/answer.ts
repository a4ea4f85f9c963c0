/** What goes back to a caller of the API. */
export interface Answer {
	status: number;
	contentType: string;
	/** One more header. */
	header: { name: string; value: string };
	body: string;
}

/** Where an answer has no header of its own. */
const NO_HEADER = { name: 'X-Content-Type-Options', value: 'nosniff' };

export function jsonAnswer(status: number, body: object, header: Answer['header'] = NO_HEADER): Answer {
	return { status, contentType: 'application/json', header, body: `${JSON.stringify(body)}\n` };
}

export function textAnswer(contentType: string, body: string): Answer {
	return { status: 200, contentType, header: NO_HEADER, body };
}
