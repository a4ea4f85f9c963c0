/** The page of one source: its facts, and its backups, newest first. */
import type { Button } from '../../api/button';
import type { GroupStatus } from '../status';
import { restoreCommandHtml } from './backup';
import { html, type Html } from './html';
import { kindOnPage } from './kinds';
import { badge, charts, figures, reasonList } from './overview';
import type { Words } from './words';

const PER_PAGE = 20;

/** Which backups are shown. */
export const FILTERS = ['all', 'proved', 'unproved', 'bad'] as const;
export type Filter = (typeof FILTERS)[number];

export interface GroupPage {
	filter: Filter;
	/** From 1. */
	page: number;
	/** Of the page of one backup; null where there is none. */
	backup: ((label: string) => string) | null;
	/** Of this page with another filter or number; null where all of it is in one document. */
	link: ((filter: Filter, page: number) => string) | null;
	/** Of the first page. */
	home: string;
	/** Of its element, for links within a document. */
	id: string;
	/** The token of a button; null where the page has none. */
	token: ((button: Button) => string) | null;
	/** Another workflow backs the group up where a button asks for that. */
	hasWorkflow: boolean;
	/** A button was pressed a moment ago. */
	pressed: boolean;
}

const BUTTON_TEXTS: Record<Button, string> = {
	backup: 'Back up now',
	verify: 'Verify the newest backup',
	drill: 'Restore it as a test',
};

export function groupPage(group: GroupStatus, words: Words, request: GroupPage): Html {
	const { filter, page, link, backup, home, id, pressed } = request;
	const wanted = group.history.toReversed().filter(({ bad, depth }) => {
		if (filter === 'bad') return bad;
		return filter === 'all' || (filter === 'proved') === (depth !== null);
	});
	const perPage = link === null ? Infinity : PER_PAGE;
	const pages = Math.max(1, Math.ceil(wanted.length / perPage));
	const at = Math.min(Math.max(1, page), pages);
	const shown = link === null ? wanted : wanted.slice((at - 1) * perPage, at * perPage);
	const back = html`<a href="${home}">All sources</a>`;
	return html`<article id="${id}">
		${link === null ? html`<p>${back}</p>` : html`<nav aria-label="Where you are">${back}</nav>`}
		<section class="card ${group.verdict}">
			<h2 class="title"><span>${group.group}</span>${badge(group.verdict)}</h2>
			${reasonList(group.reasons)} ${figures(group, words)} ${charts(group, words)} ${buttons(group, request)}
			${pressed &&
			html`<p role="status" class="dim">Accepted. While it is at work, the first page shows how far it is.</p>`}
		</section>
		<h2>Backups</h2>
		${link !== null &&
		html`<nav aria-label="Which backups">
			${FILTERS.map(
				(each) => html`<a href="${link(each, 1)}" ${each === filter && html`aria-current="page"`}>${each}</a>`,
			)}
		</nav>`}
		<div class="scroll" tabindex="0" role="region" aria-label="Backups of ${group.group}">
			<table>
				<caption>
					The last ${group.history.length} of ${group.backups}, newest first
				</caption>
				<thead>
					<tr>
						<th scope="col">Started</th>
						<th scope="col">Type</th>
						<th scope="col" class="number">Size</th>
						<th scope="col" class="number">Took</th>
						<th scope="col">Proved</th>
						<th scope="col">Label</th>
					</tr>
				</thead>
				<tbody>
					${shown.map(
						({ label, type, at: time, storedBytes, seconds, depth, bad, pinned }) =>
							html`<tr>
								<td>${words.time(time)}</td>
								<td>${type}${pinned && ', pinned'}</td>
								<td class="number">${words.size(storedBytes)}</td>
								<td class="number">${seconds === null ? '' : words.span(seconds)}</td>
								<td>${bad ? 'BAD' : (depth ?? 'no')}</td>
								<td>${backup === null ? label : html`<a href="${backup(label)}">${label}</a>`}</td>
							</tr>`,
					)}
				</tbody>
			</table>
		</div>
		${shown.length === 0 && html`<p class="dim">None.</p>`}
		${link !== null &&
		pages > 1 &&
		html`<nav aria-label="Pages">
			${Array.from(
				{ length: pages },
				(_, number) =>
					html`<a href="${link(filter, number + 1)}" ${number + 1 === at && html`aria-current="page"`}
						>${number + 1}</a
					>`,
			)}
		</nav>`}
		${group.newest &&
		html`<h2>Bring it back without n8n</h2>
			<p class="dim">
				On any machine with Node.js and the identity. By hand, with age, zstd and psql or tar alone:
				docs/restore-by-hand.md.
			</p>
			${restoreCommandHtml(restorable(group))}`}
	</article>`;
}

/** One form for each: a press of one says nothing of the others. */
function buttons({ group, kind, newest }: GroupStatus, { token, hasWorkflow }: GroupPage): Html | null {
	const offered = new Set<Button>(hasWorkflow ? ['backup'] : []);
	for (const button of newest === null ? [] : kindOnPage(kind ?? '').buttons) offered.add(button);
	if (token === null || offered.size === 0) return null;
	return html`<div class="buttons">
		${[...offered].map(
			(button) =>
				html`<form method="post">
					<input type="hidden" name="group" value="${group}" />
					<input type="hidden" name="token" value="${token(button)}" />
					<button name="button" value="${button}">${BUTTON_TEXTS[button]}</button>
				</form>`,
		)}
	</div>`;
}

function restorable({ group, kind, proved, newest }: GroupStatus): Parameters<typeof restoreCommandHtml>[0] {
	return { group, label: proved?.label ?? newest!.label, kind: kind ?? '' };
}
