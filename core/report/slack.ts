/**
 * A report as blocks of Slack, within its limits: 50 blocks, 150 characters in a header, 3,000 in a section, 10 fields
 * (https://docs.slack.dev/reference/block-kit/blocks).
 */
import type { Message } from './message';
import { shortened } from './values';

const HEADER = 150;
const SECTION = 3000;
const FIELDS = 10;
const SIGNS = { ok: '✅', degraded: '⚠️', failed: '❌' } as const;

export interface SlackBlock {
	type: 'header' | 'section' | 'context';
	text?: SlackText;
	fields?: SlackText[];
	elements?: SlackText[];
}

interface SlackText {
	type: 'plain_text' | 'mrkdwn';
	text: string;
	emoji?: boolean;
	/** Slack must not turn names into links and mentions. */
	verbatim?: boolean;
}

/** Without it, `<!channel>` in the name of a database would call everybody. */
export function escapeSlack(text: string): string {
	return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

export function slackBlocksOf({ outcome, subject, figures, workflow }: Message, text: string): SlackBlock[] {
	const header = { type: 'plain_text', text: shortened(`${SIGNS[outcome]} ${subject}`, HEADER), emoji: false } as const;
	const fields = figures
		.slice(0, FIELDS)
		.map(([what, value]) => written(`*${escapeSlack(what)}*\n${escapeSlack(value)}`));
	return [
		{ type: 'header', text: header },
		...(fields.length > 0 ? [{ type: 'section' as const, fields }] : []),
		...(text === '' ? [] : [{ type: 'section' as const, text: written(fitting(text)) }]),
		...(workflow === ''
			? []
			: [{ type: 'context' as const, elements: [written(escapeSlack(shortened(workflow, 500)))] }]),
	];
}

function written(text: string): SlackText {
	return { type: 'mrkdwn', text, verbatim: true };
}

/** The limit counts escapes, and half an escape would be shown as it is. */
function fitting(text: string): string {
	for (let length = SECTION; ; length = Math.floor(length * 0.8)) {
		const escaped = escapeSlack(shortened(text, length));
		if (escaped.length <= SECTION) return escaped;
	}
}
