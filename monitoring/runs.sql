-- A table of all runs, for SQL: "Mirror Runs" of the workflow backup-monitoring fills it. PostgreSQL 13 or later.
-- The journal in the storage stays the truth: this table may be dropped and made anew at any time.
CREATE TABLE IF NOT EXISTS backup_runs (
	run text PRIMARY KEY,
	storage text NOT NULL,
	-- backup, verify, restore, copy, expire, pin, unpin, approve or prune
	verb text NOT NULL,
	-- null for a run about the whole storage
	backup_group text,
	label text,
	-- running, ok, degraded, failed, cancelled or lost
	state text NOT NULL,
	-- of a failure, e.g. unreachable
	code text,
	started_at timestamptz NOT NULL,
	finished_at timestamptz,
	host text NOT NULL,
	requested_by text,
	-- figures of this verb, e.g. originalBytes, storedBytes, seconds
	facts jsonb NOT NULL
);
CREATE INDEX IF NOT EXISTS backup_runs_by_group ON backup_runs (backup_group, started_at);
