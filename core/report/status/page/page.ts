/**
 * The dashboard: one page without scripts, rendered here and served by a webhook. It asks nobody for anything, so that it can be shown under
 * n8n's sandboxing policy, saved, and sent by mail.
 */
import { PROGRAM } from '../../../base/program';
import { parseLabel } from '../../../records/label';
import { ButtonTokens } from '../../api/button';
import type { BackupInStorage } from '../backup';
import type { Status } from '../status';
import { backupPage } from './backup';
import { type Filter, FILTERS, type GroupPage, groupPage } from './group';
import { html, Html } from './html';
import { overview } from './overview';
import { STYLE } from './style';
import { Words } from './words';

export interface PageRequest {
	/** Of times; a name that Intl knows. */
	timeZone: string;
	/** What the address asks for: `group`, `filter`, `page`, `label`. Anything may come here. */
	query?: Readonly<Record<string, unknown>>;
	/** The backup that {@link backupAskedFor} names, in each storage. */
	places?: readonly BackupInStorage[];
	/** Of the page, before its query; '' for the address it was asked by. */
	address?: string;
	/** What proves who looks, for the tokens of buttons; the page has none where it is absent or ''. */
	caller?: string;
	/** Whether another workflow backs a group up where its button asks for that; none does where this is absent. */
	hasWorkflow?: (group: string) => boolean;
}

/** While something runs, the page comes again by itself, seconds, unless its reader has said no. */
const REFRESH_SECONDS = 10;

/** The page that a query asks for, as a whole document. */
export function renderPage(status: Status, request: PageRequest): string {
	const words = new Words(new Date(status.at), request.timeZone);
	const { query = {}, address = '' } = request;
	const { title, body, at } = pageOf(status, words, request);
	// What was asked for begins in a moment.
	const refresh = (status.running.length > 0 || isPressed(query)) && query.refresh !== 'no';
	return shell(status, words, { title, body, stop: refresh ? linkTo(address, { ...at, refresh: 'no' }) : null }).text;
}

function isPressed(query: Readonly<Record<string, unknown>>): boolean {
	return query.pressed === 'yes';
}

/** Where who has pressed a button of a group is sent. */
export function addressAfterPress(group: string): string {
	return linkTo('', { group, pressed: 'yes' });
}

function linkTo(address: string, parameters: Record<string, string>): string {
	return `${address}?${new URLSearchParams(parameters).toString()}`;
}

/** @returns its contents, and the query that leads to it */
function pageOf(
	status: Status,
	words: Words,
	{ query = {}, places = [], address = '', caller = '', hasWorkflow = () => false }: PageRequest,
): { title: string; body: Html; at: Record<string, string> } {
	const to = (parameters: Record<string, string>) => linkTo(address, parameters);
	const found = status.groups.find((each) => each.group === query.group);
	if (!found) {
		return { title: 'Backups', body: overview(status, words, (name) => to({ group: name })), at: {} };
	}
	const { group } = found;
	const asked = backupAskedFor(status, query);
	if (asked) {
		const { label } = asked;
		const body = backupPage({ group, label, places, back: to({ group }) }, words);
		return { title: `${label} – ${group}`, body, at: { group, label } };
	}
	const body = groupPage(found, words, {
		filter: FILTERS.find((each) => each === query.filter) ?? 'all',
		page: Math.trunc(Number(query.page)) || 1,
		backup: (label) => to({ group, label }),
		link: (filter: Filter, page: number) => to({ group, filter, page: String(page) }),
		home: address === '' ? '?' : address,
		id: 'source',
		token: tokensOf(caller, group, words.now),
		hasWorkflow: hasWorkflow(group),
		pressed: isPressed(query),
	});
	return { title: `${group} – backups`, body, at: { group } };
}

function tokensOf(caller: string, group: string, now: Date): GroupPage['token'] {
	if (caller === '') return null;
	const tokens = new ButtonTokens(caller);
	return (button) => tokens.make(button, group, now);
}

/** The backup whose page a query asks for; null for every other page. Only groups of the status are looked for. */
export function backupAskedFor(
	{ groups }: Status,
	{ group, label }: Readonly<Record<string, unknown>>,
): { group: string; label: string } | null {
	if (typeof label !== 'string' || parseLabel(label) === null) return null;
	const known = groups.find((each) => each.group === group);
	return known ? { group: known.group, label } : null;
}

/** All there is in one document, for a file: the first page, and then each source, with links within the document. */
export function renderWhole(status: Status, { timeZone }: Pick<PageRequest, 'timeZone'>): string {
	const words = new Words(new Date(status.at), timeZone);
	const idOf = (name: string) => `source-${status.groups.findIndex(({ group }) => group === name)}`;
	const pages = status.groups.map((group) =>
		groupPage(group, words, {
			...{ filter: 'all', page: 1, link: null, backup: null, home: '#', id: idOf(group.group) },
			...{ token: null, hasWorkflow: false, pressed: false },
		}),
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

/** A page that says why a button did nothing. */
export function renderRefusal({ title, detail, hint }: { title: string; detail: string; hint: string }): string {
	return html`<!doctype html>
		<html lang="en">
			<head>
				<meta charset="utf-8" />
				<meta name="viewport" content="width=device-width, initial-scale=1" />
				<title>${title}</title>
				<style>
					${new Html(STYLE)}
				</style>
			</head>
			<body>
				<main>
					<div class="answer critical">
						<div>
							<h1>${title}</h1>
							<p>${detail}. ${hint}</p>
							<nav aria-label="Where to go"><a href="?">All sources</a></nav>
						</div>
					</div>
				</main>
			</body>
		</html> `.text;
}
