/** What belongs to a database and is not in it comes back with it: settings, owner, rights, comment, connection limit. */
import { restoreDatabase } from '../../support/database-verbs';
import type { RestorePlace } from '../../../core/sources/postgres/restore/target';
import type { RewriteRules } from '../../../core/sources/postgres/replay/rewrite';
import { KEEP_ALL } from '../../../core/sources/postgres/replay/rewrite';
import type { DatabaseTarget } from '../../../core/sources/postgres/connection/target';
import { verifyBackup } from '../../../core/verbs/verify/verify';
import { type PostgresServer, quoteName, sharedPostgres, sql } from '../../support/postgres';
import { GROUP, makeSmallBackup, NEVER, remake, requestFor, type SmallBackup } from '../../support/small-backup';

const ROLE = `landlord_${process.pid}`;
const TENANT = `tenant "${process.pid}"`;

let server: PostgresServer;
let source: DatabaseTarget;
let backup: SmallBackup;
beforeAll(async () => {
	server = await sharedPostgres(18);
	source = await server.createDatabase();
	const database = quoteName(source.database);
	await sql(source, `CREATE ROLE ${ROLE}; CREATE ROLE ${quoteName(TENANT)} LOGIN`);
	for (const statement of [
		`ALTER DATABASE ${database} SET search_path TO "$user", 'My Schema', public`,
		`ALTER DATABASE ${database} SET app.max TO '10'`,
		`ALTER DATABASE ${database} SET app.motto TO 'it''s \\ "so", '`,
		`ALTER DATABASE ${database} SET TimeZone TO 'Asia/Tokyo'`,
		`ALTER DATABASE ${database} SET default_transaction_read_only TO off`,
		`ALTER ROLE ${quoteName(TENANT)} IN DATABASE ${database} SET role TO ${ROLE}`,
		`ALTER ROLE ${quoteName(TENANT)} IN DATABASE ${database} SET statement_timeout TO '1ms'`,
		`ALTER DATABASE ${database} CONNECTION LIMIT 17`,
		`COMMENT ON DATABASE ${database} IS 'it''s mine'`,
		`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`,
		`GRANT CONNECT ON DATABASE ${database} TO ${quoteName(TENANT)} WITH GRANT OPTION`,
	]) {
		await sql(server.target(), statement);
	}
	// Neither row may come back under the settings of another database.
	await sql(
		source,
		`CREATE TABLE public.booking (level int CHECK (level <= current_setting('app.max')::int),
			day timestamptz CHECK (extract(hour FROM day) BETWEEN 8 AND 20));
		INSERT INTO booking VALUES (7, '2026-11-20 09:00+09')`,
	);
	await sql(server.target(), `ALTER DATABASE ${database} OWNER TO ${ROLE}`);
	backup = await makeSmallBackup(source);
}, 120_000);
afterAll(async () => {
	await sql(server.target(), `DROP DATABASE IF EXISTS ${quoteName(source.database)} WITH (FORCE)`);
});

async function restore(from: SmallBackup, into: RestorePlace, rules: Partial<RewriteRules> = {}) {
	const { repository, label, keys } = from;
	return await restoreDatabase({
		repository,
		group: GROUP,
		label,
		keys,
		server: server.target(),
		into,
		rules: { ...KEEP_ALL, ...rules },
		signal: NEVER,
	});
}

async function propertiesOf(database: string) {
	const about = await sql(
		server.target(),
		`SELECT pg_get_userbyid(datdba) AS owner, datconnlimit, shobj_description(oid, 'pg_database') AS comment,
			ARRAY(SELECT a::text FROM unnest(datacl) a ORDER BY 1) AS rights
		 FROM pg_database WHERE datname = $1`,
		[database],
	);
	const settings = await sql(
		server.target(),
		`SELECT setrole::regrole::text AS role, ARRAY(SELECT unnest(setconfig) ORDER BY 1) AS settings FROM pg_db_role_setting
		 WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = $1) ORDER BY 1`,
		[database],
	);
	return { about, settings };
}

const nameFor = (purpose: string) => `${source.database}_${purpose}`;

