/**
 * What happens while something runs, for whoever watches it: the command line, the journal, a node. Whoever tells need not
 * know who listens, and nobody may be listening.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

export type Event =
	/** Something failed for a passing reason, and is tried again. `failures` in a row, so far. */
	| { kind: 'retry'; message: string; failures: number }
	/** Nothing has moved for some time. */
	| { kind: 'slow'; waitingFor: string; seconds: number }
	/** A lock was taken from a holder that had died. */
	| { kind: 'lock-broken'; message: string }
	/** Another step of the work begins. */
	| { kind: 'phase'; phase: string };

export type Listener = (event: Event) => void;

const listeners = new AsyncLocalStorage<readonly Listener[]>();

/** Tells everybody who listens to the work that is under way here. */
export function tell(event: Event): void {
	for (const listen of listeners.getStore() ?? []) listen(event);
}

/** Does some work while somebody listens to it, and to all that it starts; those who listened before go on listening. */
export async function listening<T>(listener: Listener, work: () => Promise<T>): Promise<T> {
	return await listeners.run([...(listeners.getStore() ?? []), listener], work);
}
