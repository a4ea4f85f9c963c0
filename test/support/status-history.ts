/** Some weeks of backups in memory, good and bad, for pages and metrics that show them. */
import { BackupError } from '../../core/base/errors';
import { recordRun } from '../../core/records/journal/journal';
import { Repository } from '../../core/records/repository';
import { readStorage } from '../../core/report/status/read';
import { judge, type Status } from '../../core/report/status/status';
import { parsePolicy } from '../../core/retention/policy';
import { MemoryStorage } from '../../core/storage/memory';
import { addEvidence, buildBackup } from './build-backup';
import { NEVER } from './dated-backups';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Names that would break out of a page, a terminal or a query that does not escape them. */
export const HOSTILE = [
	'evil/<script>alert(1)</script>',
	"evil/'; DROP TABLE x; --",
	'evil/"><img src=x onerror=alert(1)>',
	'evil/\u001b[31mred\u202egnp.exe',
];

/** A repository with three weeks of backups of several sources, in different states. */
export async function madeHistory(): Promise<{ first: Repository; second: Repository }> {
	const [first, second] = await Promise.all(
		['s3://backups/server1', 'file:///mnt/offsite'].map(async (location) => {
			return await Repository.open(new MemoryStorage(location), { create: true });
		}),
	);
	const now = Date.now();
	const series = async (group: string, days: number, last: number, size: (day: number) => number) => {
		for (let day = days - 1; day >= 0; day--) {
			const at = new Date(now - last - day * DAY);
			const label = await buildBackup(first!, { group, bytes: size(day), verified: 'stored', at });
			if (day % 7 === 0) await addEvidence(first!, label, { group, at: at.toISOString(), depth: 'restored' });
			if (day > 2 && group !== 'files/acme') await copy(first!, second!, group, label);
		}
	};
	await series('postgres/shop', 24, 5 * HOUR, (day) => 40_000 - day * 700 + (day % 3) * 900);
	await series('postgres/crm', 21, 3.2 * DAY, (day) => 20_000 + (day % 4) * 500);
	await series('files/acme', 24, 4 * HOUR, (day) => (day === 0 ? 3_000 : 30_000 - day * 100));
	await series('config/server', 24, 6 * HOUR, () => 1_200);
	for (let run = 0; run < 2; run++) {
		const fail = async () => {
			throw new BackupError('unreachable', 'no connection');
		};
		await recordRun(first!.storage, { verb: 'backup', group: 'postgres/crm' }, fail, () => ({
			outcome: 'ok',
			facts: {},
		})).catch(() => undefined);
	}
	return { first: first!, second: second! };
}

async function copy(from: Repository, to: Repository, group: string, label: string): Promise<void> {
	for (const { key } of await from.objects(group, label)) await to.storage.write(key, await from.storage.read(key));
}

/** The status of that history. @param expected names of groups that never appeared */
export async function madeStatus(expected: readonly string[] = [], timeZone = 'Europe/Vienna'): Promise<Status> {
	const { first, second } = await madeHistory();
	const now = new Date();
	const facts = [await readStorage(first, { now, signal: NEVER }), await readStorage(second, { now, signal: NEVER })];
	return judge(facts, {
		...{ now, timeZone, capacities: [40e6, null] },
		policies: [{ group: '*', policy: parsePolicy('thirtyDays') }],
		expectations: expected.map((group) => ({ group, everyHours: 26 })),
	});
}
