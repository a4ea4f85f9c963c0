import { queryOf } from '../../../../core/sources/postgres/connection/query';
import { connect, disconnect } from '../../../../core/sources/postgres/connection/connection';
import type { DatabaseFacts } from '../../../../core/sources/postgres/dump/contents';
import { preflight, type PreflightOptions } from '../../../../core/sources/postgres/restore/preflight';
import { KEEP_ALL, type RewriteRules } from '../../../../core/sources/postgres/replay/rewrite';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { type PostgresServer, quoteName, sharedPostgres, sql } from '../../../support/postgres';

const signal = new AbortController().signal;
const CONTENTS: DatabaseFacts = {
	format: 1,
	database: 'shop',
	systemIdentifier: null,
	serverVersion: '15.3',
	serverVersionNumber: 150003,
	encoding: 'UTF8',
	collation: 'C',
	characterType: 'C',
	databaseBytes: 1,
	extensions: [],
	roles: [],
	owners: [],
	tables: [],
	largeObjects: 0,
};
/** Role names are of the whole server, which other tests use too. */
const OWN = `preflight_${process.pid}`;

let server: PostgresServer;
let limited: DatabaseTarget;
let old: DatabaseTarget;
beforeAll(async () => {
	server = await sharedPostgres(15);
	await sql(
		server.target(),
		`CREATE ROLE ${OWN} LOGIN PASSWORD 'p'; CREATE ROLE ${OWN}_member; CREATE ROLE ${OWN}_other; GRANT ${OWN}_member TO ${OWN}`,
	);
	limited = { ...server.target(), user: OWN, password: 'p' };
	old = await server.createDatabase();
}, 120_000);
afterAll(async () => {
	await sql(server.target(), `DROP ROLE ${OWN}, ${OWN}_member, ${OWN}_other`);
});

async function look(
	change: Partial<DatabaseFacts>,
	options: Partial<Omit<PreflightOptions, 'rules'>> & { rules?: Partial<RewriteRules> } = {},
	target = server.target(),
): Promise<string[]> {
	const client = await connect(target, { signal });
	try {
		const { rules, ...rest } = options;
		return await preflight(
			queryOf(client),
			target,
			{ ...CONTENTS, ...change },
			{
				createsDatabase: false,
				...rest,
				rules: { ...KEEP_ALL, ...rules },
			},
		);
	} finally {
		await disconnect(client);
	}
}
const missing = (list: unknown[], sqlText: unknown[] = []) => ({
	code: 'missing-requirements',
	details: { missing: list, sql: sqlText },
});

describe('the look before a restore', () => {
	it('finds nothing where nothing is missing', async () => {
		expect(await look({ roles: [server.superuser, `${OWN}_other`], owners: [`${OWN}_other`] })).toEqual([]);
	});

	it('needs owners and those who have privileges only as far as the rules keep them', async () => {
		const facts = { roles: ['gone_owner', 'gone_grantee'], owners: ['gone_owner'] };
		const both = ['the role "gone_owner"', 'the role "gone_grantee"'];
		await expect(look(facts)).rejects.toMatchObject({ details: { missing: both } });
		await expect(look(facts, { rules: { privileges: 'drop' } })).rejects.toMatchObject({
			details: { missing: both.slice(0, 1) },
		});
		expect(await look(facts, { rules: { owners: 'drop', privileges: 'drop' } })).toEqual([]);
	});

	it('needs the roles that others are mapped to instead of those', async () => {
		const facts = { roles: ['gone'], owners: ['gone'] };
		expect(await look(facts, { rules: { roles: { gone: `${OWN}_other` } } })).toEqual([]);
		await expect(look(facts, { rules: { roles: { gone: 'too' } } })).rejects.toMatchObject(
			missing(['the role "too"'], ['CREATE ROLE "too";']),
		);
	});

	it('needs all roles where earlier versions did not write down who owns', async () => {
		await expect(look({ roles: ['gone'], owners: undefined }, { rules: { privileges: 'drop' } })).rejects.toMatchObject(
			missing(['the role "gone"'], ['CREATE ROLE "gone";']),
		);
	});

	it('asks of a user who is no superuser to be a member of each owner, and the right to create databases', async () => {
		const facts = { roles: [`${OWN}_member`, `${OWN}_other`], owners: [`${OWN}_member`, `${OWN}_other`] };
		await expect(look(facts, { createsDatabase: true, replaces: old.database }, limited)).rejects.toMatchObject(
			missing(
				[
					`membership of "${OWN}" in "${OWN}_other"`,
					`the right of "${OWN}" to create databases`,
					`membership of "${OWN}" in "${server.superuser}", who owns the database to replace`,
				],
				[
					`GRANT "${OWN}_other" TO "${OWN}";`,
					`ALTER ROLE "${OWN}" CREATEDB;`,
					`GRANT "${server.superuser}" TO "${OWN}";`,
				],
			),
		);
		expect(await look({ roles: [`${OWN}_other`] }, {}, limited)).toEqual([]);
	});

	it('only warns of roles and extensions when a part is restored, which may need none of them', async () => {
		const facts = { roles: ['gone'], extensions: [{ name: 'postgis', version: '3.5' }] };
		expect(await look(facts, { rules: { only: { tables: ['t'] } } })).toEqual([
			'the server lacks the role "gone", which the chosen part may need',
			'the server lacks the extension postgis 3.5',
		]);
	});

	it('finds extensions that the server lacks, and warns of other versions', async () => {
		const postgis = { name: 'postgis', version: '3.5' };
		await expect(look({ extensions: [postgis] })).rejects.toMatchObject(missing(['the extension postgis 3.5']));
		expect(await look({ extensions: [postgis] }, { allowMissingExtensions: true })).toEqual([
			'the server lacks the extension postgis 3.5',
		]);
		const [known] = await sql<{ name: string; version: string }>(
			server.target(),
			"SELECT name, default_version AS version FROM pg_available_extensions WHERE name <> 'plpgsql' ORDER BY name LIMIT 1",
		);
		expect(await look({ extensions: [known!] })).toEqual([]);
		expect(await look({ extensions: [{ name: known!.name, version: '0.0' }] })).toEqual([
			`the extension ${known!.name} is ${known!.version} here, it was 0.0`,
		]);
		expect(await look({ extensions: [{ name: 'plpgsql', version: '99' }] })).toEqual([]);
	});

	it('finds extensions that only a superuser may create, unless somebody did', async () => {
		const [special] = await sql<{ name: string; version: string }>(
			server.target(),
			`SELECT e.name, e.default_version AS version FROM pg_available_extensions e
			 JOIN pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version
			 WHERE v.superuser AND NOT v.trusted AND v.requires IS NULL ORDER BY name LIMIT 1`,
		);
		const extensions = [special!];
		await expect(look({ extensions }, { createsDatabase: false }, limited)).rejects.toMatchObject(
			missing([`a superuser, who alone may create the extension ${special!.name}`]),
		);
		await sql(old, `CREATE EXTENSION ${quoteName(special!.name)}`);
		expect(await look({ extensions }, {}, { ...limited, database: old.database })).toEqual([]);
	});

	it('warns of a server older than the one that was dumped', async () => {
		expect(await look({ serverVersion: '18.1', serverVersionNumber: 180001 })).toEqual([
			expect.stringMatching(/^the server is PostgreSQL 15\.\d+, older than the dumped one \(18\.1\)/),
		]);
	});
});
