/** Whether each source could be restored right now, told from storages alone: n8n's own memory is not asked. Pure. */
import type { JournalRun } from '../../records/journal/journal';
import type { RetentionPolicy } from '../../retention/policy';
import { matchesGlob } from '../../base/glob';
import { spanText } from './ages';
import { isQuiet, type RunningRun, runningRuns } from './attempts';
import { copiesOf } from './copies';
import { type Expectation, missingGroups, rhythmOf } from './expectation';
import type { GroupFacts, StorageFacts } from './facts';
import { type GroupStatus, judgeGroup, missingGroup } from './group';
import type { Targets } from './group-reasons';
import { bySeverity, type Reason, type Verdict } from './reasons';
import { judgeStorage, type StorageStatus } from './storage-use';

export type { GroupStatus } from './group';
export type { Targets } from './group-reasons';
export type { StorageStatus } from './storage-use';
export type { Expectation } from './expectation';
export type { Reason, ReasonCode, Severity, Verdict } from './reasons';
export type { RunningRun } from './attempts';

export interface StatusRequest {
	/** By the clock of whoever looks. */
	now: Date;
	expectations?: readonly Expectation[];
	targets?: Partial<Targets>;
	/** What expires when; the first whose pattern names a group counts. */
	policies?: ReadonlyArray<{ group: string; policy: RetentionPolicy }>;
	/** Bytes that fit into each storage, in their order, where it cannot know itself. */
	capacities?: ReadonlyArray<number | null>;
	/** Of days; a name that Intl knows. @default 'UTC' */
	timeZone?: string;
}

/** The state of everything. */
export interface Status {
	/** When it was judged, ISO 8601. */
	at: string;
	verdict: Verdict;
	/** The answer in one or two sentences, worst first. */
	sentence: string;
	counts: { groups: number; restorable: number; ok: number; warning: number; critical: number; running: number };
	/** Worst first, then by name. */
	groups: GroupStatus[];
	storages: StorageStatus[];
	running: RunningRun[];
	/** The journal was read since then, ISO 8601. */
	runsSince: string;
}

/** Judges what was read. The first storage is where backups are made; others hold copies. */
export function judge(storages: readonly StorageFacts[], request: StatusRequest): Status {
	const { now, expectations = [], targets = {}, policies = [], capacities = [], timeZone = 'UTC' } = request;
	const runs = storages.flatMap((storage) => storage.runs);
	const runsOf = Map.groupBy(runs, ({ group }) => group);
	const groups = [...primaryGroups(storages).values()].map((facts) =>
		judgeGroup(facts, {
			...{ now, expectations, runs: inOrder(runsOf.get(facts.group) ?? []) },
			targets: { rpoMs: targets.rpoMs ?? null, rtoMs: targets.rtoMs ?? null },
			policy: policies.find(({ group }) => matchesGlob(facts.group, group))?.policy ?? null,
			copies: copiesOf(facts.group, storages),
			timeZone,
		}),
	);
	const known = new Set(groups.map(({ group }) => group));
	const missing = missingGroups(expectations, known).map((group) =>
		missingGroup(group, rhythmOf(group, [], expectations)),
	);
	const all = [...groups, ...missing].sort((a, b) => bySeverity(a.verdict, b.verdict) || (a.group < b.group ? -1 : 1));
	const places = storages.map((facts, at) => judgeStorage(facts, now, capacities[at] ?? null));
	const running = runningRuns(runs, now);
	const count = (verdict: Verdict) => all.filter((each) => each.verdict === verdict).length;
	const restorable = all.filter((each) => each.restorable).length;
	return {
		at: now.toISOString(),
		// No backup at all is nothing to be calm about.
		verdict: all.length === 0 ? 'critical' : [...all, ...places].map(({ verdict }) => verdict).sort(bySeverity)[0]!,
		sentence: sentenceOf(all, places, now),
		counts: {
			...{ groups: all.length, restorable, ok: count('ok'), warning: count('warning'), critical: count('critical') },
			running: running.filter((run) => !isQuiet(run)).length,
		},
		...{ groups: all, storages: places, running },
		runsSince: new Date(Math.max(0, ...storages.map(({ runsSince }) => runsSince.getTime()))).toISOString(),
	};
}

/** Of each group, what the first storage that has it says. */
function primaryGroups(storages: readonly StorageFacts[]): Map<string, GroupFacts> {
	const found = new Map<string, GroupFacts>();
	for (const { groups } of storages) {
		for (const facts of groups) if (!found.has(facts.group)) found.set(facts.group, facts);
	}
	return found;
}

function inOrder(runs: readonly JournalRun[]): JournalRun[] {
	return runs.toSorted((a, b) => (a.startedAt < b.startedAt ? -1 : 1));
}

/** Sources that are named in the sentence. */
const MOST_NAMED = 3;

function sentenceOf(groups: readonly GroupStatus[], storages: readonly StorageStatus[], now: Date): string {
	const worst = (reasons: readonly Reason[]) => reasons[0]?.text ?? '';
	const down = storages.filter(({ reasons }) => reasons.some(({ code }) => code === 'unreachable'));
	const unreachable = down.map(({ location, reasons }) => ` ${location} ${worst(reasons)}.`).join('');
	if (groups.length === 0) return `There are no backups.${unreachable}`;
	const not = groups.filter(({ restorable }) => !restorable);
	const first =
		not.length === 0
			? `${groups.length === 1 ? 'The one source' : `All ${groups.length} sources`} can be restored.`
			: `${groups.length - not.length} of ${groups.length} sources can be restored.`;
	const named = not.slice(0, MOST_NAMED).map(({ group, proved }) => {
		const why = proved ? `last proved backup ${spanText(now.getTime() - proved.startedAt)} ago` : 'no proved backup';
		return ` ${group} cannot: ${why}.`;
	});
	const more = not.length > MOST_NAMED ? ` Nor can ${not.length - MOST_NAMED} others.` : '';
	const look = groups.filter(({ restorable, verdict }) => restorable && verdict !== 'ok').length;
	const others = look > 0 ? ` ${look} ${look === 1 ? 'needs' : 'need'} a look.` : '';
	return `${first}${named.join('')}${more}${others}${unreachable}`;
}
