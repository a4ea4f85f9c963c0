/** A status, backups and runs as items. Times are ISO 8601, spans are seconds, sizes are bytes. */
import type { IDataObject, IExecuteFunctions } from 'n8n-workflow';
import { sizeText } from '../../core/base/size-text';
import { assessEvidence } from '../../core/records/assessment';
import type { BackupEntry } from '../../core/records/catalog';
import { readRuns, type JournalRun } from '../../core/records/journal/journal';
import type { GroupStatus, Status, StorageStatus } from '../../core/report/status/status';
import { describeEntry } from './backups';
import { cancelSignal } from './run';
import { withStorages } from './status-settings';

const DAY_MS = 24 * 3_600_000;

export function healthItem({
	at,
	verdict,
	sentence,
	counts,
	groups,
	storages,
	running,
	runsSince,
}: Status): IDataObject {
	return {
		summary: `${verdict.toUpperCase()}: ${sentence}`,
		ok: verdict !== 'critical',
		...{ verdict, sentence, at, counts: { ...counts }, httpStatus: verdict === 'critical' ? 503 : 200 },
		groups: groups.map(groupItem),
		storages: storages.map(storageItem),
		running: running.map((run) => ({ ...run })),
		runsSince,
	};
}

const iso = (time: number | null | undefined) => (time == null ? null : new Date(time).toISOString());
const inSeconds = (span: number | null) => (span === null || !Number.isFinite(span) ? null : Math.round(span / 1000));

function groupItem({ group, kind, verdict, restorable, reasons, ...rest }: GroupStatus): IDataObject {
	const { newest, proved, drill, attempt, rhythm, size, seconds, copies, retention } = rest;
	return {
		...{ group, kind, verdict, restorable, reasons: reasons.map((each) => ({ ...each })) },
		lastAttempt: attempt && { ...attempt },
		failuresInARow: rest.failuresInARow,
		lastSuccess: iso(newest?.at),
		newest: newest?.label ?? null,
		lastProved: iso(proved?.startedAt),
		proved: proved && { label: proved.label, depth: proved.depth, at: iso(proved.at) },
		lastDrill: drill && { label: drill.label, at: iso(drill.at), seconds: drill.seconds },
		everySeconds: inSeconds(rhythm.everyMs),
		learnt: rhythm.learnt,
		rpoSeconds: inSeconds(rest.rpoMs),
		rtoSeconds: inSeconds(rest.rtoMs),
		...{ bytes: size?.bytes ?? null, usualBytes: size?.usual ?? null, seconds: seconds?.value ?? null },
		...{ backups: rest.backups, storedBytes: rest.storedBytes, encrypted: rest.encrypted },
		copies: copies.map(({ newest: there, ...copy }) => ({ ...copy, newest: there && { ...there, at: iso(there.at) } })),
		nextExpiry: iso(retention?.nextExpiry),
		retentionBlocked: retention?.blocked ?? null,
	};
}

export function storageItem({ location, usedBytes, freeBytes, reasons, groups, ...rest }: StorageStatus): IDataObject {
	const free = freeBytes === null ? '' : `, ${sizeText(freeBytes)} free`;
	return {
		summary: `${location}: ${sizeText(usedBytes)} of backups${free}`,
		...{ location, verdict: rest.verdict, reasons: reasons.map((each) => ({ ...each })), usedBytes, freeBytes },
		...{ totalBytes: rest.totalBytes, growthPerDay: rest.growthPerDay, daysUntilFull: rest.daysUntilFull },
		leftovers: rest.leftovers,
		groups: groups.map((each) => ({ ...each })),
	};
}

/** Which of all backups, or runs. */
export interface ListRequest {
	isWanted: (group: string) => boolean;
	limit: number;
}

/** The backups of the storages that the node looks in, newest first, each once, with where it lies. */
export async function backupItems(
	context: IExecuteFunctions,
	itemIndex: number,
	{ isWanted, limit }: ListRequest,
): Promise<IDataObject[]> {
	const places = await withStorages(context, itemIndex, async (storage, open) => {
		const repository = await open();
		const entries = (await repository.list()).filter(({ group }) => isWanted(group));
		return { location: storage.location, entries };
	});
	const byName = new Map<string, { entry: BackupEntry; storages: string[] }>();
	for (const { location, entries } of places) {
		for (const entry of entries) {
			const name = `${entry.group}/${entry.label}`;
			const known = byName.get(name);
			if (known) known.storages.push(location);
			else byName.set(name, { entry, storages: [location] });
		}
	}
	const all = [...byName.values()].sort((a, b) => b.entry.startedAt - a.entry.startedAt);
	return all.slice(0, limit).map(({ entry, storages }) => backupItem(entry, storages));
}

/** What the names of its objects tell. */
function backupItem(entry: BackupEntry, storages: string[]): IDataObject {
	const { group, label, type, startedAt, storedBytes, pinned, tags, verifications } = entry;
	const { proved, failed } = assessEvidence(verifications);
	return {
		summary: `${group}: ${describeEntry(entry)}`,
		...{ group, label, name: `${group}/${label}`, type, startedAt: new Date(startedAt).toISOString(), storedBytes },
		...{ proved: proved?.depth ?? null, provedAt: proved && new Date(proved.at).toISOString(), bad: failed !== null },
		...{ pinned, tags: [...tags], storages },
	};
}

/** The runs of the last days in the storages that the node looks in, newest first. */
export async function runItems(
	context: IExecuteFunctions,
	itemIndex: number,
	{ isWanted, limit, days }: ListRequest & { days: number },
): Promise<IDataObject[]> {
	const signal = cancelSignal(context);
	const now = Date.now();
	const span = { from: new Date(now - days * DAY_MS), to: new Date(now + DAY_MS), signal };
	const found = await withStorages(context, itemIndex, async (storage, open) => {
		const all = await readRuns((await open()).storage, span);
		return all.map((run) => ({ run, location: storage.location }));
	});
	return found
		.flat()
		.filter(({ run }) => run.group === null || isWanted(run.group))
		.sort((a, b) => (a.run.startedAt < b.run.startedAt ? 1 : -1))
		.slice(0, limit)
		.map(({ run, location }) => runItem(run, location));
}

export function runItem(run: JournalRun, location: string): IDataObject {
	return { summary: runSummary(run), ...run, storage: location };
}

function runSummary({ verb, group, label, state, code, progress }: JournalRun): string {
	const what = [group, label].filter((each) => each !== null).join('/') || 'the storage';
	const how = progress ? `${progress.phase}, ${progress.bytes.toLocaleString('en')} bytes` : (code ?? '');
	return `${verb} ${what}: ${state}${how ? ` (${how})` : ''}`;
}
