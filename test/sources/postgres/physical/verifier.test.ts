/** What the verifier sees of a real log, and of one in which bits are flipped. */
import { buffer } from 'node:stream/consumers';
import { crc32cOf, CRC32C_START, updateCrc32c } from '../../../../core/codecs/digest/crc32c';
import { Repository } from '../../../../core/records/repository';
import { parseLsn } from '../../../../core/sources/postgres/physical/lsn';
import type { LogContents } from '../../../../core/sources/postgres/physical/wal/contents';
import { LogVerifier } from '../../../../core/sources/postgres/physical/wal/verifier';
import { openBackup } from '../../../../core/verbs/open-backup';
import { ClusterBackups, LOG_GROUP, NEVER } from '../../../support/clusters';
import { connectTo, type Major, MAJORS, sql, startPostgres } from '../../../support/postgres';
import { rounds } from '../../../support/soak';

it.each(rounds<readonly Major[]>([13, 18], MAJORS))(
	'knows the log of PostgreSQL %i: its version, commits, restore points, and nearly every flipped bit',
	async (major) => {
		// Logical: with records about transactions that are none of an end.
		const server = await startPostgres(major, { settings: { synchronous_commit: 'on', wal_level: 'logical' } });
		const backups = new ClusterBackups();
		let log: Buffer;
		let contents: LogContents;
		try {
			await backups.log(server.target());
			await sql(server.target(), 'CREATE TABLE ledger AS SELECT n, md5(n::text) FROM generate_series(1, 5000) n');
			await sql(server.target(), "SELECT pg_create_restore_point('here')");
			await sql(server.target(), 'INSERT INTO ledger VALUES (0)');
			const running = await connectTo(server.target());
			await running.query('BEGIN; CREATE TABLE unfinished (n int)');
			await sql(server.target(), 'CHECKPOINT');
			const { label } = (await backups.log(server.target()))!;
			await running.end();
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

/** The kinds of records about transactions, as `xact.h` names them. */
const KINDS = {
	...{ COMMIT: 0x00, PREPARE: 0x10, ABORT: 0x20, COMMIT_PREPARED: 0x30, ABORT_PREPARED: 0x40 },
	...{ ASSIGNMENT: 0x50, INVALIDATIONS: 0x60 },
};
type Kind = keyof typeof KINDS;

/** What the verifier says of a page with one record about a transaction after the other, each of which begins with a time. */
function summaryOf(records: ReadonlyArray<readonly [Kind, bigint]>) {
	const page = Buffer.alloc(8192);
	page.writeUInt16LE(0xd116, 0);
	page.writeUInt32LE(1, 4);
	page.writeUInt32LE(0x1002000, 8);
	let [at, previous] = [24, 0];
	for (const [kind, microseconds] of records) {
		const record = Buffer.alloc(24 + 2 + 8);
		record.writeUInt32LE(record.length, 0);
		record.writeUInt32LE(previous, 8);
		record[16] = KINDS[kind] | 0x80;
		record[17] = 1;
		record.set([255, 8], 24);
		record.writeBigInt64LE(microseconds, 26);
		const head = record.subarray(0, 20);
		record.writeUInt32LE(crc32cOf(updateCrc32c(updateCrc32c(CRC32C_START, record, 24), head)), 20);
		record.copy(page, at);
		previous = 0x1002000 + at;
		at += 40;
	}
	const verifier = new LogVerifier({ segmentBytes: 16_777_216, timeline: 1 });
	verifier.add(page, 0x1002000n);
	return verifier.finish();
}

/** So many seconds after the year 2000 began, as PostgreSQL counts. */
const SECOND = 1_000_000n;
const second = (count: number) => new Date(Date.UTC(2000, 0, 1, 0, 0, count));

it.each<[Kind, boolean]>([
	...(['COMMIT', 'ABORT', 'COMMIT_PREPARED', 'ABORT_PREPARED'] as const).map((kind) => [kind, true] as [Kind, boolean]),
	...(['PREPARE', 'ASSIGNMENT', 'INVALIDATIONS'] as const).map((kind) => [kind, false] as [Kind, boolean]),
])('takes the time of a transaction out of %s: %s', (kind, isEnding) => {
	const { lastCommit, records } = summaryOf([
		['COMMIT', 5n * SECOND],
		[kind, 7n * SECOND],
	]);
	expect({ lastCommit, records }).toEqual({ lastCommit: second(isEnding ? 7 : 5), records: 2 });
});

it('counts what was committed, takes the latest time whatever the order, and lives with one that no calendar has', () => {
	const summary = summaryOf([
		['COMMIT', 9n * SECOND],
		['COMMIT_PREPARED', 8n * SECOND],
		['ABORT', 2n ** 63n - 1n],
		['ABORT_PREPARED', -(2n ** 63n)],
	]);
	expect(summary).toMatchObject({ records: 4, commits: 2, lastCommit: second(9) });
	expect(summaryOf([['COMMIT', 2n ** 63n - 1n]]).lastCommit).toBeNull();
});
