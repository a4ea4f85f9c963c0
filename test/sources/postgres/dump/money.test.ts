/** Values whose text depends on settings that pg_dump does not write down: they come back as what they were. */
import { withDrill } from '../../../support/database-verbs';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { startServer, type RunningServer } from '../../../../scripts/lib/postgres.mjs';
import { replay } from '../../../../core/sources/postgres/replay/replay';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { verifyBackup } from '../../../../core/verbs/verify/verify';
import { makeSmallBackup, NEVER } from '../../../support/small-backup';
import { sql } from '../../../support/postgres';

const ROOT = path.resolve(__dirname, '../../../..');
/** Pesos have no hundredths: 190 of them are written "$190", which other locales read as 190.00, a hundred times as much. */
const LOCALE = 'es_CL.UTF-8';

let folder: string;
let server: RunningServer;
let till: DatabaseTarget;
beforeAll(async () => {
	folder = fs.mkdtempSync(path.join(os.tmpdir(), 'money-'));
	fs.chmodSync(folder, 0o755);
	execFileSync('localedef', ['-i', 'es_CL', '-f', 'UTF-8', path.join(folder, LOCALE)]);
	const packageDir = path.join(ROOT, 'node_modules/pg15');
	server = await startServer({ packageDir, settings: { fsync: 'off' }, env: { LOCPATH: folder } });
	const { host, port, password } = server;
	till = { host, port, user: 'postgres', password, database: 'till', tls: 'off' };
	const admin = { ...till, database: 'postgres' };
	await sql(admin, 'CREATE DATABASE till');
	await sql(admin, `ALTER DATABASE till SET lc_monetary = '${LOCALE}'`);
	await sql(admin, 'CREATE DATABASE elsewhere');
	await sql(till, "CREATE TABLE receipt (id int, total money); INSERT INTO receipt VALUES (1, 190::money), (2, '-3')");
}, 120_000);
afterAll(async () => {
	await server.stop();
	fs.rmSync(folder, { recursive: true });
});

const TOTALS = 'SELECT string_agg((total::numeric * 100)::bigint::text, $$,$$ ORDER BY id) AS totals FROM receipt';

it.each(['builtin', 'native'] as const)(
	'money is worth the same after a restore, whatever the locale of either side (%s)',
	async (engine) => {
		const before = await sql(till, TOTALS);
		const backup = await makeSmallBackup(till, { engine });
		expect(await verifyBackup({ ...request(backup), ...withDrill({ scratch: { kind: 'embedded' } }) })).toMatchObject({
			outcome: 'ok',
		});
		const target = { ...till, database: 'elsewhere' };
		await sql(target, 'DROP TABLE IF EXISTS receipt');
		await replay(Readable.from([Buffer.from(backup.dump)]), target, { signal: NEVER });
		expect(await sql(target, TOTALS)).toEqual(before);
		// By hand.
		await sql(target, 'DROP TABLE receipt');
		const env = { ...process.env, PGPASSWORD: till.password };
		const args = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', till.host, '-p', String(till.port), '-U', till.user];
		// As the page about restoring by hand says for servers before 17.
		const input = backup.dump.replace(/^SET transaction_timeout = 0;$/m, '');
		execFileSync('psql', [...args, '-o', '/dev/null', 'elsewhere'], { env, input });
		expect(await sql(target, TOTALS)).toEqual(before);
	},
	120_000,
);

function request({ repository, label, keys }: Awaited<ReturnType<typeof makeSmallBackup>>) {
	return { repository, group: 'postgres/shop', label, depth: 'restored' as const, keys, signal: NEVER };
}
