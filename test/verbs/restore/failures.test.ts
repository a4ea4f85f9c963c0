import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Repository } from '../../../core/records/repository';
import { objectKey } from '../../../core/records/layout';
import { restoreDatabase } from '../../support/database-verbs';
import type { ReadOptions, Storage } from '../../../core/storage/storage';
import { type MadeBackup, makeBackup } from '../../support/backups';
import { FaultyStorage } from '../../support/faulty-storage';
import { quoteName, sql, startPostgres } from '../../support/postgres';
import { damaged, makeShop, type Shop } from '../../support/shop';

let shop: Shop;
beforeAll(async () => {
	shop = await makeShop();
}, 120_000);
afterAll(async () => await shop.remove());

describe('a restore that fails leaves no database behind', () => {
	it('when a byte of the backup was changed', async () => {
		const job = shop.request(await damaged(shop.backup));
		await expect(restoreDatabase(job)).rejects.toMatchObject({ code: 'damaged' });
		expect(await shop.databases()).not.toContain(job.into.database);
		expect(await shop.leftovers()).toEqual([]);
	}, 60_000);

	it('when it was given up in the middle', async () => {
		const stop = new AbortController();
		const job = shop.request({
			signal: stop.signal,
			onProgress: ({ phase, bytes }) => phase === 'restoring' && bytes > 100_000 && stop.abort(),
		});
		await expect(restoreDatabase(job)).rejects.toMatchObject({ code: 'cancelled' });
		expect(await shop.leftovers()).toEqual([]);
	}, 60_000);

	it('when it took too long', async () => {
		const job = shop.request({ limits: { hardTimeoutMs: 1 } });
		await expect(restoreDatabase(job)).rejects.toMatchObject({ code: 'timed-out' });
		expect(await shop.leftovers()).toEqual([]);
	}, 60_000);

	it.each([
		['the dump', { key: /dump/, nth: 2, after: 1000 }],
		['the dump before the first one', { key: /dump/, nth: 2 }],
		['the contents', { key: /contents/, after: 10 }],
	])(
		'when the storage stops giving bytes of %s',
		async (_, where) => {
			const storage = new FaultyStorage(shop.backup.storage, [{ on: 'read', ...where, then: 'hang' }]);
			const repository = await Repository.open(storage);
			const job = shop.request({ repository, limits: { stallTimeoutMs: 500 } });
			await expect(restoreDatabase(job)).rejects.toMatchObject({ code: 'stalled' });
			expect(await shop.leftovers()).toEqual([]);
		},
		60_000,
	);

	it('when the server refuses a statement', async () => {
		const refused = await shop.server.createDatabase();
		const role = `gone_${process.pid}`;
		await sql(shop.server.target(), `CREATE ROLE ${role}`);
		await sql(refused, `CREATE TABLE a (id int); ALTER TABLE a OWNER TO ${role}`);
		const job = shop.request(
			await makeBackup(refused, { changeContents: (contents) => ({ ...contents, roles: [], owners: [] }) }),
		);
		await sql(shop.server.target(), `DROP DATABASE ${quoteName(refused.database)}`);
		await sql(shop.server.target(), `DROP ROLE ${role}`);
		await expect(restoreDatabase(job)).rejects.toMatchObject({
			code: 'restore-failed',
			message: expect.stringContaining(role),
		});
		expect(await shop.leftovers()).toEqual([]);
	}, 60_000);

	it('when the server crashed in the middle and recovered', async () => {
		const own = await startPostgres(18);
		try {
			const repository = await halfWay(shop.backup, async () => {
				let backend: { pid: number } | undefined;
				while (!backend) {
					[backend] = await sql<{ pid: number }>(
						own.target(),
						"SELECT pid FROM pg_stat_activity WHERE datname ~ '_restoring_' AND application_name <> ''",
					);
				}
				process.kill(backend.pid, 'SIGKILL'); // the server ends all sessions and recovers
			});
			const job = shop.request({ repository, server: own.target() });
			await expect(restoreDatabase(job)).rejects.toMatchObject({
				code: expect.stringMatching(/connection-lost|unreachable/),
			});
			expect(await shop.leftovers(own)).toEqual([]);
			expect(await shop.databases(own)).not.toContain(job.into.database);
		} finally {
			await own.stop();
		}
	}, 120_000);

	it('or says which one, when the server does not come back', async () => {
		const own = await startPostgres(18);
		const repository = await halfWay(shop.backup, async () => await own.kill());
		const job = shop.request({ repository, server: own.target() });
		await expect(restoreDatabase(job)).rejects.toMatchObject({
			code: expect.stringMatching(/connection-lost|unreachable/),
			hint: expect.stringMatching(/database restored.*_restoring_\w{6} could not be dropped/),
		});
	}, 120_000);
});

/** The same backup, from a storage that waits for something when half of the dump was read. */
async function halfWay({ storage, group, label }: MadeBackup, then: () => Promise<void>): Promise<Repository> {
	const key = objectKey(group, label, 'dump.sql.zst');
	const half = (await storage.stat(key))!.size / 2;
	let reads = 0;
	const read = async (wanted: string, options?: ReadOptions) => {
		const body = await storage.read(wanted, options);
		// The first look is at the beginning only.
		if (wanted !== key || ++reads === 1) return body;
		return Readable.from(
			(async function* () {
				const bytes = await buffer(body);
				yield bytes.subarray(0, half);
				await then();
				yield bytes.subarray(half);
			})(),
		);
	};
	const gated = new Proxy(storage, {
		get(target, name: keyof Storage) {
			const member: unknown = Reflect.get(target, name);
			return name === 'read' ? read : typeof member === 'function' ? (member.bind(target) as unknown) : member;
		},
	});
	return await Repository.open(gated);
}
