/** The restore drill: what it leaves, what it never touches, and what breaks around it. */
import type { DrillChange } from '../../../support/database-verbs';
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { openEmbeddedDatabase } from '../../../../core/sources/postgres/drill/embedded/database';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import type { Scratch } from '../../../../core/sources/postgres/drill/scratch-database';
import { verifyBackup } from '../../../../core/verbs/verify/verify';
import { type VerifyResult } from '../../../../core/verbs/verify/types';
import { rowsOf } from '../../../support/by-hand';
import { type OwnServer, quoteName, sharedPostgres, sql, startPostgres } from '../../../support/postgres';
import { childrenOf, commandLine, usageOf } from '../../../support/processes';
import { TcpProxy } from '../../../support/proxy';
import { makeSmallBackup, remake, requestFor, type SmallBackup } from '../../../support/small-backup';

const run = promisify(execFile);

let server: OwnServer;
let source: DatabaseTarget;
let scratch: Scratch;
let backup: SmallBackup;
/** Takes a minute to restore, unless somebody stops it. */
let slow: SmallBackup;
beforeAll(async () => {
	server = await startPostgres(17);
	scratch = { kind: 'server', target: server.target() };
	source = await server.createDatabase('shop');
	await sql(
		source,
		`CREATE TABLE items (id int PRIMARY KEY, name text); INSERT INTO items SELECT i, 'item ' || i FROM generate_series(1, 50) i;
		 CREATE TABLE lines (id int, item int REFERENCES items); INSERT INTO lines SELECT i, i FROM generate_series(1, 30) i;
		 SELECT lo_create(0)`,
	);
	backup = await makeSmallBackup(source);
	slow = await remake(backup, {
		dump: backup.dump.replace('ALTER TABLE ONLY', 'SELECT pg_catalog.pg_sleep(60);\n\nALTER TABLE ONLY'),
	});
}, 120_000);
afterAll(async () => await server.stop());

/** All databases, and roles of drills. */
async function databases(on = server): Promise<string[]> {
	const rows = await sql<{ name: string }>(
		on.target(),
		`SELECT datname AS name FROM pg_database UNION ALL SELECT rolname || ' (role)' FROM pg_roles WHERE rolname LIKE 'n8n%' ORDER BY name`,
	);
	return rows.map(({ name }) => name);
}

async function verify(of: SmallBackup, change: DrillChange = {}): Promise<VerifyResult> {
	// A slow statement is none that pg_dump writes.
	const allow = of === slow ? (['other-statements'] as const) : [];
	return await verifyBackup(requestFor(of, 'restored', { scratch, allow, ...change }));
}

/** Does something once the slow statement of a drill is at work. */
async function duringDrill(on: OwnServer, action: (pid: number) => unknown): Promise<void> {
	for (;;) {
		const [row] = await sql<{ pid: number }>(
			on.target(),
			`SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND datname LIKE 'n8n\\_backup\\_drill\\_%'`,
		);
		if (row) return void (await action(row.pid));
	}
}

/** The processes of embedded databases that this one has started. */
function embedded(): number[] {
	return childrenOf(process.pid).filter((pid) => commandLine(pid).includes('/embedded/child.'));
}

/** Looks every 20 ms at what embedded databases, and this process, take. */
function watchEmbedded() {
	const processes = new Map<number, { peakBytes: number; cpuSeconds: number }>();
	const watch = { processes, atOnce: 0, ownPeakBytes: 0, stop: () => clearInterval(timer) };
	const timer = setInterval(() => {
		const pids = embedded();
		watch.atOnce = Math.max(watch.atOnce, pids.length);
		watch.ownPeakBytes = Math.max(watch.ownPeakBytes, process.memoryUsage().rss);
		for (const pid of pids) {
			const used = usageOf(pid);
			if (used) processes.set(pid, used);
		}
	}, 20);
	return watch;
}

