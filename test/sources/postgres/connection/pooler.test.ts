import { openFull, readSource } from '../../../support/database-verbs';
import { Client } from 'pg';
import { checkDatabase } from '../../../../core/sources/postgres/check';
import { connect, disconnect } from '../../../../core/sources/postgres/connection/connection';
import { DEFAULT_DUMP_OPTIONS, postgresSource } from '../../../../core/sources/postgres/dump/dump';
import { withClient } from '../../../../core/sources/postgres/restore/target';
import { createScratchDatabase } from '../../../../core/sources/postgres/drill/scratch-database';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import type { DatabaseFacts } from '../../../../core/sources/postgres/dump/contents';
import { type PgBouncer, type PoolMode, startPgBouncer } from '../../../support/pgbouncer';
import { sharedPostgres, sql } from '../../../support/postgres';
import { NEVER } from '../../../support/small-backup';

const SHARED = {
	code: 'unsupported',
	message: expect.stringMatching(/pooler .*shares sessions/),
	hint: expect.stringMatching(/own address/),
};

let direct: DatabaseTarget;
let pooler: PgBouncer;
beforeAll(async () => {
	direct = await (await sharedPostgres(18)).createDatabase();
	await sql(direct, 'CREATE TABLE item AS SELECT generate_series(1, 50) AS id');
	pooler = await startPgBouncer(direct);
});
afterAll(async () => await pooler.stop());

async function dump(target: DatabaseTarget): Promise<string> {
	const open = await openFull(postgresSource(target));
	try {
		return (await readSource(open)).dump.toString();
	} finally {
		await open.close();
	}
}

/** An application that was there before us, and what its sessions look like to it. */
async function application(mode: PoolMode): Promise<{ look(): Promise<Record<string, string>>; end(): Promise<void> }> {
	const { host, port, database, user, password } = pooler.through(mode);
	const client = new Client({ host, port, database, user, password });
	await client.connect();
	return {
		async look() {
			const { rows } = await client.query<Record<string, string>>(
				`SELECT current_setting('search_path') AS path, current_setting('statement_timeout') AS timeout,
					current_setting('DateStyle') AS dates, (SELECT count(*)::text FROM item) AS rows`,
			);
			return rows[0]!;
		},
		end: async () => await client.end(),
	};
}

describe('a pooler that shares sessions', () => {
	it.each(['transaction', 'statement'] as const)('is refused by every place that connects (%s mode)', async (mode) => {
		const through = pooler.through(mode);
		const app = await application(mode);
		const before = await app.look();
		await expect(dump(through)).rejects.toMatchObject(SHARED);
		await expect(connect(through, { signal: NEVER })).rejects.toMatchObject(SHARED);
		await expect(withClient(through, NEVER, async () => undefined)).rejects.toMatchObject(SHARED);
		const scratch = createScratchDatabase({ kind: 'server', target: through }, {} as DatabaseFacts, {
			rules: { owners: 'drop', privileges: 'drop' },
			signal: NEVER,
			warn: () => undefined,
		});
		await expect(scratch).rejects.toMatchObject(SHARED);
		expect((await checkDatabase(through, DEFAULT_DUMP_OPTIONS, NEVER)).findings).toMatchObject([
			{ check: 'connection', ok: false, ...SHARED },
		]);
		for (let i = 0; i < 3; i++) expect(await app.look()).toEqual(before);
		await app.end();
	});

	it('is recognised among the traffic of others too', async () => {
		const apps = await Promise.all([1, 2, 3, 4].map(() => application('transaction')));
		let busy = true;
		const traffic = apps.map(async (app) => {
			while (busy) await app.look();
		});
		try {
			for (let i = 0; i < 10; i++) {
				await expect(connect(pooler.through('transaction'), { signal: NEVER })).rejects.toMatchObject(SHARED);
			}
		} finally {
			busy = false;
			await Promise.all(traffic);
			await Promise.all(apps.map((app) => app.end()));
		}
	});

	it('is recognised when it takes its sessions in turn', async () => {
		const other = await startPgBouncer(direct, { server_round_robin: 1 });
		try {
			const through = other.through('transaction');
			const warm = await Promise.all([1, 2, 3].map(() => sql(through, 'SELECT pg_sleep(0.1)')));
			expect(warm).toHaveLength(3);
			for (let i = 0; i < 4; i++) await expect(connect(through, { signal: NEVER })).rejects.toMatchObject(SHARED);
		} finally {
			await other.stop();
		}
	});
});

describe('a pooler that gives each client a session for its whole life', () => {
	it('gives the same dump as the server itself, and sessions come back as they were', async () => {
		const through = pooler.through('session');
		const before = await application('session');
		const expected = await before.look();
		await before.end();
		const withoutToken = (text: string) => text.replaceAll(/^\\(un)?restrict .*$/gm, '');
		expect(withoutToken(await dump(through))).toBe(withoutToken(await dump(direct)));
		for (let i = 0; i < 4; i++) {
			const app = await application('session');
			expect(await app.look()).toEqual(expected);
			await app.end();
		}
		await disconnect(await connect(through, { signal: NEVER }));
	});
});
