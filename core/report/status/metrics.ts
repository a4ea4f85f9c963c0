/** A status as metrics for Prometheus, in its text format 0.0.4. */
import { Gauge, Registry } from 'prom-client';
import { BEAT_MS } from '../../records/heartbeat';
import type { Reason } from './reasons';
import type { Status, Verdict } from './status';

const VERDICTS: Record<Verdict, number> = { ok: 0, warning: 1, critical: 2 };
/** The content type that belongs to the text. */
export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/**
 * The text of all metrics. Times are seconds since 1970, spans are seconds, sizes are bytes. What nobody knows has no sample.
 * @see https://prometheus.io/docs/practices/naming/
 */
export async function metricsOf(status: Status): Promise<string> {
	const registry = new Registry();
	const gauge = (name: string, help: string, labelNames: readonly string[] = []) => {
		const made = new Gauge({ name: `n8n_backup_${name}`, help, labelNames: [...labelNames], registers: [registry] });
		return (value: number | null, labels: Record<string, string> = {}) => {
			if (value !== null && Number.isFinite(value)) made.set(labels, value);
		};
	};
	const seconds = (milliseconds: number | null | undefined) => (milliseconds == null ? null : milliseconds / 1000);
	addTotals(status, gauge);
	addGroups(status, gauge, seconds);
	addReasons(status, gauge);
	addCopies(status, gauge, seconds);
	addStorages(status, gauge, seconds);
	addRunning(status, gauge, seconds);
	return await registry.metrics();
}

type AddGauge = (
	name: string,
	help: string,
	labelNames?: readonly string[],
) => (value: number | null, labels?: Record<string, string>) => void;
type Seconds = (milliseconds: number | null | undefined) => number | null;

function addTotals({ at, verdict, counts }: Status, gauge: AddGauge): void {
	gauge('status_timestamp_seconds', 'When the status was judged')(Date.parse(at) / 1000);
	gauge('verdict', 'Verdict on everything: 0 ok, 1 warning, 2 critical')(VERDICTS[verdict]);
	gauge('groups', 'Groups that have a backup or are expected to have one')(counts.groups);
	gauge('groups_restorable', 'Groups of which a proved backup is there that is not too old')(counts.restorable);
}

function addGroups({ groups }: Status, gauge: AddGauge, seconds: Seconds): void {
	const of = (name: string, help: string) => gauge(`group_${name}`, help, ['group']);
	const add = {
		verdict: of('verdict', 'Verdict on a group: 0 ok, 1 warning, 2 critical'),
		restorable: of('restorable', 'Whether a proved backup is there that is not too old'),
		attempt: of('last_attempt_timestamp_seconds', 'Start of the last backup run that has ended'),
		success: of('last_success_timestamp_seconds', 'Start of the newest backup'),
		proved: of('last_proved_timestamp_seconds', 'Start of the newest backup that is proved'),
		drill: of('last_drill_timestamp_seconds', 'When a backup was last restored as a test'),
		expected: of('expected_interval_seconds', 'How often a backup is expected, as given or learnt'),
		failures: of('failures_in_a_row', 'Backup runs that failed since the last one that did not'),
		backups: of('backups', 'Backups in the storage where they are made'),
		bytes: of('stored_bytes', 'Bytes of all backups there'),
		last: of('last_backup_bytes', 'Bytes of the data of the newest backup'),
		duration: of('last_backup_duration_seconds', 'How long the newest backup took'),
		rpo: of('rpo_seconds', 'Age of the newest proved backup: what would be lost now'),
		rto: of('rto_seconds', 'How long the last restore took'),
		expiry: of('next_expiry_timestamp_seconds', 'When the next backup expires'),
		blocked: of('retention_blocked', 'Whether retention is held back'),
	};
	for (const each of groups) {
		const { group, verdict, restorable, attempt, newest, proved, drill, rhythm, size, retention } = each;
		const labels = { group };
		add.verdict(VERDICTS[verdict], labels);
		add.restorable(Number(restorable), labels);
		add.attempt(attempt && Date.parse(attempt.at) / 1000, labels);
		add.success(seconds(newest?.at), labels);
		add.proved(seconds(proved?.startedAt), labels);
		add.drill(seconds(drill?.at), labels);
		add.expected(seconds(rhythm.everyMs), labels);
		add.failures(each.failuresInARow, labels);
		add.backups(each.backups, labels);
		add.bytes(each.storedBytes, labels);
		add.last(size?.bytes ?? null, labels);
		add.duration(each.seconds?.value ?? null, labels);
		add.rpo(seconds(each.rpoMs), labels);
		add.rto(seconds(each.rtoMs), labels);
		add.expiry(seconds(retention?.nextExpiry), labels);
		if (retention) add.blocked(Number(retention.blocked !== null), labels);
	}
}