describe('a drill', () => {
	it('restores, compares, and leaves nothing but evidence', async () => {
		const before = await databases();
		const phases = new Set<string>();
		const result = await verify(backup, { onProgress: ({ phase }) => void phases.add(phase) });
		expect(result).toMatchObject({
			outcome: 'ok',
			code: null,
			comparison: { ok: true, figures: { tables: 2, rows: 80, largeObjects: 1 }, differences: [] },
			scratch: expect.stringMatching(/^n8n_backup_drill_\d{14}_[a-z0-9]{8} on 127\.0\.0\.1:/),
			evidence: expect.stringMatching(/-restored-ok\.json$/),
		});
		expect(result.restoreSeconds).toBeGreaterThan(0);
		expect(result.seconds).toBeGreaterThanOrEqual(result.restoreSeconds!);
		expect([...phases]).toEqual(['restoring', 'comparing']);
		expect(await databases()).toEqual(before);
		expect((await backup.repository.list())[0]!.verifications).toContainEqual(
			expect.objectContaining({ depth: 'restored', ok: true }),
		);
	});

	it('says when the scratch server is the source’s own, and never writes to the source', async () => {
		await sql(source, 'CREATE TABLE later AS SELECT 1 AS one');
		const before = await rowsOf(source);
		const into: Scratch = { kind: 'server', target: source };
		const { outcome, warnings } = await verify(backup, { scratch: into });
		expect({ outcome, warnings }).toEqual({ outcome: 'ok', warnings: [expect.stringContaining('source’s own')] });
		expect(await rowsOf(source)).toEqual(before);
		await sql(source, 'DROP TABLE later');
	});

	it('is not deceived by an event trigger that writes down what the restore does', async () => {
		const watched = await server.createDatabase();
		await sql(
			watched,
			`CREATE TABLE history (tag text);
			 CREATE MATERIALIZED VIEW tags AS SELECT count(*) AS n FROM history;
			 CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql
				AS $$ BEGIN INSERT INTO public.history VALUES (tg_tag); END $$;
			 CREATE EVENT TRIGGER noting ON ddl_command_end EXECUTE FUNCTION note()`,
		);
		const result = await verify(await makeSmallBackup(watched));
		expect(result).toMatchObject({ outcome: 'ok', comparison: { ok: true, figures: { tables: 1 } } });
	});

	it('on another server has nothing to warn of', async () => {
		const other = await startPostgres(17);
		try {
			const result = await verify(backup, { scratch: { kind: 'server', target: other.target() } });
			expect(result).toMatchObject({ outcome: 'ok', warnings: [] });
			expect(await databases(other)).toEqual(['postgres', 'template0', 'template1']);
		} finally {
			await other.stop();
		}
	});

	it('refuses a pooler that leads to another database than the one it made', async () => {
		// As one does that knows a single database: whoever asks for a drill's gets another, whose name is as long.
		const elsewhere = 'x'.repeat('n8n_backup_drill_20261120021500_abcd2345'.length);
		await sql(await server.createDatabase(elsewhere), 'CREATE TABLE precious AS SELECT 1 AS one');
		const rewriteRequests = (chunk: Buffer) => {
			const text = chunk.toString('latin1');
			return Buffer.from(text.replace(/(?<=database\0)n8n_backup_drill_\w{23}(?=\0)/, elsewhere), 'latin1');
		};
		const proxy = await TcpProxy.start(server.port, { rewriteRequests });
		const target = { ...server.target(), port: proxy.port };
		const before = await databases();
		const result = await verify(backup, { scratch: { kind: 'server', target } });
		expect(result).toMatchObject({ outcome: 'environment', code: 'invalid-input', evidence: null });
		expect(await databases()).toEqual(before);
		await proxy.close();
	});

	it('drops what earlier drills forgot, and nothing else', async () => {
		const old = 'n8n_backup_drill_20200101000000_abcd2345';
		const others = [
			'n8n_backup_drill_20200101000000_abc',
			'n8n_backup_drill_20200101000000_abcd2345x',
			'n8n_backup_drill_99990101000000_abcd2345',
			'my_n8n_backup_drill_20200101000000_abcd2345',
		];
		for (const name of [old, ...others]) await sql(server.target(), `CREATE DATABASE ${quoteName(name)}`);
		const { outcome, warnings } = await verify(backup);
		expect({ outcome, warnings }).toEqual({
			outcome: 'ok',
			warnings: expect.arrayContaining([expect.stringContaining(`${old}`)]),
		});
		const left = await databases();
		expect(left).not.toContain(old);
		expect(left).toEqual(expect.arrayContaining(others));
		for (const name of others) await sql(server.target(), `DROP DATABASE ${quoteName(name)}`);
	});

	it('that is cancelled drops its database', async () => {
		const before = await databases();
		const stop = new AbortController();
		const verifying = verify(slow, { signal: stop.signal });
		verifying.catch(() => undefined);
		await duringDrill(server, () => stop.abort());
		await expect(verifying).rejects.toMatchObject({ code: 'cancelled' });
		expect(await databases()).toEqual(before);
	});

	it('that takes too long is no bad backup, and drops its database', async () => {
		const before = await databases();
		const result = await verify(slow, { limits: { hardTimeoutMs: 2500 } });
		expect(result).toMatchObject({ outcome: 'environment', code: 'timed-out', evidence: null });
		expect(await databases()).toEqual(before);
	});

	it('that loses its connection is no bad backup, and drops its database over another one', async () => {
		const before = await databases();
		const verifying = verify(slow);
		await duringDrill(server, async (pid) => await sql(server.target(), 'SELECT pg_terminate_backend($1)', [pid]));
		expect(await verifying).toMatchObject({ outcome: 'environment', code: 'connection-lost', evidence: null });
		expect(await databases()).toEqual(before);
	});

	it('on a server that is stopped in the middle is no bad backup, and names the database that is left', async () => {
		const other = await startPostgres(17);
		const verifying = verify(slow, { scratch: { kind: 'server', target: other.target() } });
		await duringDrill(other, () => other.stop());
		expect(await verifying).toMatchObject({
			outcome: 'environment',
			code: expect.stringMatching(/^(connection-lost|unreachable)$/),
			evidence: null,
			warnings: [expect.stringMatching(/n8n_backup_drill_\d{14}_\w{8} could not be dropped/)],
		});
	}, 180_000);

	it('on a full disk is no bad backup, and drops its database', async () => {
		const other = await startPostgres(17);
		const disk = await fs.mkdtemp(path.join(os.tmpdir(), 'small-disk-'));
		const [{ folder }] = (await sql<{ folder: string }>(
			other.target(),
			"SELECT current_setting('data_directory') AS folder",
		)) as [{ folder: string }];
		const { uid, gid } = await fs.stat(folder);
		await run('mount', ['-t', 'tmpfs', '-o', `size=24m,uid=${uid},gid=${gid},mode=700`, 'tmpfs', disk]);
		try {
			// New databases lie where their template does.
			await sql(other.target(), `CREATE TABLESPACE small LOCATION '${disk}'`);
			await sql(other.target(), 'ALTER DATABASE template0 SET TABLESPACE small');
			const rows = Array.from({ length: 20_000 }, (_, i) => `${100 + i}\t${'x'.repeat(1000)}\n`).join('');
			const big = await remake(backup, { dump: backup.dump.replace(/^50\titem 50\n/m, (row) => row + rows) });
			const result = await verify(big, { scratch: { kind: 'server', target: other.target() } });
			expect(result).toMatchObject({ outcome: 'environment', code: 'storage-full', evidence: null });
			expect(result.message).toMatch(/No space left on device/);
			expect(await databases(other)).toEqual(['postgres', 'template0', 'template1']);
		} finally {
			await other.stop();
			await run('umount', [disk]);
			await fs.rmdir(disk);
		}
	}, 120_000);

	it('by a user who may not create databases says what is missing', async () => {
		await sql(server.target(), "CREATE ROLE weak LOGIN PASSWORD 'weak'");
		const target = { ...server.target(), user: 'weak', password: 'weak' };
		const result = await verify(backup, { scratch: { kind: 'server', target } });
		expect(result).toMatchObject({ outcome: 'environment', evidence: null, hint: expect.stringContaining('CREATEDB') });
	});

	it('leaves out subscriptions, whatever the rules say', async () => {
		const at = backup.dump.indexOf('CREATE TABLE');
		const subscription = `CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false, slot_name = 's');\n\n`;
		const with_ = await remake(backup, { dump: backup.dump.slice(0, at) + subscription + backup.dump.slice(at) });
		const result = await verify(with_, { rules: { owners: 'keep', privileges: 'keep' } });
		expect(result).toMatchObject({ outcome: 'ok' });
	});
});