describe('a restored database', () => {
	it('has the settings, owner, rights, comment and connection limit of the original, before anybody can use it', async () => {
		const database = nameFor('new');
		const { comparison, warnings, properties } = await restore(backup, { mode: 'new', database });
		expect(comparison.ok).toBe(true);
		expect(warnings).toEqual([]);
		expect(await propertiesOf(database)).toEqual(await propertiesOf(source.database));
		expect(properties).toEqual([
			'search_path',
			'app.max',
			'app.motto',
			'TimeZone',
			'default_transaction_read_only',
			`role of the role ${TENANT}`,
			`statement_timeout of the role ${TENANT}`,
			'the connection limit',
			'the comment',
			'the rights',
			'the owner',
		]);
	}, 60_000);

	it('belongs to who restores, and says nothing of roles, where owners and privileges are dropped', async () => {
		const database = nameFor('dropped');
		const { warnings } = await restore(backup, { mode: 'new', database }, { owners: 'drop', privileges: 'drop' });
		expect(warnings).toEqual([]);
		const { about, settings } = await propertiesOf(database);
		expect(about).toMatchObject([{ owner: server.superuser, rights: [], datconnlimit: 17, comment: "it's mine" }]);
		expect(settings.map(({ role }) => role)).toEqual(['-']);
	}, 60_000);

	it('that somebody else made gets the settings that it does not have, and keeps all else', async () => {
		const { database } = await server.createDatabase(nameFor('empty'));
		await sql(server.target(), `ALTER DATABASE ${quoteName(database)} SET app.max TO '8'`);
		const { warnings, properties } = await restore(backup, { mode: 'empty', database });
		expect(warnings).toEqual([]);
		expect(properties).not.toContain('app.max');
		const { about, settings } = await propertiesOf(database);
		expect(about).toMatchObject([{ owner: server.superuser, datconnlimit: -1, rights: [] }]);
		const own = settings.find(({ role }) => role === '-')!;
		expect(own.settings).toEqual(expect.arrayContaining(['app.max=8', 'TimeZone=Asia/Tokyo']));
	}, 60_000);

	it('keeps its own when it is replaced', async () => {
		const { database } = await server.createDatabase(nameFor('replaced'));
		await sql(server.target(), `ALTER DATABASE ${quoteName(database)} SET app.max TO '8'`);
		const before = await propertiesOf(database);
		const { comparison, warnings } = await restore(backup, { mode: 'replace', database, confirmation: database });
		expect(comparison.ok).toBe(true);
		expect(warnings).toEqual([]);
		expect(await propertiesOf(database)).toEqual(before);
	}, 60_000);

	it('gets no setting that only a superuser may make, or that loads code, unless it is allowed', async () => {
		const setting = (name: string, value: string) => ({ role: null, name, value });
		const settings = [
			setting('session_preload_libraries', 'evil'),
			setting('local_preload_libraries', 'evil'),
			setting('log_min_duration_statement', '100'),
			setting('plperl.on_plperl_init', 'die'),
			setting('pgcrypto.anything', 'x'),
			setting('app.max', '10'),
			setting('TimeZone', 'Asia/Tokyo'),
		];
		const { properties } = backup.contents;
		const forged = await remake(backup, { contents: { properties: { ...properties!, settings } } });
		const database = nameFor('forged');
		const { warnings } = await restore(forged, { mode: 'new', database });
		expect(warnings).toEqual([
			expect.stringMatching(/session_preload.*local_preload.*log_min.*plperl.*pgcrypto.*"server"/),
		]);
		expect((await propertiesOf(database)).settings).toEqual([
			{ role: '-', settings: ['TimeZone=Asia/Tokyo', 'app.max=10'] },
		]);
		const other = { ...properties!, settings: [settings[2]!, ...settings.slice(5)] };
		const logged = await remake(backup, { contents: { properties: other } });
		await restore(logged, { mode: 'new', database: nameFor('allowed') }, { allow: ['server'] });
		expect((await propertiesOf(nameFor('allowed'))).settings[0]!.settings).toContain('log_min_duration_statement=100');
	}, 60_000);

	it('warns of what cannot come back, and is there nevertheless', async () => {
		const { properties } = backup.contents;
		const unknown = await remake(backup, {
			contents: {
				properties: {
					...properties!,
					owner: 'nobody_here',
					rights: [
						{ role: 'nobody_here', privilege: 'CONNECT', grantable: false },
						{ role: ROLE, privilege: 'CONNECT; DROP TABLE x', grantable: false },
					],
				},
			},
		});
		const { warnings } = await restore(unknown, { mode: 'new', database: nameFor('unknown') });
		expect(warnings).toEqual([
			'the rights of the database did not come back: role "nobody_here" does not exist',
			'the owner of the database did not come back: role "nobody_here" does not exist',
		]);
	}, 60_000);
});

describe('a drill', () => {
	it.each(['embedded', 'server'] as const)(
		'works under the settings of the database (%s)',
		async (kind) => {
			const scratch = kind === 'server' ? { kind, target: server.target() } : { kind };
			const assertions = [{ name: 'zone', sql: "SELECT current_setting('TimeZone') = 'Asia/Tokyo'" }];
			const result = await verifyBackup(requestFor(backup, 'restored', { scratch, assertions }));
			expect(result).toMatchObject({ outcome: 'ok' });
		},
		120_000,
	);
});
