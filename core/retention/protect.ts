/** How long a policy keeps a backup that is made now. */
import { Calendar } from './calendar';
import { Pace } from './pace';
import { completePolicy, type RetentionPolicy } from './rules';

const HOUR = 3_600_000;

/**
 * How long a new backup can be locked at upload: as long as the policy keeps it for certain if backups go on at the pace of
 * its finest tier. The coarser tiers are left out. Whether it will be the last of its day or month, only later ones decide;
 * what turns out to stay longer can have its lock extended, and a lock cannot be taken back. Where backups are made more
 * often than the finest tier keeps them (every hour under `daily=7`), locks outlast the policy: do not lock there.
 * @returns null when the policy promises nothing: one that has tags only, or a number of the last ones and no tier
 * @throws BackupError 'invalid-input' for a policy that cannot be used
 */
export function protectUntil(policy: RetentionPolicy, startedAt: Date): Date | null {
	const complete = completePolicy(policy);
	const start = startedAt.getTime();
	const pace = new Pace(new Calendar(complete.timeZone), complete, start);
	const until = [
		complete.withinHours > 0 ? start + complete.withinHours * HOUR : 0,
		complete.last > 0 ? pace.arrival(complete.last) : 0,
		pace.finest ? pace.arrival(complete[pace.finest]) : 0,
	].filter((time) => time > 0 && time < Infinity);
	return until.length > 0 ? new Date(Math.max(...until)) : null;
}
