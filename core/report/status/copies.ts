/** Which backups of a group lie in which storage. */
import type { StorageFacts } from './facts';
import type { Rhythm } from './expectation';
import { type Reason, reason } from './reasons';

/** A group in one storage. */
export interface CopyState {
	storage: string;
	/** The newest backup there; null where there is none. */
	newest: { label: string; at: number; proved: boolean } | null;
	backups: number;
	/** Of the newest ten of the group, those that are not there. */
	missing: number;
	/** It is where the newest backups are made. */
	primary: boolean;
	/** Backups that were made where backups are made, and are newer than all that is there. */
	ahead: number;
}

/** As many of the newest backups are looked for in other storages. */
const LOOKED_FOR = 10;

/** @param storages all that were read; the first is where backups are made, unless only another one has the group */
export function copiesOf(group: string, storages: readonly StorageFacts[]): CopyState[] {
	const held = storages.map((storage) => ({
		storage,
		facts: storage.groups.find((each) => each.group === group) ?? null,
	}));
	const primary = held.find(({ facts }) => facts !== null);
	const wanted = (primary?.facts?.entries ?? []).slice(-LOOKED_FOR).map(({ label }) => label);
	const last = primary?.facts?.entries.at(-1)?.label ?? '';
	return held.map(({ storage, facts }) => {
		const labels = new Set((facts?.entries ?? []).map(({ label }) => label));
		const newest = facts?.entries.at(-1) ?? null;
		const isProved = newest !== null && facts?.proved?.entry.label === newest.label;
		return {
			storage: storage.location,
			newest: newest && { label: newest.label, at: newest.startedAt, proved: isProved },
			backups: labels.size,
			missing: wanted.filter((label) => !labels.has(label)).length,
			primary: storage === primary?.storage,
			// A copy keeps the id of the repository where it was made.
			ahead: (facts?.recent ?? []).filter(
				({ entry, manifest }) => entry.label > last && manifest.repository === primary?.storage.repository,
			).length,
		};
	});
}

/** A destination that once had copies of the group, and now lags behind. */
export function copyReasons(copies: readonly CopyState[], { lateMs }: Rhythm): Reason[] {
	const newest = copies.find(({ primary }) => primary)?.newest;
	if (!newest) return [];
	return copies.flatMap(({ primary, storage, newest: there, missing, ahead }) => {
		if (ahead > 0 && !primary) {
			const what = `${storage} has ${ahead} backups that were made here, after the newest one that is here now`;
			return [reason('rolled-back', 'critical', what)];
		}
		if (primary || there === null || missing === 0 || newest.at - there.at < Math.min(lateMs, newest.at)) return [];
		const what = `${missing} of the last ${LOOKED_FOR} backups ${missing === 1 ? 'is' : 'are'} not in ${storage}`;
		return [reason('copy-missing', 'warning', what)];
	});
}
