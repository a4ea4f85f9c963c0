/**
 * Ends a connection whose server owes an answer and says nothing. Silence alone is no proof: a server that counts a large
 * table or builds an index says nothing for hours. So it is asked over another connection whether it works for us.
 */
import type { Duplex } from 'node:stream';
import type { Client } from 'pg';
import { BackupError } from '../../../base/errors';
import { describeTarget, type DatabaseTarget } from './target';

/** How long a server may be silent before it is asked whether it still works, milliseconds. */
export const DEFAULT_PATIENCE_MS = 5 * 60_000;

export function patienceOf({ patienceMs = DEFAULT_PATIENCE_MS }: DatabaseTarget): number {
	return patienceMs;
}

/**
 * Watches until the socket closes, which it destroys with 'stalled'.
 * @param isWorking asked after each silence; never fails
 */
export function watchSilence(
	client: Client,
	socket: Duplex,
	target: DatabaseTarget,
	isWorking: () => Promise<boolean>,
): void {
	const patience = patienceOf(target);
	let moved = 0;
	let last = { moved: 0, at: performance.now() };
	let asking = false;
	const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
	socket.write = ((...args: unknown[]) => {
		moved++;
		return write(...args);
	}) as typeof socket.write;
	socket.on('data', () => moved++);
	const timer = setInterval(() => void look(), Math.min(1000, patience / 4));
	socket.once('close', () => clearInterval(timer));

	async function look(): Promise<void> {
		if (asking) return;
		// Public in `pg`, though its types do not say so.
		const owesNothing = (client as Client & { readyForQuery?: boolean }).readyForQuery === true;
		if (owesNothing || moved !== last.moved) last = { moved, at: performance.now() };
		if (performance.now() - last.at < patience) return;
		asking = true;
		const working = await isWorking();
		asking = false;
		if (working) last = { moved, at: performance.now() };
		else if (moved === last.moved) socket.destroy(silent(target));
	}
}

function silent(target: DatabaseTarget): BackupError {
	const seconds = patienceOf(target) / 1000;
	return new BackupError(
		'stalled',
		`${describeTarget(target)}: the server said nothing for ${seconds < 120 ? `${seconds} seconds` : `${Math.round(seconds / 60)} minutes`}, and does not work for us any more`,
		{
			hint: 'Look for a firewall or a connection pooler that drops idle connections, and at the load of the server. If such pauses are normal here, raise the stall timeout.',
		},
	);
}

/**
 * Whether a process of the server does something for its client. One that waits for its client waits in vain: all that was
 * to be sent to it was sent long ago.
 */
export async function worksOn(client: Client, process: number): Promise<boolean> {
	const { rows } = await client.query<{ working: boolean }>(
		`SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE pid = $1 AND state NOT LIKE 'idle%'
			AND wait_event IS DISTINCT FROM 'ClientRead' AND wait_event IS DISTINCT FROM 'ClientWrite') AS working`,
		[process],
	);
	return rows[0]!.working;
}