describe('assertions of a drill', () => {
	it('that hold are part of the proof', async () => {
		const assertions = [
			{ name: 'enough items', sql: 'SELECT count(*) >= 50 FROM items' },
			{ name: 'no line without item', sql: 'SELECT NOT EXISTS (SELECT FROM lines WHERE item IS NULL);' },
		];
		const result = await verify(backup, { assertions });
		expect(result).toMatchObject({
			outcome: 'ok',
			assertions: [
				{ name: 'enough items', ok: true, message: null },
				{ name: 'no line without item', ok: true, message: null },
			],
		});
	});

	it('one of which fails make the backup bad', async () => {
		const assertions = [{ name: 'many items', sql: 'SELECT count(*) > 1000 FROM items' }];
		const result = await verify(backup, { assertions });
		expect(result).toMatchObject({ outcome: 'bad', code: 'assertion-failed', comparison: { ok: true } });
		expect(result.message).toContain('many items');
	});

	it('that are no SQL are nobody’s proof', async () => {
		for (const text of ['SELEC true', 'SELECT true; COMMIT; DROP TABLE items', "UPDATE items SET name = ''"]) {
			const result = await verify(backup, { assertions: [{ name: 'wrong', sql: text }] });
			expect(result).toMatchObject({ outcome: 'environment', code: 'invalid-input', evidence: null });
		}
	});
});

