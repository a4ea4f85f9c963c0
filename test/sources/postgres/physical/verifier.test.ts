/** What the verifier sees of a real log, and of one in which bits are flipped. */
import { buffer } from 'node:stream/consumers';
import { Repository } from '../../../../core/records/repository';
import { parseLsn } from '../../../../core/sources/postgres/physical/lsn';
import type { LogContents } from '../../../../core/sources/postgres/physical/wal/contents';
import { LogVerifier } from '../../../../core/sources/postgres/physical/wal/verifier';
import { openBackup } from '../../../../core/verbs/open-backup';
import { ClusterBackups, LOG_GROUP, NEVER } from '../../../support/clusters';
import { type Major, MAJORS, sql, startPostgres } from '../../../support/postgres';
import { rounds } from '../../../support/soak';

it.each(rounds<readonly Major[]>([13, 18], MAJORS))(
	'knows the log of PostgreSQL %i: its version, commits, restore points, and nearly every flipped bit',
	async (major) => {
		const server = await startPostgres(major, { settings: { synchronous_commit: 'on' } });
		const backups = new ClusterBackups();
		let log: Buffer;
		let contents: LogContents;
		try {
			await backups.log(server.target());
			await sql(server.target(), 'CREATE TABLE ledger AS SELECT n, md5(n::text) FROM generate_series(1, 5000) n');
			await sql(server.target(), "SELECT pg_create_restore_point('here')");
			await sql(server.target(), 'INSERT INTO ledger VALUES (0)');
			const { label } = (await backups.log(server.target()))!;
			const repository = await Repository.open(backups.storage, { signal: NEVER });
			const manifest = await repository.readManifest(LOG_GROUP, label);
			const keys = await backups.keys();
			const open = await openBackup([manifest], { repository, keys, signal: NEVER, stallTimeoutMs: 60_000 });
			contents = open.contents as LogContents;
			log = await buffer(await open.open(manifest.parts[0]!));
		} finally {
			await server.stop();
		}
		const [{ start, end }] = contents.pieces as [LogContents['pieces'][number]];
		const at = parseLsn(start);
		const read = (bytes: Buffer, step: number) => {
			const verifier = new LogVerifier({
				segmentBytes: contents.segmentBytes,
				timeline: 1,
				systemIdentifier: contents.systemIdentifier,
			});
			for (let done = 0; done < bytes.length; done += step)
				verifier.add(bytes.subarray(done, done + step), at + BigInt(done));
			return verifier.finish();
		};
		const whole = read(log, log.length);
		expect(whole).toMatchObject({ major, end, restorePoints: [{ name: 'here' }] });
		expect(whole.commits).toBeGreaterThanOrEqual(2);
		expect(Math.abs(whole.lastCommit!.getTime() - Date.now())).toBeLessThan(120_000);
		for (const step of [1000, 8192, 100_000]) expect(read(log, step)).toEqual(whole);

		let seen = 0;
		const FLIPS = 60;
		for (let n = 0; n < FLIPS; n++) {
			const damaged = Buffer.from(log);
			const byte = Math.floor((log.length * (n + Math.random())) / FLIPS);
			damaged[byte]! ^= 1 << n % 8;
			try {
				// The rest of a file behind a switch, and what lies before the first whole record, say nothing.
				if (read(damaged, damaged.length).records < whole.records) seen++;
			} catch {
				seen++;
			}
		}
		expect(seen).toBeGreaterThanOrEqual(FLIPS * 0.85);
	},
);

it('finds a gap, another timeline, and another cluster', () => {
	const verifier = () => new LogVerifier({ segmentBytes: 16_777_216, timeline: 1 });
	const gap = verifier();
	gap.add(Buffer.alloc(8192), 0x1000000n);
	expect(() => gap.add(Buffer.alloc(8192), 0x1004000n)).toThrow('bytes are missing');
	expect(() => verifier().add(Buffer.alloc(8192), 0x1000100n)).toThrow('is not the beginning of a page');
	expect(() => verifier().add(Buffer.alloc(8192, 'x'), 0x1000000n)).toThrow('is no page of a version that is known');
});
