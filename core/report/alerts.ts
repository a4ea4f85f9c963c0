/** What has changed in a status since people were told last: new troubles, worse ones, recoveries, and a reminder after a day. Pure. */
import type { Told } from '../records/told';
import { type Channels, channelsOf } from './channels';
import { type Message, noteworthyOf, shortText } from './message';
import { type Ping, pingOf } from './ping';
import { entry, type SectionEntry, type Outcome } from './section';
import { nameOf, shortened, textOf, factsOf, listOf } from './values';

export interface AlertRequest {
	/** An item of *Backup Status: Health*, or anything else. */
	health: unknown;
	told: Told;
	now: Date;
	/** What lasts is told again after so many hours. @default 24 */
	remindHours?: number;
	/** Tell of all that is not well, changed or not, and also where all is: a daily summary. */
	summary?: boolean;
	/** Groups whose news come first, and are marked in the subject. @default none */
	isPriority?: (group: string) => boolean;
	workflow?: string;
}

/** What is to be told, in the forms of the channels, and what people will know then. */
export interface AlertReport extends Channels {
	tell: boolean;
	ok: boolean;
	outcome: Outcome;
	subject: string;
	text: string;
	ping: Ping;
	counts: { raised: number; worse: number; recovered: number; reminded: number; open: number };
	told: Told;
}

interface Trouble {
	about: string;
	severity: 'warning' | 'critical';
	text: string;
	todo: string;
}

const HOUR_MS = 3_600_000;

/** Compares a health with what was told. @throws TypeError never: what is no health is one without troubles and with a note */
export function alertReport(request: AlertRequest): AlertReport {
	const { health, told, now, remindHours = 24, summary = false, isPriority = () => false, workflow = '' } = request;
	const facts = factsOf(health);
	const troubles = troublesOf(facts);
	const at = now.toISOString();
	const next: Told = {};
	const urgent: SectionEntry[] = [];
	const others: SectionEntry[] = [];
	const counts = { raised: 0, worse: 0, recovered: 0, reminded: 0, open: troubles.size };
	for (const [key, trouble] of troubles) {
		const known = told[key];
		const isWorse = known?.severity === 'warning' && trouble.severity === 'critical';
		const isDue = known !== undefined && now.getTime() - Date.parse(known.toldAt) >= remindHours * HOUR_MS;
		const isTold = !known || isWorse || isDue || summary;
		if (!known) counts.raised++;
		else if (isWorse) counts.worse++;
		else if (isDue) counts.reminded++;
		const isUrgent = isPriority(trouble.about);
		const state = !known ? trouble.severity.toUpperCase() : isWorse ? 'WORSE' : 'STILL';
		const marked = `${state}${isUrgent ? ' priority' : ''}`;
		if (isTold) {
			const lines = [`${trouble.text}. ${trouble.todo}`];
			(isUrgent ? urgent : others).push(entry(levelOf(trouble), marked, trouble.about, lines));
		}
		next[key] = {
			severity: trouble.severity,
			text: trouble.text,
			since: known?.since ?? at,
			toldAt: isTold ? at : known.toldAt,
		};
	}
	for (const [key, known] of Object.entries(told)) {
		if (troubles.has(key)) continue;
		counts.recovered++;
		others.push(entry('ok', 'RECOVERED', key.slice(0, key.lastIndexOf(' ')), [known.text]));
	}
	return reportOf([...urgent, ...others], {
		facts,
		troubles,
		counts,
		next,
		summary,
		workflow,
		priority: urgent.length > 0,
	});
}

function levelOf({ severity }: Trouble): 'failed' | 'degraded' {
	return severity === 'critical' ? 'failed' : 'degraded';
}

/** Of what a health says, by what it is about and its reason. */
function troublesOf(facts: ReturnType<typeof factsOf>): Map<string, Trouble> {
	const found = new Map<string, Trouble>();
	const named = [
		...listOf(facts.groups).map((each) => ({ about: nameOf(factsOf(each).group), of: factsOf(each) })),
		...listOf(facts.storages).map((each) => ({ about: nameOf(factsOf(each).location), of: factsOf(each) })),
	];
	for (const { about, of } of named) {
		for (const each of listOf(of.reasons).map(factsOf)) {
			const severity = each.severity === 'critical' ? 'critical' : 'warning';
			const key = `${about} ${nameOf(each.code)}`;
			const worse = found.get(key)?.severity !== 'critical';
			if (worse) found.set(key, { about, severity, text: textOf(each.text), todo: textOf(each.todo) });
		}
	}
	if (typeof facts.verdict !== 'string') {
		const text = 'what came in says nothing of the health of the backups';
		found.set('status none', { about: 'status', severity: 'critical', text, todo: 'Connect Backup Status: Health.' });
	}
	return found;
}

interface Found {
	facts: ReturnType<typeof factsOf>;
	troubles: ReadonlyMap<string, Trouble>;
	counts: AlertReport['counts'];
	next: Told;
	summary: boolean;
	workflow: string;
	/** Something of it concerns a group of priority. */
	priority: boolean;
}

function reportOf(entries: SectionEntry[], found: Found): AlertReport {
	const { facts, troubles, counts, next, summary, workflow, priority } = found;
	const all = [...troubles.values()];
	const outcome = all.some(({ severity }) => severity === 'critical') ? 'failed' : all.length > 0 ? 'degraded' : 'ok';
	const subject = `${priority ? '[PRIORITY] ' : ''}${subjectOf(counts, outcome, textOf(facts.sentence), summary)}`;
	const message: Message = { outcome, subject, entries, figures: [], workflow: nameOf(workflow) };
	const sentence = textOf(facts.sentence);
	const details = shortened(
		[sentence, ...entries.map(({ text }) => text)].filter((line) => line !== '').join('\n'),
		100_000,
	);
	const text = shortText(details, [], noteworthyOf(entries));
	return {
		tell: summary || counts.raised + counts.worse + counts.recovered + counts.reminded > 0,
		...{ ok: outcome !== 'failed', outcome, subject, text, ...channelsOf(message, text) },
		// The watch itself has run: a trouble that it found is told by other means.
		ping: pingOf('ok', subject),
		...{ counts, told: next },
	};
}

function subjectOf(
	{ raised, worse, recovered, reminded, open }: AlertReport['counts'],
	outcome: Outcome,
	sentence: string,
	summary: boolean,
): string {
	const sign = { ok: 'OK', degraded: 'WARNING', failed: 'CRITICAL' }[outcome];
	if (summary) return shortened(`Backups ${sign}: ${sentence}`, 200);
	const news = [
		...(raised > 0 ? [`${raised} new`] : []),
		...(worse > 0 ? [`${worse} worse`] : []),
		...(recovered > 0 ? [`${recovered} recovered`] : []),
		...(reminded > 0 ? [`${reminded} still there`] : []),
	];
	return `Backups ${sign}: ${news.join(', ') || 'nothing new'}${open > 0 && news.length > 0 ? `, ${open} open` : ''}`;
}
