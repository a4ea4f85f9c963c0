/** Metrics: what Prometheus's own tool says of them, and that no name breaks out of its label. */
import { execFileSync } from 'node:child_process';
import { Repository } from '../../../core/records/repository';
import { metricsOf } from '../../../core/report/status/metrics';
import { readStorage } from '../../../core/report/status/read';
import { judge } from '../../../core/report/status/status';
import { parsePolicy } from '../../../core/retention/policy';
import { MemoryStorage } from '../../../core/storage/memory';
import { buildBackup } from '../../support/build-backup';
import { NEVER } from '../../support/dated-backups';

const DAY = 24 * 3_600_000;

async function metrics(): Promise<string> {
	const storage = new MemoryStorage('memory:"first"\n{x="1"} 1');
	const repository = await Repository.open(storage, { create: true });
	const now = new Date();
	for (let day = 8; day > 0; day--) {
		await buildBackup(repository, { bytes: 100, verified: 'restored', at: new Date(now.getTime() - day * DAY) });
	}
	const facts = await readStorage(repository, { now, signal: NEVER });
	const policies = [{ group: '*', policy: parsePolicy('thirtyDays') }];
	const expectations = [{ group: 'evil"} 1\nn8n_backup_verdict 0\n#', everyHours: 1 }];
	return await metricsOf(judge([facts], { now, policies, expectations }));
}

it('promtool finds nothing wrong, and every group has its verdict', async () => {
	const text = await metrics();
	expect(execFileSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })).toBe('');
	expect(text).toContain('n8n_backup_group_verdict{group="postgres/shop"} 0');
	expect(text).toMatch(/n8n_backup_group_last_success_timestamp_seconds\{group="postgres\/shop"\} \d{10}/);
	expect(text).toContain('n8n_backup_groups_restorable 1');
	expect(text).toContain('reason="missing"} 2');
});

it('hostile names stay inside of their labels', async () => {
	const lines = (await metrics()).split('\n');
	expect(lines.filter((line) => /^n8n_backup_verdict /.test(line))).toEqual(['n8n_backup_verdict 2']);
	expect(lines.filter((line) => line !== '' && !/^(?:# (?:HELP|TYPE) n8n_backup_|n8n_backup_)/.test(line))).toEqual([]);
});

it('a reason that is there twice has one sample, that of the worse', async () => {
	const storage = new MemoryStorage();
	const repository = await Repository.open(storage, { create: true });
	const now = new Date();
	const slot = { slot: 'n8n_backup_1', slotStatus: 'extended', slotHeldBytes: 9e9, slotSafeBytes: 1e9 };
	const details = { piece: true, ...slot, forgottenSlot: null, forgottenBytes: 0 };
	await buildBackup(repository, { bytes: 100, at: new Date(now.getTime() - 1000), details });
	const status = judge([await readStorage(repository, { now, signal: NEVER })], { now });
	const slots = status.groups[0]!.reasons.filter(({ code }) => code === 'slot');
	expect(slots.map(({ severity }) => severity)).toEqual(['critical', 'warning']);
	expect(await metricsOf(status)).toContain('n8n_backup_group_reason{group="postgres/shop",reason="slot"} 2');
});
