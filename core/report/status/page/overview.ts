/** The first page: the answer, then each source, then the storages. */
import type { GroupStatus, Reason, RunningRun, Status, StorageStatus, Verdict } from '../status';
import { bar, calendar, trend } from './charts';
import { html, type Html } from './html';
import type { Words } from './words';

const VERDICTS: Record<Verdict, string> = { ok: 'OK', warning: 'Warning', critical: 'Critical' };

/** @param link of a group's page */
export function overview(status: Status, words: Words, link: (group: string) => string): Html {
	const { groups, storages, running } = status;
	return html`${runningSection(running, words)}
		<h2>Sources</h2>
		<div class="groups">${groups.map((group) => card(group, words, link))}</div>
		<h2>Storage</h2>
		<div class="groups">${storages.map((storage) => storageCard(storage, words))}</div>`;
}

/** A verdict as a word, so that color alone says nothing. */
export function badge(verdict: Verdict): Html {
	return html`<span class="badge ${verdict}">${VERDICTS[verdict]}</span>`;
}

/** What is wrong, and what to do. */
export function reasonList(reasons: readonly Reason[]): Html | null {
	if (reasons.length === 0) return null;
	return html`<ul class="reasons">
		${reasons.map(
			({ severity, text, todo }) => html`<li class="${severity}"><b>${capital(text)}.</b><span>${todo}</span></li>`,
		)}
	</ul>`;
}

function card(group: GroupStatus, words: Words, link: (group: string) => string): Html {
	return html`<section class="card ${group.verdict}">
		<h3><a href="${link(group.group)}">${group.group}</a>${badge(group.verdict)}</h3>
		${reasonList(group.reasons)} ${figures(group, words)} ${charts(group, words)}
	</section>`;
}

/** The facts of a group, as a list of terms. */
export function figures(group: GroupStatus, words: Words): Html {
	const { newest, proved, drill, copies, retention, size, seconds, rhythm, backups, storedBytes } = group;
	const others = copies.filter(({ primary }) => !primary);
	const rows: Array<[string, string | null]> = [
		['Last backup', newest && words.ago(newest.at)],
		['Last proved', proved ? `${words.ago(proved.startedAt)} (${proved.depth})` : 'none'],
		[
			'Last restored',
			drill ? `${words.ago(drill.at)}${drill.seconds === null ? '' : `, took ${words.span(drill.seconds)}`}` : 'never',
		],
		[
			'Expected',
			rhythm.everyMs === null ? null : `every ${words.span(rhythm.everyMs / 1000)}${rhythm.learnt ? ', as usual' : ''}`,
		],
		[
			'Size',
			size && `${words.size(size.bytes)}${size.usual === null ? ', as usual' : `, usually ${words.size(size.usual)}`}`,
		],
		['Took', seconds && words.span(seconds.value)],
		['Kept', backups > 0 ? `${backups} backups, ${words.size(storedBytes)}` : null],
		['Copies', others.length > 0 ? others.map((copy) => copyText(copy)).join('; ') : null],
		[
			'Retention',
			retention &&
				(retention.blocked
					? 'held back'
					: retention.nextExpiry === null
						? 'nothing expires soon'
						: `next expiry ${words.time(retention.nextExpiry)}`),
		],
		[
			'Encrypted',
			group.encrypted === null ? null : group.encrypted ? 'yes' : 'NO: whoever reads the storage reads the data',
		],
	];
	return html`<dl>
		${rows.map(
			([term, text]) =>
				text &&
				html`<dt>${term}</dt>
					<dd>${text}</dd>`,
		)}
	</dl>`;
}

function copyText({ storage, newest, missing }: GroupStatus['copies'][number]): string {
	if (newest === null) return `none in ${storage}`;
	return missing === 0 ? `all in ${storage}` : `${missing} of the last ten missing in ${storage}`;
}

