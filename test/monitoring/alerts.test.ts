/** The alert rules, judged by Prometheus's own tool: each fires when it should, for as long as it should, and not otherwise. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { metricsOf } from '../../core/report/status/metrics';
import { judge } from '../../core/report/status/status';
import { REASON_CODES } from '../../core/report/status/reasons';
import { createFolder, removeFolder } from '../support/folders';

const RULES = path.resolve(__dirname, '../../monitoring/alerts.yml');
const text = fs.readFileSync(RULES, 'utf8');
const GROUP = 'group="postgres/shop"';

/** Name of the alert, the sample that makes it fire, the minutes until it does, its severity. */
const CASES: ReadonlyArray<readonly [alert: string, series: string, fires: number, minutes: number, severity: string]> =
	[
		['BackupNotRestorable', `n8n_backup_group_restorable{${GROUP}}`, 0, 20, 'critical'],
		['BackupFailed', `n8n_backup_group_failures_in_a_row{${GROUP}}`, 1, 0, 'warning'],
		['BackupFailsAgain', `n8n_backup_group_failures_in_a_row{${GROUP}}`, 3, 0, 'critical'],
		['BackupRetentionBlocked', `n8n_backup_group_retention_blocked{${GROUP}}`, 1, 1500, 'warning'],
		...(
			[
				['BackupMissing', 'missing', 20, 'critical'],
				['BackupLate', 'late', 20, 'warning'],
				['BackupBad', 'bad', 0, 'critical'],
				['BackupBad', 'chain-broken', 0, 'critical'],
				['BackupBad', 'exchanged', 0, 'critical'],
				['BackupBad', 'rolled-back', 0, 'critical'],
				['BackupBad', 'unreadable', 0, 'critical'],
				['BackupBad', 'not-authentic', 0, 'critical'],
				['BackupNotProved', 'not-proved', 70, 'warning'],
				['BackupShrunk', 'shrunk', 0, 'warning'],
				['BackupSlotHoldsLog', 'slot', 0, 'warning'],
				['BackupSlow', 'slow', 0, 'warning'],
				['BackupRunsLong', 'long-running', 15, 'warning'],
				['BackupStuck', 'stuck', 0, 'warning'],
				['BackupCopyMissing', 'copy-missing', 70, 'warning'],
				['BackupRpoMissed', 'rpo', 0, 'critical'],
				['BackupRtoMissed', 'rto', 0, 'warning'],
				['BackupCertificateExpires', 'certificate', 0, 'warning'],
			] as const
		).map(
			([alert, reason, minutes, severity]) =>
				[alert, `n8n_backup_group_reason{${GROUP},reason="${reason}"}`, 1, minutes, severity] as const,
		),
		['BackupSlotNearlyLost', `n8n_backup_group_reason{${GROUP},reason="slot"}`, 2, 0, 'critical'],
		['BackupStorageNearlyFull', 'n8n_backup_storage_reason{storage="s3://b",reason="nearly-full"}', 1, 70, 'warning'],
		['BackupStorageUnreachable', 'n8n_backup_storage_reason{storage="s3://b",reason="unreachable"}', 1, 15, 'critical'],
	];

let folder: string;
beforeAll(() => (folder = createFolder('alerts')));
afterAll(() => removeFolder(folder));

/** Whether an alert fires after some minutes of one sample per minute. */
function unitTest(alert: string, series: string, value: number, minutes: number, expected: object[]) {
	const input = { series, values: `${value}x${minutes + 1}` };
	const test = { eval_time: `${minutes}m`, alertname: alert, exp_alerts: expected };
	return { interval: '1m', input_series: [input], alert_rule_test: [test] };
}

/** @throws Error with what promtool says */
function runTests(tests: readonly object[]): void {
	const file = path.join(folder, 'tests.yml');
	// JSON is YAML.
	fs.writeFileSync(file, JSON.stringify({ rule_files: [RULES], evaluation_interval: '1m', tests }));
	execFileSync('promtool', ['test', 'rules', file], { stdio: 'pipe' });
}

function labelsIn(series: string): Record<string, string> {
	return Object.fromEntries([...series.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name!, value!]));
}

it('promtool finds no fault in the rules', () => {
	expect(execFileSync('promtool', ['check', 'rules', RULES], { encoding: 'utf8' })).toContain('SUCCESS');
});

it.each(CASES)('%s fires for %s', (alert, series, fires, minutes, severity) => {
	const rule = new RegExp(`- alert: ${alert}\\n[^]*?summary: (.*)\\n\\s+description: (.*)\\n`).exec(text)!;
	const labels = labelsIn(series);
	const filled = (written: string) =>
		written
			.replace(/^'(.*)'$/, '$1')
			.replace(/{{ \$labels\.(\w+) }}/g, (_, name: string) => labels[name]!)
			.replace('{{ $value }}', String(fires));
	const annotations = { summary: filled(rule[1]!), description: filled(rule[2]!) };
	const expected = [{ exp_labels: { ...labels, severity }, exp_annotations: annotations }];
	const otherwise = series.includes('restorable') ? 1 : 0;
	runTests([
		unitTest(alert, series, fires, minutes, expected),
		unitTest(alert, series, otherwise, minutes, []),
		...(minutes > 0 ? [unitTest(alert, series, fires, 0, [])] : []),
	]);
});

it('a slot is either a warning or critical, never both', () => {
	const series = `n8n_backup_group_reason{${GROUP},reason="slot"}`;
	runTests([unitTest('BackupSlotHoldsLog', series, 2, 0, []), unitTest('BackupSlotNearlyLost', series, 1, 0, [])]);
});

it('BackupStatusMissing fires where no status comes any more', () => {
	const alert = {
		exp_labels: { severity: 'critical' },
		exp_annotations: {
			summary: 'Nobody knows the state of the backups',
			description: 'No status came for half an hour. n8n, its workflow, or the scrape has stopped.',
		},
	};
	runTests([unitTest('BackupStatusMissing', 'up{job="x"}', 1, 15, [alert])]);
});

it('every reason of a group has a rule, but those that no administrator is woken for', () => {
	const told = new Set(CASES.flatMap(([, series]) => labelsIn(series).reason ?? []));
	// Failures and blocked retention have metrics of their own.
	expect(REASON_CODES.filter((code) => !told.has(code))).toEqual([
		...['failed', 'future', 'incomplete', 'journal', 'lost', 'retention-blocked'],
	]);
	const alerts = [...text.matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
	expect(new Set([...CASES.map(([alert]) => alert), 'BackupStatusMissing'])).toEqual(new Set(alerts));
});

it('the Grafana board asks for metrics that exist', async () => {
	const known = new Set(
		[...(await metricsOf(judge([], { now: new Date() }))).matchAll(/# TYPE (\w+)/g)].map(([, name]) => name),
	);
	const board = fs.readFileSync(path.resolve(RULES, '../grafana.json'), 'utf8');
	const asked = [...board.matchAll(/n8n_backup_\w+/g)].map(([name]) => name);
	expect(asked.length).toBeGreaterThan(10);
	expect(asked.filter((name) => !known.has(name))).toEqual([]);
	expect([...text.matchAll(/n8n_backup_\w+/g)].map(([name]) => name).filter((name) => !known.has(name))).toEqual([]);
});
