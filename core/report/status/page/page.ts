/**
 * The dashboard: one page without scripts, rendered here and served by a webhook. It asks nobody for anything, so that it can be shown under
 * n8n's sandboxing policy, saved, and sent by mail.
 */
import { PROGRAM } from '../../../base/program';
import type { Status } from '../status';
import { type Filter, FILTERS, groupPage } from './group';
import { html, Html } from './html';
import { overview } from './overview';
import { STYLE } from './style';
import { Words } from './words';

export interface PageRequest {
	/** Of times; a name that Intl knows. */
	timeZone: string;
	/** What the address asks for: `group`, `filter`, `page`. Anything may come here. */
	query?: Readonly<Record<string, unknown>>;
	/** Of the page, before its query; '' for the address it was asked by. */
	address?: string;
}

/** While something runs, the page comes again by itself, seconds, unless its reader has said no. */
const REFRESH_SECONDS = 10;

/** The page that a query asks for, as a whole document. */
export function renderPage(status: Status, { timeZone, query = {}, address = '' }: PageRequest): string {
	const words = new Words(new Date(status.at), timeZone);
	const to = (parameters: Record<string, string>) => `${address}?${new URLSearchParams(parameters).toString()}`;
	const group = status.groups.find((each) => each.group === query.group);
	const filter = FILTERS.find((each) => each === query.filter) ?? 'all';
	const body = group
		? groupPage(group, words, {
				...{ filter, page: Math.trunc(Number(query.page)) || 1, home: address === '' ? '?' : address, id: 'source' },
				link: (each: Filter, page: number) => to({ group: group.group, filter: each, page: String(page) }),
			})
		: overview(status, words, (name) => to({ group: name }));
	const refresh = status.running.length > 0 && query.refresh !== 'no';
	const stop = to({ ...(group && { group: group.group }), refresh: 'no' });
	return shell(status, words, {
		title: group ? `${group.group} – backups` : 'Backups',
		body,
		stop: refresh ? stop : null,
	}).text;
}

/** All there is in one document, for a file: the first page, and then each source, with links within the document. */
export function renderWhole(status: Status, { timeZone }: Pick<PageRequest, 'timeZone'>): string {
	const words = new Words(new Date(status.at), timeZone);
	const idOf = (name: string) => `source-${status.groups.findIndex(({ group }) => group === name)}`;
	const pages = status.groups.map((group) =>
		groupPage(group, words, { filter: 'all', page: 1, link: null, home: '#', id: idOf(group.group) }),
	);
	const body = html`${overview(status, words, (name) => `#${idOf(name)}`)} ${pages}`;
	return shell(status, words, { title: 'Backups', body, stop: null }).text;
}

/** @param part.stop address of the page that does not come again by itself; null where it does not anyway */
function shell(
	{ verdict, sentence, counts }: Status,
	words: Words,
	{ title, body, stop }: { title: string; body: Html; stop: string | null },
): Html {
	return html`<!doctype html>
		<html lang="en">
			<head>
				<meta charset="utf-8" />
				<meta name="viewport" content="width=device-width, initial-scale=1" />
				${stop !== null && html`<meta http-equiv="refresh" content="${REFRESH_SECONDS}" />`}
				<meta name="robots" content="noindex" />
				<title>${verdict === 'ok' ? '' : `${verdict.toUpperCase()} · `}${title}</title>
				<style>
					${new Html(STYLE)}
				</style>
			</head>
			<body>
				<header>
					<p class="when">
						As of ${words.time(words.now.getTime())}, from the storage itself. Times are of
						${words.timeZone}.${stop !== null &&
						html` The page renews itself while something runs. <a href="${stop}">Stop that</a>`}
					</p>
					<div class="answer ${verdict}">
						<div>
							<h1>${sentence}</h1>
							<p class="dim">
								${counts.ok} ok, ${counts.warning} with warnings, ${counts.critical}
								critical${counts.running > 0 && `, ${counts.running} at work now`}
							</p>
						</div>
					</div>
				</header>
				<main>${body}</main>
				<footer>${PROGRAM.name} ${PROGRAM.version}</footer>
			</body>
		</html> `;
}
