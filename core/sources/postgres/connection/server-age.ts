/** Compares the server of a session with the one that was dumped, without asking for its version: any session can tell. */
import type { ServerAge } from '../replay/verdict';
import type { ReplaySession } from '../replay/session';

/** A setting that came with each major version (PostgreSQL manual, appendix E). */
const FIRST_SETTINGS: Readonly<Record<number, string>> = {
	13: 'wal_keep_size',
	14: 'idle_session_timeout',
	15: 'recovery_prefetch',
	16: 'reserved_connections',
	17: 'transaction_timeout',
	18: 'io_method',
};
const NEWEST = 18;

/** @throws BackupError when the session is lost */
export async function serverAge(session: ReplaySession, dumpedMajor: number | null): Promise<ServerAge> {
	if (dumpedMajor === null || session.inTransaction) return 'unknown';
	const own = FIRST_SETTINGS[Math.min(dumpedMajor, NEWEST)];
	if (own !== undefined && !(await session.knows(own))) return 'older';
	if (dumpedMajor > NEWEST) return 'unknown';
	const next = FIRST_SETTINGS[Math.max(dumpedMajor + 1, 13)];
	return next !== undefined && (await session.knows(next)) ? 'newer' : 'same';
}
