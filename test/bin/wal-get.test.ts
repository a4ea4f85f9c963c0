/** n8n-backup wal-get, as restore_command of real servers, and what it says to them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import type { BackupError } from '../../core/base/errors';
import type { Manifest } from '../../core/records/manifest';
import { Repository } from '../../core/records/repository';
import { parseLsn, segmentName } from '../../core/sources/postgres/physical/lsn';
import { fetchLogFile } from '../../core/sources/postgres/physical/restore/fetch';
import { FolderStorage } from '../../core/storage/folder/folder';
import { openBackup } from '../../core/verbs/open-backup';
import { giveToServer } from '../../scripts/lib/postgres.mjs';
import { ClusterBackups, CLUSTER_GROUP, NEVER, reachableFolder, startRestored } from '../support/clusters';
import { type CompiledProgram, compileProgram } from '../support/compiled-program';
import { Document, sh } from '../support/document';
import { type Major, type OwnServer, sql, startPostgres } from '../support/postgres';

const SEGMENT = 16 * 1024 * 1024;
const page = new Document('docs/point-in-time.md');
const byHand = new Document('docs/restore-cluster-by-hand.md');

let top: string;
let program: CompiledProgram;
beforeAll(() => {
	top = reachableFolder();
	program = compileProgram();
	fs.chmodSync(program.folder, 0o755);
	// The user of the server must be able to run all of it, also where the one of the tests keeps Node to itself.
	fs.mkdirSync(path.join(top, 'bin'));
	fs.copyFileSync(process.execPath, path.join(top, 'bin/node'));
	fs.mkdirSync(path.join(top, 'cache'));
	fs.chmodSync(path.join(top, 'cache'), 0o777);
	const script = `#!/bin/sh\nNODE_COMPILE_CACHE=${top}/cache exec ${top}/bin/node ${program.folder}/bin/n8n-backup.js "$@"\n`;
	fs.writeFileSync(path.join(top, 'bin/n8n-backup'), script, { mode: 0o755 });
});
afterAll(() => {
	program?.remove();
	fs.rmSync(top, { recursive: true, force: true });
});

/** Those that were made, since making one takes longer than most of what is asked of it. */
const made = new Map<Major, ReturnType<typeof make>>();

/** Backups of a server with a table that was dropped, and the moment before. */
async function prepare(major: Major) {
	if (!made.has(major)) made.set(major, make(major));
	return await made.get(major)!;
}

async function make(major: Major) {
	const storage = path.join(top, `storage-${major}`);
	fs.mkdirSync(storage);
	const server = await startPostgres(major, { settings: { synchronous_commit: 'on' } });
	try {
		const shop = await server.createDatabase('shop');
		await sql(shop, 'CREATE TABLE ledger AS SELECT n FROM generate_series(1, 1000) n');
		const backups = new ClusterBackups(new FolderStorage({ path: storage }));
		await backups.log(shop);
		const label = await backups.base(shop);
		const pieces: Manifest[] = [];
		const collect = async () => void pieces.push((await backups.log(shop))!);
		// Several files of the log, and several pieces of one file.
		for (let n = 0; n < 2; n++) {
			await sql(shop, 'INSERT INTO ledger SELECT n FROM generate_series(1, 150000) n');
			await collect();
		}
		const [{ now }] = (await sql<{ now: Date }>(shop, 'SELECT clock_timestamp() AS now')) as [{ now: Date }];
		await new Promise((resolve) => setTimeout(resolve, 50));
		await sql(shop, 'DROP TABLE ledger');
		await collect();
		const key = path.join(storage, 'key.txt');
		fs.writeFileSync(key, `${(await backups.keys()).identities[0]}\n`, { mode: 0o600 });
		return { storage, server, backups, label, pieces, now, key };
	} finally {
		await server.stop();
	}
}

interface Restoring {
	storage: string;
	now: Date;
	key: string;
}

async function countIn(server: OwnServer, folder: string): Promise<unknown> {
	const restored = await startRestored(server.major, folder, server.password);
	try {
		return await sql(restored.target('shop'), 'SELECT count(*)::int FROM ledger');
	} finally {
		await restored.stop();
	}
}

async function run(...args: string[]) {
	const child = spawn(path.join(top, 'bin/n8n-backup'), args, { stdio: ['ignore', 'ignore', 'pipe'], env: {} });
	const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
	return { code: code as number, stderr };
}

it.each<Major>([15, 18])(
	'PostgreSQL %i fetches its log itself (15: by hand; 18: as restore sets it up)',
	async (major) => {
		const { storage, server, label, now, key } = await prepare(major);
		const folder = path.join(top, `data-${major}`);
		if (major === 15) await restoreByHand(folder, { storage, label, now, key });
		else await restoreByProgram(folder, { storage, now, key });
		await giveToServer(storage);
		const log = path.join(folder, 'pg_wal');
		expect(fs.readdirSync(log).length).toBeLessThanOrEqual(3);
		expect(await countIn(server, folder)).toEqual([{ count: 301_000 }]);
		expect(fs.readdirSync(log).filter((name) => /RECOVERY|-[0-9a-f]{4}-/.test(name))).toEqual([]);
	},
);

