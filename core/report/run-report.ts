/**
 * One report of a run, made of the items of the nodes that took part in it. Pure: it reads no clock and no storage. Whatever
 * the items hold, it gives a report; and of items that are not ours, none of what they hold.
 */
import { backupSection } from './backup-section';
import { joinBackups } from './backups';
import { drillSection, sortDrills } from './drills';
import { type ReportFacts, reportFacts } from './facts';
import { type Channels, channelsOf } from './channels';
import { type ReportItem, sortItems } from './items';
import { figuresOf, type Message, noteworthyOf, shortText } from './message';
import { type Ping, pingOf } from './ping';
import { priorityOf } from './priority';
import { restoreSection } from './restores';
import { joinRetention, rememberBlocked, retentionSection } from './retention';
import { type Outcome, type Section, worst } from './section';
import { nameOf, shortened } from './values';

export interface ReportRequest {
	items: readonly ReportItem[];
	now: Date;
	/** In which times are shown; a name that Intl knows. */
	timeZone: string;
	/** Databases that matter most, as names or patterns: what is wrong with one is marked in the subject. */
	priority?: readonly string[];
	/** Whether the run goes on after this report. Then only what is not well is worth telling. */
	moreToCome?: boolean;
	/** Whether a run in which all went well is worth telling. */
	tellSuccesses?: boolean;
	/** What a restore is about, should it fail before it can say so. */
	about?: string;
	workflow?: string;
	/** Whether the subject begins with the name of the workflow. */
	workflowInSubject?: boolean;
	/** Since when groups are blocked, ISO 8601: what {@link RunReport.blockedSince} said the last time. */
	blockedSince?: Readonly<Record<string, unknown>>;
	/** After so many days a blocked group is a failure of a run for nothing but retention; 0: at once. */
	blockedAlarmDays?: number;
}

export interface RunReport extends ReportFacts, Channels {
	/** Not failed. */
	ok: boolean;
	outcome: Outcome;
	/** One line, with at most three names for each thing it says. */
	subject: string;
	/** All of it where that is short; otherwise the figures, and what deserves attention. */
	text: string;
	/** What deserves attention, worst first: ten lines at most. */
	noteworthy: string[];
	/** Everything, up to a million characters. */
	details: string;
	/** Whether somebody should be told. */
	tell: boolean;
	/** Whether the run has ended with this report. */
	ended: boolean;
	ping: Ping;
	blockedSince: Record<string, string>;
}

/** Characters. It is kept with the execution in the database of n8n. */
const DETAILS = 1_000_000;

const NOTHING: Section = {
	outcome: 'failed',
	title: 'Backup FAILED: no result',
	entries: [
		{
			...{ level: 'failed', state: 'FAILED', about: 'run', short: 'no result of a backup node came in' },
			text: 'FAILED run: no result of a backup node came in\n  See in the execution which node gave nothing, and why.',
		},
	],
};

/** The report of a run. Items may come in any order and number. Nothing at all is a failure: it must not look like success. */
export function runReport(request: ReportRequest): RunReport {
	const { priority: names = [], blockedSince = {}, moreToCome = false } = request;
	const items = sortItems(request.items);
	const { checks, stored, notStored, verifications, restores, retained, leftovers } = items;
	const priority = priorityOf(names);
	const isBackup = stored.length + notStored.length > 0;
	const backups = joinBackups(items, priority);
	const drills = sortDrills(isBackup ? verifications.filter(isOfNone(stored)) : verifications);
	const retention = joinRetention(retained, leftovers, blockedSince, request.now);
	const hasBackups = isBackup || backups.failed.length + backups.otherCopies.length > 0;

	const sections = [
		...(hasBackups ? [backupSection(backups, retention)] : []),
		...(drills.proved.length + drills.bad.length + drills.notProved.length > 0 ? [drillSection(drills)] : []),
		...(restores.length > 0 ? [restoreSection(restores, request.about ?? '', request.timeZone)] : []),
	];
	if (!hasBackups && retained.length + leftovers.length > 0) {
		sections.push(retentionSection(retention, request.blockedAlarmDays ?? Infinity));
	}
	if (sections.length === 0) sections.push(withoutSections(checks.length, items.done));

	const outcome = worst(sections.map((section) => section.outcome));
	const entries = sections.flatMap((section) => section.entries);
	const bad = sections.filter((section) => section.outcome !== 'ok');
	const title = [...bad, ...sections.filter((section) => !bad.includes(section))].map((section) => section.title);
	const workflow = nameOf(request.workflow);
	const subject = `${request.workflowInSubject && workflow !== '' ? `${workflow}: ` : ''}${title.join('; ')}`;
	const more = 'This came first. The other databases are still being backed up; the report of the run follows.';
	const details = shortened([...entries.map(({ text }) => text), ...(moreToCome ? [more] : [])].join('\n'), DETAILS);
	const warnings = countWarnings(items);
	const facts = reportFacts({ backups, drills, restores, retention, warnings, otherItems: items.foreign });
	const noteworthy = noteworthyOf(entries);
	const figures = figuresOf(facts);
	const text = shortText(details, figures, noteworthy);
	const message: Message = { outcome, subject, entries, figures, workflow };
	const noted = entries.some(({ level }) => level === 'note');
	return {
		...{ ok: outcome !== 'failed', outcome, subject, text },
		...channelsOf(message, text, shortText(details, [], noteworthy)),
		...{ noteworthy, details },
		tell: outcome !== 'ok' || (!moreToCome && (noted || request.tellSuccesses === true)),
		ended: !moreToCome,
		ping: pingOf(outcome, subject),
		...facts,
		blockedSince: rememberBlocked(retention, blockedSince),
	};
}

function withoutSections(checks: number, done: number): Section {
	if (checks + done === 0) return NOTHING;
	const [title, what] =
		checks > 0 ? ['Check ok', 'everything a backup needs is there'] : ['Done', 'nothing of it needs a report'];
	return { outcome: 'ok', title, entries: [{ level: 'ok', state: 'ok', about: '', short: what, text: `ok: ${what}` }] };
}

/** Whether a verification is of no backup of this run. An error without a label is of all of them. */
function isOfNone(stored: ReadonlyArray<{ group: string; label: string }>) {
	const known = new Set(stored.map(({ group, label }) => `${group}/${label}`));
	return ({ group, label }: { group: string; label: string }) =>
		label === '' ? stored.length === 0 : !known.has(`${group}/${label}`);
}

function countWarnings({ stored, verifications, copies, restores, retained }: ReturnType<typeof sortItems>): number {
	return [...stored, ...verifications, ...copies, ...restores, ...retained].flatMap(({ warnings }) => warnings).length;
}