describe('the embedded database', () => {
	it('is scratch enough for a small backup', async () => {
		const assertions = [{ name: 'items', sql: 'SELECT count(*) = 50 FROM items' }];
		const result = await verify(backup, { scratch: { kind: 'embedded' }, assertions });
		expect(result).toMatchObject({
			outcome: 'ok',
			comparison: { ok: true, figures: { tables: 2, rows: 80, largeObjects: 1 } },
			assertions: [{ ok: true }],
			scratch: expect.stringMatching(/^embedded PostgreSQL \d/),
			warnings: [],
		});
	}, 120_000);

	it('takes little, one drill at a time in a process, and gives all of it back', async () => {
		const before = process.memoryUsage().rss;
		const used = watchEmbedded();
		const waited: string[] = [];
		const results = await Promise.all(
			['first', 'second', 'third'].map((name) =>
				verify(backup, {
					scratch: { kind: 'embedded' },
					onProgress: ({ phase }) => phase === 'waiting' && void waited.push(name),
				}),
			),
		);
		used.stop();
		expect(results.map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'ok']);
		expect(waited).toHaveLength(2);
		// A drill's time is the whole time: of the last one, with its waiting.
		const [shortest, , longest] = results.map(({ seconds }) => seconds).sort((a, b) => a - b);
		expect(longest!).toBeGreaterThan(2 * shortest!);
		expect({ drills: used.processes.size, atOnce: used.atOnce }).toEqual({ drills: 3, atOnce: 1 });
		for (const { peakBytes, cpuSeconds } of used.processes.values()) {
			expect(peakBytes).toBeGreaterThan(50_000_000);
			expect(peakBytes + Math.max(0, used.ownPeakBytes - before)).toBeLessThan(350_000_000);
			// Without others on the machine it is 2; making a data directory alone takes 8.
			expect(cpuSeconds).toBeGreaterThan(0.2);
			expect(cpuSeconds).toBeLessThan(5);
		}
		expect(embedded()).toEqual([]);
	}, 120_000);

	it('passes its turn on when a drill that waits for it is cancelled', async () => {
		const { signal } = new AbortController();
		const database = await openEmbeddedDatabase({ signal, extensions: [] });
		const abort = new AbortController();
		const cancelled = verify(backup, {
			scratch: { kind: 'embedded' },
			signal: abort.signal,
			onProgress: ({ phase }) => phase === 'waiting' && abort.abort(),
		});
		const next = verify(backup, { scratch: { kind: 'embedded' } });
		await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
		await database.close();
		expect(await next).toMatchObject({ outcome: 'ok' });
	}, 120_000);

	it('shows a missing row too', async () => {
		const less = await remake(backup, { dump: backup.dump.replace(/^50\titem 50\n/m, '') });
		const result = await verify(less, { scratch: { kind: 'embedded' } });
		expect(result).toMatchObject({ outcome: 'bad', code: 'different' });
	}, 120_000);

	it('is too small for a large one, which says nothing about the backup', async () => {
		const result = await verify(backup, { scratch: { kind: 'embedded', maxBytes: 1000 } });
		expect(result).toMatchObject({
			outcome: 'environment',
			code: 'unsupported',
			hint: expect.stringMatching(/"Scratch Database: On a Server" in the node, --scratch postgres/),
			evidence: null,
		});
	});

	it('is slow with thousands of tables, and says so', async () => {
		const tables = Array.from({ length: 2001 }, (_, i) => ({ schema: 'public', name: `t${i}`, rows: 0, bytes: 0 }));
		const many = await remake(backup, { contents: { tables } });
		const { warnings } = await verify(many, { scratch: { kind: 'embedded' } });
		expect(warnings).toContainEqual(
			expect.stringMatching(/^2001 tables take the embedded database minutes.*On a Server/),
		);
	}, 120_000);

	it('lacks an extension, which says nothing about the backup', async () => {
		const wants = await remake(backup, { contents: { extensions: [{ name: 'no_such_extension', version: '1' }] } });
		const result = await verify(wants, { scratch: { kind: 'embedded' } });
		expect(result).toMatchObject({ outcome: 'environment', code: 'unsupported', evidence: null });
	});
});

