/** What is sent to a service that raises the alarm when a run does not report: a dead man's switch. */
import type { Outcome } from './section';
import { shortened } from './values';

export interface Ping {
	/** What goes behind the address of a check at healthchecks.io, as at those that copied it: "/fail", or nothing. */
	healthchecks: '' | '/fail';
	/** What goes behind the address of a push monitor of Uptime Kuma, without what follows its "?". */
	uptimeKuma: string;
}

/** A degraded run counts as done: whether it is worth an alarm is for the report, not for whether anything ran. */
export function pingOf(outcome: Outcome, subject: string): Ping {
	const failed = outcome === 'failed';
	const message = new URLSearchParams({ status: failed ? 'down' : 'up', msg: shortened(subject, 200) });
	return { healthchecks: failed ? '/fail' : '', uptimeKuma: `?${message.toString()}` };
}
