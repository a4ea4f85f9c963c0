/** Backup Status: Health. One item: the answer, and what is wrong with what. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import type { GroupStatus, Status } from '../../../core/report/status/status';
import { readStatus } from '../settings';
import { storageItem } from './storage.operation';

export async function health(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	return [{ json: healthItem(await readStatus(context, itemIndex)), pairedItem: { item: itemIndex } }];
}

/** Times are ISO 8601, spans are seconds, sizes are bytes. */
function healthItem({ at, verdict, sentence, counts, groups, storages, running, runsSince }: Status): IDataObject {
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
