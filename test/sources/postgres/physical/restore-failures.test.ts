/** A restore of a cluster that fails says why, and leaves what it found as it was. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BackupError } from '../../../../core/base/errors';
import { Repository } from '../../../../core/records/repository';
import { clusterRestorer } from '../../../../core/sources/postgres/physical/restore/restorer';
import { planClusterRestore } from '../../../../core/sources/postgres/physical/restore/plan';
import { restoreBackup } from '../../../../core/verbs/restore/restore';
import { giveToServer } from '../../../../scripts/lib/postgres.mjs';
import { ClusterBackups, CLUSTER_GROUP, NEVER, reachableFolder } from '../../../support/clusters';
import { FaultyStorage } from '../../../support/faulty-storage';
import { type OwnServer, sql, startPostgres } from '../../../support/postgres';

let top: string;
let server: OwnServer;
let backups: ClusterBackups;
let label: string;
let space: string;

beforeAll(async () => {
	top = reachableFolder();
	server = await startPostgres(18);
	space = path.join(top, 'space');
	fs.mkdirSync(space);
	await giveToServer(space);
	// As Debian has it: the configuration lies elsewhere.
	const [{ folder }] = (await sql(server.target(), "SELECT current_setting('data_directory') AS folder")) as [
		{ folder: string },
	];
	for (const name of ['postgresql.conf', 'pg_hba.conf']) fs.rmSync(path.join(folder, name));
	await sql(server.target(), `CREATE TABLESPACE fast LOCATION '${space}'`);
	await sql(server.target(), 'CREATE TABLE orders TABLESPACE fast AS SELECT generate_series(1, 1000) AS n');
	backups = new ClusterBackups();
	await backups.log(server.target());
	label = await backups.base(server.target());
});
afterAll(async () => {
	await server?.stop();
	fs.rmSync(top, { recursive: true, force: true });
});

async function restore(to: string, tablespace: string): Promise<unknown> {
	return await backups.restore({ kind: 'base' }, { to, tablespaces: { [space]: tablespace } });
}

it.each([
	['within the cluster', 'a/data', 'a/data/fast'],
	['around the cluster', 'b/data', 'b'],
])('refuses a tablespace %s', async (_, to, tablespace) => {
	const parent = path.join(top, to.slice(0, 1));
	fs.mkdirSync(parent);
	await expect(restore(path.join(top, to), path.join(top, tablespace))).rejects.toMatchObject({
		code: expect.stringMatching(/invalid-input|already-exists/),
	});
	expect(fs.readdirSync(parent)).toEqual([]);
});

it('refuses a tablespace without a folder, and one that the backup does not have', async () => {
	const to = path.join(top, 'none');
	await expect(backups.restore({ kind: 'base' }, { to })).rejects.toMatchObject({
		message: expect.stringContaining(`the tablespace in ${space} has no folder`),
	});
	const tablespaces = { [space]: path.join(top, 'fast'), '/elsewhere': path.join(top, 'other') };
	await expect(backups.restore({ kind: 'base' }, { to, tablespaces })).rejects.toMatchObject({
		message: expect.stringContaining('the backup has no tablespace in /elsewhere'),
	});
	expect([to, path.join(top, 'fast'), path.join(top, 'other')].map((each) => fs.existsSync(each))).toEqual([
		...[false, false, false],
	]);
});

it('that is cancelled leaves an empty folder empty, with the permissions that it had', async () => {
	const to = path.join(top, 'cancelled');
	fs.mkdirSync(to, { mode: 0o755 });
	const stop = new AbortController();
	const repository = await Repository.open(backups.storage, { signal: NEVER });
	const restoring = restoreBackup({
		...{ repository, group: CLUSTER_GROUP, label, keys: await backups.keys(), signal: stop.signal },
		restorer: clusterRestorer({ to, tablespaces: { [space]: path.join(top, 'fast') } }),
		onProgress: ({ bytes }) => {
			if (bytes > 1_000_000) stop.abort();
		},
	});
	await expect(restoring).rejects.toMatchObject({ code: 'cancelled' });
	expect(fs.readdirSync(to)).toEqual([]);
	expect(fs.statSync(to).mode & 0o777).toBe(0o755);
	expect(fs.existsSync(path.join(top, 'fast'))).toBe(false);
});

it('writes no file on the thread on which n8n runs, and says that the configuration of the server is not in the backup', async () => {
	const writing = jest.spyOn(fs, 'writeSync');
	const opening = jest.spyOn(fs, 'openSync');
	try {
		expect(await restore(path.join(top, 'responsive'), path.join(top, 'responsive-fast'))).toMatchObject({
			warnings: [
				expect.stringMatching(
					/^the backup has no postgresql\.conf and pg_hba\.conf, .* -c config_file=… -c hba_file=… -c data_directory=…/,
				),
			],
		});
		expect([...writing.mock.calls, ...opening.mock.calls]).toEqual([]);
	} finally {
		writing.mockRestore();
		opening.mockRestore();
	}
});

/** Only root may mount a disk of its own. */
const asRoot = process.getuid?.() === 0 ? it : it.skip;

asRoot('says that the disk is full, and removes what was written', async () => {
	const disk = path.join(top, 'disk');
	fs.mkdirSync(disk);
	execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk]);
	try {
		await expect(restore(path.join(disk, 'data'), path.join(top, 'fast'))).rejects.toMatchObject({
			code: 'storage-full',
			message: expect.stringContaining('no space is left'),
		});
		expect(fs.readdirSync(disk)).toEqual([]);
	} finally {
		execFileSync('umount', [disk]);
	}
});

it('reads the manifests of log side by side, and marks one piece of it for all', async () => {
	for (let n = 0; n < 4; n++) {
		await sql(server.target(), 'INSERT INTO orders VALUES (0)');
		await backups.log(server.target());
	}
	let reading = 0;
	let most = 0;
	let together = () => undefined as void;
	const second = new Promise<void>((resolve) => (together = resolve));
	const { storage } = backups;
	const marks: string[] = [];
	const read = storage.read.bind(storage);
	const reads = jest.spyOn(storage, 'read').mockImplementation(async (key, ...more) => {
		if (!key.startsWith('wal/')) return await read(key, ...more);
		most = Math.max(most, ++reading);
		if (reading > 1) together();
		// The first waits for a second one, but not for ever.
		await Promise.race([second, delay(500)]);
		reading--;
		return await read(key, ...more);
	});
	const write = storage.write.bind(storage);
	const writes = jest.spyOn(storage, 'write').mockImplementation(async (key, ...more) => {
		if (/^locks\/wal.*reading-[^-]+\.json$/.test(key)) marks.push(key);
		return await write(key, ...more);
	});
	try {
		const tablespaces = { [space]: path.join(top, 'many-fast') };
		await backups.restore({ kind: 'newest' }, { to: path.join(top, 'many'), tablespaces });
	} finally {
		reads.mockRestore();
		writes.mockRestore();
	}
	expect(most).toBeGreaterThan(1);
	expect(most).toBeLessThanOrEqual(8);
	expect(marks).toHaveLength(1);
});

it('is not planned from an older backup because the storage does not answer', async () => {
	const away = new BackupError('unreachable', 'the storage does not answer');
	const faulty = new FaultyStorage(backups.storage, [
		{ on: 'read', key: new RegExp(`${label}/manifest.json$`), then: { fail: away } },
	]);
	const repository = await Repository.open(faulty, { signal: NEVER });
	const request = { repository, group: CLUSTER_GROUP, target: { kind: 'base' } as const, signal: NEVER };
	await expect(planClusterRestore({ ...request, readContents: async () => null })).rejects.toBe(away);
});
