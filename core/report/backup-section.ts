/** The part of a report that is about a backup run, with the retention that belongs to it. */
import { backupEntries, type Backups } from './backups';
import { type Retention, retentionEntries } from './retention';
import type { Outcome, Section } from './section';
import { namesOrCount, namesText } from './words';

/**
 * Failed: a database was not stored, or a backup is bad. Degraded: all is stored, but a copy, the retention, or the restore
 * of a priority database failed. What could not be verified is no failure, since nothing is known against it.
 */
export function backupSection(backups: Backups, retention: Retention): Section {
	const { failed, good, notCopied, notRestored } = backups;
	const lacking = notCopied.length + notRestored.length + retention.failed.length;
	// Nothing was made, and nothing brought to another place.
	const nothing = good.length === 0 && notCopied.length === backups.otherCopies.length;
	const outcome: Outcome = failed.length > 0 || nothing ? 'failed' : lacking > 0 ? 'degraded' : 'ok';
	const title = { ok: okTitle, degraded: degradedTitle, failed: failedTitle }[outcome](backups, retention);
	return {
		outcome,
		title: `${backups.priority && outcome !== 'ok' ? '[PRIORITY] ' : ''}${title}`,
		entries: [...backupEntries(backups), ...retentionEntries(retention, 'note', 'degraded')],
	};
}

function okTitle({ good, notVerified, otherCopies }: Backups, { blocked }: Retention): string {
	const warnings = good.flatMap((backup) => backup.warnings).length;
	const subject =
		good.length > 0
			? `Backup ok: ${namesOrCount(groupsOf(good), good.every(({ database }) => database) ? 'database' : 'group')}`
			: `Copy ok: ${namesOrCount(groupsOf(otherCopies).filter(Boolean), 'group') || 'nothing was missing'}`;
	return [
		subject,
		...(notVerified.length > 0 ? [`NOT VERIFIED: ${notVerified.length}`] : []),
		...(blocked.length > 0 ? [`retention BLOCKED: ${namesText(groupsOf(blocked))}`] : []),
		...(warnings > 0 ? [`with ${warnings} warnings`] : []),
	].join(', ');
}

function degradedTitle({ good, notCopied, notRestored }: Backups, retention: Retention): string {
	const named = (what: string, names: readonly string[]) => (names.length > 0 ? [`${what}: ${namesText(names)}`] : []);
	const causes = [
		...named('not copied', notCopied),
		...named('not restored', notRestored),
		...named(
			'retention failed',
			retention.failed.map(({ group }) => group || 'all'),
		),
		...(good.length > 0 ? [`stored: ${good.length}`] : []),
	];
	return `${good.length > 0 ? 'Backup' : 'Copy'} DEGRADED: ${causes.join('; ')}`;
}

function failedTitle({ failed, good, notCopied }: Backups): string {
	if (failed.length === 0 && notCopied.length > 0) return `Copy FAILED: ${namesText(notCopied)}`;
	const names = namesText(failed.map(({ about }) => about)) || 'nothing was stored';
	return `Backup FAILED: ${names}${good.length > 0 ? `; stored: ${good.length}` : ''}`;
}

function groupsOf(list: ReadonlyArray<{ group: string }>): string[] {
	return list.map(({ group }) => group);
}
