/** A report in the JSON that incoming webhooks of chats take, within their limits, and with no name that they could take for markup. */
import type { Message } from './message';
import { shortened } from './values';

/** Microsoft Teams: https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using */
export interface TeamsMessage {
	type: 'message';
	attachments: Array<{ contentType: 'application/vnd.microsoft.card.adaptive'; content: Record<string, unknown> }>;
}

/** Discord: https://docs.discord.com/developers/resources/webhook#execute-webhook */
export interface DiscordMessage {
	embeds: Array<{
		title: string;
		description: string;
		color: number;
		fields: Array<{ name: string; value: string; inline: true }>;
		footer?: { text: string };
	}>;
	/** Nobody is called, whatever names say. */
	allowed_mentions: { parse: [] };
}

/** Mattermost: https://developers.mattermost.com/integrate/reference/message-attachments */
export interface MattermostMessage {
	attachments: Array<{
		fallback: string;
		color: string;
		title: string;
		text: string;
		fields: Array<{ short: true; title: string; value: string }>;
		footer?: string;
	}>;
}

const COLORS = { ok: 0x2e7d32, degraded: 0xb26a00, failed: 0xc62828 } as const;
/** Words of Adaptive Cards, which choose the color by the reader's theme. */
const CARD_COLORS = { ok: 'Good', degraded: 'Warning', failed: 'Attention' } as const;
/** A card of Teams has at most 28 kB; ten figures and so many lines are far below. */
const CARD_LINES = 40;
const CARD_LINE = 300;
const FIGURES = 10;
/** Of Discord, in characters: a title, a description and a footer; escapes count. All of them together: 6,000. */
const [TITLE, DESCRIPTION, FOOTER] = [256, 4000, 500];

export function teamsMessageOf({ outcome, subject, figures, workflow }: Message, text: string): TeamsMessage {
	// Text blocks read Markdown, which has no escape in Teams; runs of text do not.
	const line = (words: string, more: object = {}) => ({
		...{ type: 'RichTextBlock', spacing: 'Small' },
		inlines: [{ type: 'TextRun', text: shortened(words, CARD_LINE), ...more }],
	});
	const content = {
		...{ $schema: 'http://adaptivecards.io/schemas/adaptive-card.json', type: 'AdaptiveCard', version: '1.4' },
		body: [
			line(subject, { weight: 'Bolder', size: 'Medium', color: CARD_COLORS[outcome] }),
			...(figures.length > 0
				? [{ type: 'FactSet', facts: figures.slice(0, FIGURES).map(([title, value]) => ({ title, value })) }]
				: []),
			...linesOf(text).map((each) => line(each)),
			...(workflow === '' ? [] : [line(workflow, { isSubtle: true, size: 'Small' })]),
		],
	};
	return { type: 'message', attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', content }] };
}

function linesOf(text: string): string[] {
	const lines = text.split('\n').filter((line) => line.trim() !== '');
	return lines.length > CARD_LINES
		? [...lines.slice(0, CARD_LINES), `and ${lines.length - CARD_LINES} more lines`]
		: lines;
}

export function discordMessageOf({ outcome, subject, figures, workflow }: Message, text: string): DiscordMessage {
	const embed = {
		...{ title: plain(subject, TITLE), description: plain(text, DESCRIPTION), color: COLORS[outcome] },
		fields: figures.slice(0, FIGURES).map(([name, value]) => ({ name, value, inline: true as const })),
		...(workflow !== '' && { footer: { text: shortened(workflow, FOOTER) } }),
	};
	return { embeds: [embed], allowed_mentions: { parse: [] } };
}

export function mattermostMessageOf({ outcome, subject, figures, workflow }: Message, text: string): MattermostMessage {
	const attachment = {
		...{ fallback: subject, color: `#${COLORS[outcome].toString(16).padStart(6, '0')}` },
		...{ title: plain(subject, TITLE), text: plain(text, DESCRIPTION) },
		fields: figures.slice(0, FIGURES).map(([title, value]) => ({ short: true as const, title, value })),
		...(workflow !== '' && { footer: shortened(workflow, FOOTER) }),
	};
	return { attachments: [attachment] };
}

/** As Markdown that shows the text as it is. The limit counts escapes, and half an escape would be shown. */
function plain(text: string, limit: number): string {
	for (let length = limit; ; length = Math.floor(length * 0.8)) {
		const escaped = shortened(text, length)
			.replace(/[\\`*_{}[\]()#+\-.!|<>~:]/g, '\\$&')
			// Both look for the names of people and groups before they look at Markdown.
			.replaceAll('@', '@\u200b');
		if (escaped.length <= limit) return escaped;
	}
}
