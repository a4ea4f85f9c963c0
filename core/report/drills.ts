/** Verifications of backups that this run did not make: restore drills. One that proved nothing is a failure here. */
import { warningText } from './backups';
import type { ReportedVerification } from './read';
import { entry, type Section } from './section';
import { comparedText, hintBelow, namesOrCount, namesText, secondsText } from './words';

export interface Drills {
	proved: ReportedVerification[];
	bad: ReportedVerification[];
	/** Nothing was learned of these: the storage, the scratch database or a setting stood in the way. */
	notProved: ReportedVerification[];
}

export function sortDrills(verifications: readonly ReportedVerification[]): Drills {
	return {
		proved: verifications.filter(({ ok }) => ok),
		bad: verifications.filter(({ ok, outcome }) => !ok && outcome === 'bad'),
		notProved: verifications.filter(({ ok, outcome }) => !ok && outcome !== 'bad'),
	};
}

export function drillSection({ proved, bad, notProved }: Drills): Section {
	const groups = (list: ReportedVerification[]) => list.map(({ group }) => group || 'the drill');
	const restored = proved.every(({ depth }) => depth === 'restored');
	const provedText = `${restored ? 'Restore proved' : 'Backup verified'}: ${namesOrCount(groups(proved), 'group')}`;
	return {
		outcome: bad.length + notProved.length > 0 || proved.length === 0 ? 'failed' : 'ok',
		title: [
			...(bad.length > 0 ? [`Backup BAD: ${namesText(groups(bad))}`] : []),
			...(notProved.length > 0 ? [`Restore drill could not be done: ${namesText(groups(notProved))}`] : []),
			...(proved.length > 0 ? [provedText] : []),
		].join('; '),
		entries: [
			...bad.map((each) => entry('failed', 'BAD', nameOfBackup(each), [`${each.message}${hintBelow(each.hint)}`])),
			...notProved.map((each) =>
				entry('failed', 'NOT PROVED', nameOfBackup(each), [`${each.message}${hintBelow(each.hint)}`]),
			),
			...proved.map((each) =>
				entry(each.warnings.length > 0 ? 'warning' : 'ok', 'proved', nameOfBackup(each), [
					proof(each),
					...each.warnings.map(warningText),
				]),
			),
		],
	};
}

function nameOfBackup({ group, label }: ReportedVerification): string {
	return label === '' ? 'the drill' : `${group}/${label}`;
}

function proof(verification: ReportedVerification): string {
	const { depth, restoreSeconds, seconds, scratch } = verification;
	if (depth === 'restored') {
		const compared = `${comparedText(verification)} as they were backed up`;
		const where = scratch === '' ? '' : `, ${scratch}`;
		return `restored in ${secondsText(restoreSeconds)}, ${compared}; ${secondsText(seconds)} in all${where}`;
	}
	return depth === 'readable'
		? 'opens and is complete; not restored'
		: 'lies in the storage as it was written; not opened';
}