function addReasons({ groups, storages }: Status, gauge: AddGauge): void {
	const group = gauge('group_reason', 'Something is wrong with a group: 1 warning, 2 critical', ['group', 'reason']);
	for (const { group: name, reasons } of groups) {
		for (const [code, verdict] of worstOfEach(reasons)) group(verdict, { group: name, reason: code });
	}
	const storage = gauge('storage_reason', 'Something is wrong with a storage: 1 warning, 2 critical', [
		'storage',
		'reason',
	]);
	for (const { location, reasons } of storages) {
		for (const [code, verdict] of worstOfEach(reasons)) storage(verdict, { storage: location, reason: code });
	}
}

/** A reason may be there twice, as for two slots of one server; there is one sample for both. */
function worstOfEach(reasons: readonly Reason[]): Map<string, number> {
	const worst = new Map<string, number>();
	for (const { code, severity } of reasons) worst.set(code, Math.max(worst.get(code) ?? 0, VERDICTS[severity]));
	return worst;
}

function addCopies({ groups }: Status, gauge: AddGauge, seconds: Seconds): void {
	const names = ['group', 'storage'];
	const newest = gauge('copy_newest_timestamp_seconds', 'Start of the newest backup of a group in a storage', names);
	const missing = gauge('copy_missing', 'Of the newest ten backups, those that are not in a storage', names);
	for (const { group, copies } of groups) {
		for (const { storage, newest: there, missing: count } of copies) {
			newest(seconds(there?.at), { group, storage });
			if (there) missing(count, { group, storage });
		}
	}
}

function addStorages({ storages }: Status, gauge: AddGauge, seconds: Seconds): void {
	const of = (name: string, help: string) => gauge(`storage_${name}`, help, ['storage']);
	const used = of('used_bytes', 'Bytes of all backups in a storage');
	const free = of('free_bytes', 'Bytes that fit into it');
	const total = of('total_bytes', 'Bytes in all');
	const growth = of('growth_bytes_per_day', 'What its backups grow by');
	const full = of('full_seconds', 'Until it is full at this pace');
	for (const { location: storage, ...each } of storages) {
		used(each.usedBytes, { storage });
		free(each.freeBytes, { storage });
		total(each.totalBytes, { storage });
		growth(each.growthPerDay, { storage });
		full(each.daysUntilFull === null ? null : seconds(each.daysUntilFull * 86_400_000), { storage });
	}
}

function addRunning({ running }: Status, gauge: AddGauge, seconds: Seconds): void {
	const names = ['verb', 'group', 'run'];
	const started = gauge('run_started_timestamp_seconds', 'Start of a run that is under way', names);
	const silent = gauge(
		'run_heartbeat_age_seconds',
		`Since the last heartbeat of a run; there is one every ${BEAT_MS / 1000}`,
		names,
	);
	const bytes = gauge('run_bytes', 'Bytes that a run has done so far', names);
	for (const { id: run, verb, group, startedAt, silentMs, bytes: done } of running) {
		const labels = { verb, group: group ?? '', run };
		started(Date.parse(startedAt) / 1000, labels);
		silent(seconds(silentMs), labels);
		bytes(done, labels);
	}
}