/** How large its backups were and how long they took, and what became of each day. */
export function charts({ history, days, group }: GroupStatus, words: Words): Html {
	const sizes = history.map(({ storedBytes }) => storedBytes);
	const seconds = history.flatMap((point) => (point.seconds === null ? [] : [point.seconds]));
	const size = trend(
		sizes,
		`Sizes of the last ${sizes.length} backups of ${group}, at most ${words.size(Math.max(0, ...sizes))}`,
	);
	const time = trend(
		seconds,
		`Durations of the last ${seconds.length} backups, at most ${words.span(Math.max(0, ...seconds))}`,
	);
	const good = days.filter(({ backups, bad, failed }) => backups > 0 && bad + failed === 0).length;
	const wrong = days.filter(({ bad, failed }) => bad + failed > 0).length;
	const says = `Of the last ${days.length} days, ${good} had good backups and ${wrong} had failures`;
	return html` ${size &&
	html`<div class="trend">
		<figure>
			<figcaption>Size</figcaption>
			${size}
		</figure>
		${time &&
		html`<figure>
			<figcaption>Duration</figcaption>
			${time}
		</figure>`}
	</div>`}
	${days.length > 0 &&
	html`<figure class="calendar">
		<figcaption>Last 30 days</figcaption>
		${calendar(days, says)}
	</figure>`}`;
}

function runningSection(running: readonly RunningRun[], words: Words): Html | null {
	if (running.length === 0) return null;
	return html`<h2>At work now</h2>
		<div class="groups">
			${running.map((run) => {
				const { verb, group, phase, bytes, totalBytes, startedAt, host } = run;
				const share = bytes !== null && totalBytes ? bytes / totalBytes : null;
				const done = bytes === null ? '' : ` ${words.size(bytes)}${totalBytes ? ` of ${words.size(totalBytes)}` : ''}`;
				return html`<section class="card">
					<h3>${capital(verb)} ${group ?? ''}</h3>
					<p class="dim">${phase ?? 'begins'}${done}, for ${words.age(Date.parse(startedAt))}, on ${host}</p>
					${share !== null && bar(share, `${Math.round(share * 100)} % done`)}
				</section>`;
			})}
		</div>`;
}

function storageCard(storage: StorageStatus, words: Words): Html {
	const {
		location,
		verdict,
		reasons,
		usedBytes,
		freeBytes,
		totalBytes,
		growthPerDay,
		daysUntilFull,
		groups,
		leftovers,
	} = storage;
	const share = freeBytes === null || !totalBytes ? null : 1 - freeBytes / totalBytes;
	const full = daysUntilFull === null ? null : words.now.getTime() + daysUntilFull * 86_400_000;
	const rows: Array<[string, string | null]> = [
		['Backups', words.size(usedBytes)],
		[
			'Free',
			freeBytes === null ? 'not known' : `${words.size(freeBytes)}${totalBytes ? ` of ${words.size(totalBytes)}` : ''}`,
		],
		['Growth', growthPerDay === null ? null : `${words.size(Math.max(0, Math.round(growthPerDay)))} per day`],
		['Full', full === null ? null : daysUntilFull! > 3650 ? 'not within ten years' : `about ${words.time(full)}`],
		[
			'Largest',
			groups.length === 0
				? null
				: groups
						.slice(0, 3)
						.map(({ group, bytes }) => `${group} ${words.size(bytes)}`)
						.join(', '),
		],
		['Leftovers', leftovers === 0 ? null : `${leftovers} of unfinished runs`],
	];
	return html`<section class="card ${verdict}">
		<h3><span>${location}</span>${badge(verdict)}</h3>
		${reasonList(reasons)} ${share !== null && bar(share, `${Math.round(share * 100)} % used`, verdict)}
		<dl>
			${rows.map(
				([term, text]) =>
					text &&
					html`<dt>${term}</dt>
						<dd>${text}</dd>`,
			)}
		</dl>
	</section>`;
}

function capital(text: string): string {
	return text.charAt(0).toUpperCase() + text.slice(1);
}
