/** Settings that a server must have at least as high as the one whose log it replays. */

/** Their names. With lower values, PostgreSQL ends: "recovery aborted because of insufficient parameter settings". */
export const REPLAY_SETTINGS = [
	'max_connections',
	'max_worker_processes',
	'max_wal_senders',
	'max_prepared_transactions',
	'max_locks_per_transaction',
] as const;

/** Their values, by name. */
export type ReplaySettings = Readonly<Partial<Record<(typeof REPLAY_SETTINGS)[number], number>>>;