describe('a backup in custom format', () => {
	let custom: SmallBackup;
	beforeAll(async () => {
		// By a pg_dump that is no newer than the pg_restore beside it.
		const older = await (await sharedPostgres(15)).createDatabase();
		await sql(older, 'CREATE TABLE items AS SELECT i AS id FROM generate_series(1, 80) i');
		custom = await makeSmallBackup(older, { format: 'custom', engine: 'native' });
	});

	it('is readable without pg_restore', async () => {
		expect(await verifyBackup(requestFor(custom, 'readable'))).toMatchObject({ outcome: 'ok' });
	});

	it('is restored by a pg_restore', async () => {
		const before = await databases();
		const result = await verify(custom);
		expect(result).toMatchObject({ outcome: 'ok', comparison: { ok: true, figures: { tables: 1, rows: 80 } } });
		expect(await databases()).toEqual(before);
	});

	it('is never called bad, whatever version the pg_restore at hand has', async () => {
		const newer = await makeSmallBackup(source, { format: 'custom', engine: 'builtin' });
		expect((await verify(newer)).outcome).not.toBe('bad');
	});

	it('cannot be drilled without one, which says nothing about the backup', async () => {
		const before = await databases();
		expect(await verify(custom, { nativePath: '/nonexistent/pg_restore' })).toMatchObject({
			outcome: 'environment',
			code: 'engine-not-found',
			evidence: null,
		});
		expect(await verify(custom, { scratch: { kind: 'embedded' } })).toMatchObject({
			outcome: 'environment',
			code: 'unsupported',
			hint: expect.stringContaining('scratch server'),
		});
		expect(await databases()).toEqual(before);
	});
});
