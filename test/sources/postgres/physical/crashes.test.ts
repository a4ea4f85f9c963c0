/** Whoever is killed while log is collected, the server or the collector: what was committed comes back, and no gap goes untold. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isBackupError } from '../../../../core/base/errors';
import type { Manifest } from '../../../../core/records/manifest';
import { FolderStorage } from '../../../../core/storage/folder/folder';
import { ClusterBackups, reachableFolder, startRestored } from '../../../support/clusters';
import { databaseUrl, start } from '../../../support/command-line';
import { type OwnServer, sql, startPostgres } from '../../../support/postgres';
import { goesOn, rounds, tell } from '../../../support/soak';

const MAJOR = 18;
let top: string;
let backups: ClusterBackups;
let server: OwnServer;
/** The server's folder, which outlives it. */
let disk: string;
let password: string;
let recipient: string;

beforeEach(async () => {
	top = reachableFolder();
	const storage = path.join(top, 'storage');
	fs.mkdirSync(storage);
	backups = new ClusterBackups(new FolderStorage({ path: storage }));
	recipient = await backups.recipient();
	const first = await startPostgres(MAJOR, { settings: { synchronous_commit: 'on', max_slot_wal_keep_size: '4GB' } });
	try {
		await sql(first.target(), 'CREATE TABLE ledger (id int, filling text)');
		await backups.base(first.target());
	} finally {
		await first.stop();
	}
	password = first.password;
});
afterEach(async () => {
	await server?.stop();
	fs.rmSync(top, { recursive: true, force: true });
});

/** A server in a folder of ours, whose log is collected from its beginning. */
async function begin(folder: string): Promise<void> {
	disk = folder;
	await backups.restore({ kind: 'base' }, { to: disk });
	server = await startRestored(MAJOR, disk, password);
	await collect();
	await backups.base(server.target());
}

/** Collects to its end. A run that was killed may still hold its lock or its connection for a moment. */
async function collect(): Promise<Manifest | null> {
	for (let attempt = 1; ; attempt++) {
		try {
			return await backups.log(server.target());
		} catch (error) {
			if (!isBackupError(error, 'locked') || attempt === 100) throw error;
			await delay(100);
		}
	}
}

let committed = 0;
async function write(rows: number): Promise<void> {
	// Servers of tests answer before it is on the disk.
	await sql(
		server.target(),
		`SET LOCAL synchronous_commit = on; INSERT INTO ledger SELECT n, repeat('x', 100) FROM generate_series(1, ${rows}) n`,
	);
	committed += rows;
}

async function restoredRows(): Promise<number> {
	const to = path.join(top, 'back');
	await backups.restore({ kind: 'newest' }, { to });
	const restored = await startRestored(MAJOR, to, password);
	try {
		return (await sql<{ count: number }>(restored.target(), 'SELECT count(*)::int FROM ledger'))[0]!.count;
	} finally {
		await restored.stop();
	}
}

function collector() {
	const from = ['--database', databaseUrl(server.target()), '--group', 'wal/main', '--recipient', recipient];
	return start(['wal', ...from, '--storage', backups.storage.location], { PGPASSWORD: password });
}

it(
	'a collector and a server that are killed at any moment leave no gap, and nothing is lost that was committed',
	async () => {
		await begin(path.join(top, 'disk'));
		committed = 0;
		let takes = 0;
		// The first one compiles what later ones find compiled.
		for (let n = 0; n < 2; n++) {
			await write(3000);
			const began = performance.now();
			expect(await collector().finished).toMatchObject({ code: 0 });
			takes = performance.now() - began;
		}
		let struck = 0;
		let crashes = 0;
		for (let round = 0; goesOn(round, rounds(2, 100), struck); round++) {
			await write(3000);
			const { child, finished } = collector();
			// Most of the time goes by before it has begun.
			await delay(takes * (0.3 + 0.7 * Math.random()));
			const ofServer = round % 2 === 1;
			if (ofServer) {
				await server.kill();
				crashes++;
				await finished;
				server = await startRestored(MAJOR, disk, password);
			} else {
				child.kill('SIGKILL');
				if ((await finished).signal === 'SIGKILL') struck++;
			}
			await write(10);
			const stored = await collect();
			// All that is stored joins, up to what was stored last.
			expect((await backups.plan({ kind: 'newest' })).log!.labels.at(-1)).toBe(stored!.label);
		}
		tell(`collectors killed: ${struck}, servers killed: ${crashes}; no gap`);
		expect(await restoredRows()).toBe(committed);
	},
	rounds(180_000, 3_600_000),
);

/** Only root may mount a disk of its own, and filling one takes a while. */
if (rounds(false, process.getuid?.() === 0)) {
	it('a server whose disk was filled by log that was held back goes on when there is room, and so does collecting', async () => {
		const mount = path.join(top, 'mount');
		fs.mkdirSync(mount);
		execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=200m,mode=755', 'tmpfs', mount]);
		try {
			await begin(path.join(mount, 'data'));
			committed = 0;
			const filling = async () => {
				for (;;) {
					await write(20_000);
					await sql(server.target(), 'CHECKPOINT');
				}
			};
			await expect(filling()).rejects.toThrow(/No space left|checkpoint request failed|terminat|ECONN/);
			await server.kill();
			execFileSync('mount', ['-o', 'remount,size=600m', mount]);
			server = await startRestored(MAJOR, disk, password);
			const [{ count }] = (await sql<{ count: number }>(server.target(), 'SELECT count(*)::int FROM ledger')) as [
				{ count: number },
			];
			expect(count).toBeGreaterThanOrEqual(committed);
			const stored = await collect();
			expect(stored!.source.details.slotHeldBytes).toBeGreaterThan(50_000_000);
			expect(await restoredRows()).toBe(count);
			tell(`a disk of 200 MB was full after ${committed} rows; nothing is missing`);
		} finally {
			await server.stop();
			execFileSync('umount', [mount]);
		}
	});
}