async function restoreByHand(
	folder: string,
	{ storage, label, now, key }: Restoring & { label: string },
): Promise<void> {
	const env = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' };
	const base = { 'cluster/main/20261127T020000Z-full-k3f9': `${CLUSTER_GROUP}/${label}` };
	await sh(byHand.block('mkdir -m 700 data', base), { cwd: storage, env });
	const moment = now.toISOString().replace('T', ' ').replace('Z', '+00');
	const names = {
		...{ '2026-11-27 14:29:59.500+00': moment, 'file:///backups': `file://${storage}`, '/etc/n8n-backup/key.txt': key },
		...{ '/usr/local/bin/n8n-backup': `${top}/bin/n8n-backup`, ...base },
	};
	await sh(page.block('wal-get', names), { cwd: storage, env });
	fs.renameSync(path.join(storage, 'data'), folder);
}

async function restoreByProgram(to: string, { storage, now, key }: Restoring): Promise<void> {
	const from = ['--storage', `file://${storage}`, '--identity', key];
	const restored = await run(
		'restore',
		CLUSTER_GROUP,
		...from,
		'--to',
		to,
		'--until',
		now.toISOString(),
		'--fetch-log',
	);
	expect(restored).toEqual({ code: 0, stderr: '' });
}

it('says "not there" only where nothing is stored; every error stops a server', async () => {
	// Last: pieces are taken away.
	const { storage, backups, label, pieces, key } = await prepare(18);
	const wanted = path.join(top, 'wanted');
	fs.mkdirSync(wanted);
	const repository = await Repository.open(backups.storage, { signal: NEVER });
	const reading = { repository, keys: await backups.keys(), signal: NEVER, stallTimeoutMs: 60_000 };
	const open = async (group: string, of: string) =>
		await openBackup([await repository.readManifest(group, of, NEVER)], reading);
	const base = { group: CLUSTER_GROUP, label };
	const get = async (file: string, more: { upToGap?: boolean } = {}) => {
		const to = path.join(wanted, 'RECOVERYXLOG');
		const found = await fetchLogFile({ repository, base, file, to, open, signal: NEVER, ...more }).catch(
			(error: unknown) => (error as BackupError).code,
		);
		const left = fs.readdirSync(wanted).filter((name) => name !== 'n8n-backup-log.json');
		const sizes = left.map((name) => fs.statSync(path.join(wanted, name)).size);
		for (const name of left) fs.rmSync(path.join(wanted, name));
		return { found, left, sizes };
	};
	const endOf = (piece: Manifest) => parseLsn(String(piece.source.details.walEnd));
	const fileAt = (place: bigint) => segmentName(1, place, SEGMENT);
	const [first, second, last] = pieces as [Manifest, Manifest, Manifest];
	const given = { found: true, left: ['RECOVERYXLOG'], sizes: [SEGMENT] };
	const notThere = { found: false, left: [], sizes: [] };
	const stopped = (code: string) => ({ found: code, left: [], sizes: [] });
	expect(await get(fileAt(endOf(first)))).toEqual(given);
	// The last one is not full yet: zeros are behind what is stored.
	expect(await get(fileAt(endOf(last)))).toEqual(given);
	expect(await get(fileAt(endOf(last) + BigInt(SEGMENT)))).toEqual(notThere);
	expect(await get(segmentName(7, endOf(first), SEGMENT))).toEqual(notThere);
	for (const name of ['00000002.history', '000000010000000000000002.00000028.backup', '../../etc/passwd', 'x'])
		expect(await get(name)).toEqual(notThere);

	// What an earlier call has noted is only a shortcut.
	fs.writeFileSync(path.join(wanted, 'n8n-backup-log.json'), '{"version":1,"pieces":[');
	expect(await get(fileAt(endOf(first)))).toEqual(given);

	const program = async (what: string[], ...more: string[]) =>
		await run('wal-get', ...what, '--storage', `file://${storage}`, '--identity', key, ...more);
	const name = `${CLUSTER_GROUP}/${label}`;
	const to = path.join(wanted, 'RECOVERYXLOG');
	const error = (why: string) => ({ code: 200, stderr: expect.stringContaining(why) as string });
	fs.writeFileSync(path.join(top, 'other.txt'), (await new ClusterBackups().keys()).identities[0]!, { mode: 0o600 });
	expect(await program([name, '00000002.history', to])).toEqual({ code: 1, stderr: '' });
	expect(await program([name, fileAt(endOf(first)), to], '--identity', path.join(top, 'other.txt'))).toEqual(
		error('identit'),
	);
	expect(await program([name, 'x', to], '--whatever')).toEqual(error('unknown option'));
	expect(await program([CLUSTER_GROUP, 'x', to])).toEqual(error('names no backup'));
	expect(await program([name, fileAt(endOf(first)), '/nowhere/x'])).toEqual(error('/nowhere'));

	// A piece is gone, and there is more behind it.
	fs.rmSync(path.join(storage, second.group, second.label), { recursive: true });
	fs.rmSync(path.join(wanted, 'n8n-backup-log.json'));
	expect(await get(fileAt(endOf(last)))).toEqual(stopped('broken-log'));
	expect(await get(fileAt(endOf(first)))).toEqual(stopped('broken-log'));
	expect(await get(fileAt(endOf(first)), { upToGap: true })).toEqual(given);
	expect(await get(fileAt(endOf(last) + BigInt(SEGMENT)), { upToGap: true })).toEqual(notThere);

	const damaged = path.join(storage, first.group, first.label, first.parts[0]!.name);
	const bytes = fs.readFileSync(damaged);
	for (let n = 1; n < 20; n++) bytes[Math.floor((bytes.length * n) / 20)]! ^= 1;
	fs.rmSync(damaged, { force: true });
	fs.writeFileSync(damaged, bytes);
	expect(await get(fileAt(endOf(first)), { upToGap: true })).toEqual(stopped('damaged'));
});
