/** A report as the HTML of an e-mail, and of a Telegram message. Every text from outside is escaped. */
import type { Message } from './message';
import { compareLevels, type Level, type Outcome } from './section';
import { shortened } from './values';

const ROWS = 200;
const ABOUT = 150;
const COLORS: Record<Level | Outcome, string> = {
	...{ failed: '#b3261e', degraded: '#9a5b00', note: '#9a5b00', warning: '#6b5d00', ok: '#1b6e3c' },
};
/** Of Telegram: 4096 characters after its tags are read. Escapes count as one there; this leaves room for the rest. */
const TELEGRAM_TEXT = 3500;
const TELEGRAM_SUBJECT = 400;

export function escapeHtml(text: string): string {
	const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
	return text.replace(/[&<>"']/g, (char) => escapes[char]!);
}

/** Tables only, with styles at the elements: that is what every e-mail program shows. */
export function htmlOf({ outcome, subject, entries, figures, workflow }: Message): string {
	const sorted = entries.toSorted((a, b) => compareLevels(a.level, b.level));
	const more = sorted.length - ROWS;
	const cell = (text: string, style = '') =>
		`<td style="padding:4px 10px 4px 0;vertical-align:top;${style}">${text}</td>`;
	const table = (rows: string[]) =>
		rows.length === 0 ? '' : `<table style="border-collapse:collapse;font-size:14px">\n${rows.join('\n')}\n</table>`;
	return [
		'<div style="font-family:sans-serif">',
		`<h2 style="color:${COLORS[outcome]};font-size:18px">${escapeHtml(subject)}</h2>`,
		table(figures.map(([what, value]) => `<tr>${cell(escapeHtml(what))}${cell(`<b>${escapeHtml(value)}</b>`)}</tr>`)),
		'<br>',
		table(
			sorted
				.slice(0, ROWS)
				.map(
					({ level, state, about, short }) =>
						`<tr>${cell(escapeHtml(state), `color:${COLORS[level]};white-space:nowrap;`)}${cell(escapeHtml(shortened(about, ABOUT)))}${cell(escapeHtml(short))}</tr>`,
				),
		),
		...(more > 0 ? [`<p>and ${more} more</p>`] : []),
		...(workflow === '' ? [] : [`<p style="color:#666666">${escapeHtml(workflow)}</p>`]),
		'</div>',
	].join('\n');
}

/** For "Parse Mode: HTML". */
export function telegramOf(subject: string, text: string): string {
	const title = escapeHtml(shortened(subject, TELEGRAM_SUBJECT));
	return `<b>${title}</b>\n${escapeHtml(shortened(text, TELEGRAM_TEXT))}`;
}
