/** The sessions of one restore: the main one, in which everything is executed in order, and others that may help it. */
import type { ReplaySession } from './session';
import { BackupError } from '../../../base/errors';

export class SessionPool {
	/** Told of the warnings of all sessions. */
	onWarning: ((text: string) => void) | null = null;
	readonly #open: () => Promise<ReplaySession>;
	readonly #sessions: ReplaySession[] = [];
	#closed = false;

	constructor(open: () => Promise<ReplaySession>) {
		this.#open = open;
	}

	/** Opens one more session; the first one is the main one. @throws as what opens it */
	async add(): Promise<ReplaySession> {
		const session = await this.#open();
		if (this.#closed) {
			await session.close('at once');
			throw new BackupError('cancelled', 'the restore ended before it was connected');
		}
		this.#sessions.push(session);
		session.onWarning = (text) => this.onWarning?.(text);
		return session;
	}

	/** Closes all of them. Never fails. */
	async close(how: 'politely' | 'at once'): Promise<void> {
		this.#closed = true;
		await Promise.all(this.#sessions.map((session) => session.close(how)));
	}
}
