/** The tripwire: a table that lost most of its rows is said in the manifest without its name, and by name to whoever runs the dump. */
import { generateIdentity } from '../../../../core/codecs/age/keys';
import { objectKey } from '../../../../core/records/layout';
import type { Manifest } from '../../../../core/records/manifest';
import { readText } from '../../../../core/records/small-objects';
import {
	DEFAULT_DUMP_OPTIONS,
	type PostgresDumpOptions,
	postgresSource,
} from '../../../../core/sources/postgres/dump/dump';
import type { DatabaseFacts, TableFacts } from '../../../../core/sources/postgres/dump/contents';
import { lostRows } from '../../../../core/sources/postgres/dump/lost-rows';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { MemoryStorage } from '../../../../core/storage/memory';
import { backUp, type BackupRequest } from '../../../../core/verbs/backup/backup';
import { NEVER } from '../../../support/dated-backups';
import { sharedPostgres, sql } from '../../../support/postgres';

type Tables = Record<string, number | null | { of: string; rows: number | null }>;

/** Contents of which only the tables matter. */
function holding(tables: Tables): DatabaseFacts {
	const facts = Object.entries(tables).map(([name, said]): TableFacts => {
		const { of, rows } = typeof said === 'object' && said !== null ? said : { of: null, rows: said };
		return { schema: 'app', name, rows, bytes: 0, ...(of !== null && { partitionOf: ['app', of] }) };
	});
	return { tables: facts } as DatabaseFacts;
}

const lost = (before: Tables, now: Tables, more: { maxPercent?: number; whole?: boolean } = {}) =>
	lostRows(holding(before), holding(now), { maxPercent: 50, whole: true, since: 'LABEL', ...more });

describe('of two dumps', () => {
	it('names what lost more rows than may be lost, the largest loss first, and counts it without names', () => {
		const found = lost({ a: 1000, b: 500, c: 10_000, d: 70 }, { a: 10, b: 250, c: 4000, d: 0 });
		expect(found).toEqual({
			shrunk: [{ what: 'rows of 2 tables', from: 11_000, to: 4010 }],
			named: ['app.c has 4000 rows; LABEL has 10000', 'app.a has 10 rows; LABEL has 1000'],
		});
		expect(lost({ a: 1000 }, { a: 700 }, { maxPercent: 20 }).shrunk).toEqual([
			{ what: 'rows of 1 table', from: 1000, to: 700 },
		]);
	});

	it('counts a table that is gone as one that lost all, unless a filter may have left it out', () => {
		expect(lost({ a: 1000, b: 1 }, { b: 1 }).named).toEqual(['app.a is gone; LABEL has 1000 rows of it']);
		expect(lost({ a: 1000, b: 1 }, { b: 1 }, { whole: false }).shrunk).toEqual([]);
		expect(lost({ a: 1000 }, { a: null }).named).toEqual(['app.a is gone; LABEL has 1000 rows of it']);
	});

	it('takes the partitions of a table together: old ones may be dropped', () => {
		const year = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`log_${n}`, { of: 'log', rows: 1000 }]));
		const { log_0: _, ...rest } = year;
		expect(lost(year, { ...rest, log_12: { of: 'log', rows: 3 } }).shrunk).toEqual([]);
		expect(lost(year, { log_12: { of: 'log', rows: 3 } }).named).toEqual(['app.log has 3 rows; LABEL has 12000']);
	});

	it('names twenty tables at most', () => {
		const many = (rows: number) => Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`t${n}`, rows]));
		const { named, shrunk } = lost(many(500), many(0));
		expect(named).toHaveLength(21);
		expect(named.at(-1)).toBe('10 more tables lost most of their rows');
		expect(shrunk).toEqual([{ what: 'rows of 30 tables', from: 15_000, to: 0 }]);
	});
});

describe('of a database', () => {
	let target: DatabaseTarget;
	beforeEach(async () => {
		target = await (await sharedPostgres(18)).createDatabase();
		await sql(
			target,
			`CREATE TABLE "Orders" AS SELECT i AS id FROM generate_series(1, 1000) i;
			CREATE TABLE log (id int) PARTITION BY RANGE (id);
			CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (600) PARTITION BY RANGE (id);
			CREATE TABLE log_1a PARTITION OF log_1 FOR VALUES FROM (0) TO (600);
			CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM (600) TO (9000);
			INSERT INTO log SELECT generate_series(1, 1000)`,
		);
	});

	const storage = new MemoryStorage();
	async function dump(group: string, more: Partial<BackupRequest> = {}, options: Partial<PostgresDumpOptions> = {}) {
		const source = postgresSource(target, { ...DEFAULT_DUMP_OPTIONS, ...options });
		return await backUp({ storage, group, source, encryption: null, signal: NEVER, ...more });
	}
	const text = async ({ group, label }: Manifest) => await readText(storage, objectKey(group, label, 'manifest.json'));

	it('tells names to who runs it and to nobody who reads the storage, also where only a host key is there', async () => {
		const [pair, host] = [await generateIdentity(), await generateIdentity()];
		const keys = { encryption: { recipients: [pair.recipient] }, hostKey: host.identity };
		const first = await dump('postgres/host', keys);
		expect(first.manifest.source.details).not.toHaveProperty('rowsCompared');
		await sql(target, `DELETE FROM "Orders" WHERE id > 3; ALTER TABLE log DETACH PARTITION log_1; DROP TABLE log_1`);
		const { manifest, warnings } = await dump('postgres/host', keys);
		expect(manifest.shrunk).toEqual([
			{ what: 'rows of 2 tables', from: 2000, to: 404, since: first.manifest.label, shownBy: manifest.label },
		]);
		expect(manifest.source.details).toMatchObject({ rowsCompared: true });
		const [told, ...named] = warnings;
		expect(told).toMatch(/^79 % of the rows of 2 tables are gone since /);
		expect(named).toEqual([
			`public.Orders has 3 rows; ${first.manifest.label} has 1000`,
			`public.log has 401 rows; ${first.manifest.label} has 1000`,
		]);
		expect(manifest.warnings).toEqual([told]);
		expect(await text(manifest)).not.toMatch(/orders|log/i);
	});

	it('says that it did not compare where no key opens the counts, and still counts tables', async () => {
		const encryption = { recipients: [(await generateIdentity()).recipient] };
		await dump('postgres/recipient', { encryption });
		await sql(target, 'DROP TABLE "Orders", log');
		const { manifest, warnings } = await dump('postgres/recipient', { encryption });
		expect(manifest.shrunk).toMatchObject([{ what: 'tables', from: 3, to: 0 }]);
		expect(manifest.source.details).toMatchObject({ rowsCompared: false });
		expect(warnings[0]).toMatch(/^100 % of the tables are gone since /);
	});

	it('goes by the share that may be lost', async () => {
		await dump('postgres/share');
		await sql(target, 'DELETE FROM "Orders" WHERE id > 700');
		expect((await dump('postgres/share', {}, { maxLostPercent: 40 })).manifest.shrunk).toBeUndefined();
		await sql(target, 'DELETE FROM "Orders" WHERE id > 400');
		const { manifest } = await dump('postgres/share', {}, { maxLostPercent: 40 });
		expect(manifest.shrunk).toMatchObject([{ what: 'rows of 1 table', from: 700, to: 400 }]);
	});
});
