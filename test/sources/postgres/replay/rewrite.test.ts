import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { builtinEngine } from '../../../../core/sources/postgres/dump/engines/builtin/host';
import { replay } from '../../../../core/sources/postgres/replay/replay';
import { type ReplayResult } from '../../../../core/sources/postgres/replay/types';
import { DRILL_RULES, KEEP_ALL, type RewriteRules } from '../../../../core/sources/postgres/replay/rewrite';
import type { DatabaseTarget } from '../../../../core/sources/postgres/connection/target';
import { definitionOf, rowsOf } from '../../../support/by-hand';
import { type PostgresServer, quoteName, sharedPostgres, sql } from '../../../support/postgres';

const engine = builtinEngine();
const signal = new AbortController().signal;
const TRAILER = '\n--\n-- PostgreSQL database dump complete\n--\n\n';

async function dump(target: DatabaseTarget, filter = {}): Promise<string> {
	const running = await engine.start({ target, format: 'plain', filter, lockTimeoutMs: 10_000 }, { signal });
	return await text(running.body);
}

function restore(dumped: string, target: DatabaseTarget, rules: Partial<RewriteRules>): Promise<ReplayResult> {
	return replay(Readable.from([Buffer.from(dumped)]), target, { signal, rules: { ...KEEP_ALL, ...rules } });
}

/** What pg_dump says of a database, in lines. */
async function definition(target: DatabaseTarget): Promise<string[]> {
	return (await definitionOf(target)).split('\n');
}

describe('rules for a restore', () => {
	let server: PostgresServer;
	let original: DatabaseTarget;
	let dumped: string;
	let target: DatabaseTarget;

	beforeAll(async () => {
		server = await sharedPostgres(15);
		original = await server.createDatabase(undefined, { load: 'many-kinds' });
		// Privileges that somebody else than the owner gave stand between SET and RESET SESSION AUTHORIZATION.
		await sql(
			original,
			`SET SESSION AUTHORIZATION kinds_reader; GRANT USAGE ON SCHEMA shop TO kinds_writer; RESET SESSION AUTHORIZATION;
			CREATE TABLE owner (owner text DEFAULT 'ALTER TABLE owner OWNER TO kinds_writer;'); ALTER TABLE owner OWNER TO kinds_writer;
			COMMENT ON TABLE owner IS 'GRANT ALL ON TABLE owner TO kinds_reader; ALTER TABLE owner OWNER TO kinds_reader;';
			CREATE FUNCTION texts() RETURNS text LANGUAGE sql AS $f$ SELECT 'REVOKE ALL ON TABLE owner FROM x;'; $f$;
			ALTER FUNCTION texts() OWNER TO kinds_reader;
			COMMENT ON EXTENSION hstore IS 'mine'; COMMENT ON POLICY only_small ON shop.customer IS 'few'`,
		);
		dumped = await dump(original);
		expect(dumped).toContain('SET SESSION AUTHORIZATION');
	});
	beforeEach(async () => {
		target = await server.createDatabase();
	});

	/** A role of this test, and of it alone. */
	async function createRole(name = `role_${randomBytes(6).toString('hex')}`, options = 'NOLOGIN'): Promise<string> {
		await sql(server.target(), `CREATE ROLE ${quoteName(name)} ${options}`);
		return name;
	}

	async function dropRole(name: string): Promise<void> {
		await sql(server.target(), `DROP DATABASE ${quoteName(target.database)} WITH (FORCE)`);
		await sql(server.target(), `DROP ROLE ${quoteName(name)}`);
	}

	it('restore the same without owners, as pg_dump --no-owner would', async () => {
		await restore(dumped, target, { owners: 'drop' });
		const expected = (await definition(original)).map((line) => line.replace(/; Owner: .*/, ''));
		const found = (await definition(target)).map((line) => line.replace(/; Owner: .*/, ''));
		const isOwner = (line: string) => / OWNER TO \w+;$/.test(line);
		const isPrivilege = (line: string) => /^(GRANT|REVOKE|SET SESSION|RESET SESSION|--|$)/.test(line); // differ with the owner
		const others = (line: string) => !isOwner(line) && !isPrivilege(line);
		expect(found.filter(others)).toEqual(expected.filter(others));
		expect(new Set(found.filter(isOwner).map((line) => line.replace(/.* OWNER TO /, '')))).toEqual(
			new Set([`${server.superuser};`]),
		);
		expect(await rowsOf(target)).toEqual(await rowsOf(original));
	});

	it('restore the same without privileges, as pg_dump --no-privileges would', async () => {
		const { leftOut } = await restore(dumped, target, { privileges: 'drop' });
		const lines = await definition(target);
		expect(lines.filter((line) => /^(GRANT|REVOKE|ALTER DEFAULT PRIVILEGES|SET SESSION)/.test(line))).toEqual([]);
		const isOwner = (line: string) => / OWNER TO \w+;$/.test(line);
		expect(lines.filter(isOwner)).toEqual((await definition(original)).filter(isOwner));
		expect(leftOut).toBe(
			dumped.match(/^(GRANT|REVOKE|ALTER DEFAULT PRIVILEGES|SET SESSION|RESET SESSION) .*;$/gm)!.length,
		);
		expect(await rowsOf(target)).toEqual(await rowsOf(original));
	});

	it('restore with other roles wherever one is named, and nowhere else', async () => {
		const reader = await createRole(`it's "größer" ☃ \\ ${randomBytes(4).toString('hex')}`);
		const writer = await createRole();
		try {
			await restore(dumped, target, { roles: { kinds_reader: reader, kinds_writer: writer, hstore: 'nobody' } });
			const names = {
				[`"${reader.replaceAll('"', '""')}"`]: 'kinds_reader',
				[writer]: 'kinds_writer',
				[reader]: 'kinds_reader',
			};
			const found = Object.entries(names).reduce(
				(all, [from, to]) => all.replaceAll(from, to),
				await definitionOf(target),
			);
			// Privileges are listed in the order of the roles' numbers.
			const sorted = (definitionText: string) => definitionText.split('\n').sort();
			expect(sorted(found)).toEqual(sorted(await definitionOf(original)));
			const ours = await sql(
				target,
				`SELECT FROM pg_roles r JOIN pg_shdepend d ON d.refobjid = r.oid
				JOIN pg_database b ON b.oid = d.dbid WHERE b.datname = current_database() AND rolname LIKE 'kinds%'`,
			);
			expect(ours).toEqual([]);
		} finally {
			await sql(server.target(), `DROP DATABASE ${quoteName(target.database)} WITH (FORCE)`);
			for (const role of [reader, writer]) await sql(server.target(), `DROP ROLE ${quoteName(role)}`);
		}
	});

	it('restore a drill without any role, and all its rows', async () => {
		const withoutRoles = dumped.replaceAll('kinds_', 'nobody_');
		const result = await restore(withoutRoles, target, DRILL_RULES);
		expect(await rowsOf(target)).toEqual(await rowsOf(original));
		expect(await sql(target, 'SELECT FROM pg_policy')).toEqual([]);
		expect(await sql(target, 'SELECT FROM pg_user_mapping')).toEqual([]);
		expect(await sql(target, 'SELECT FROM pg_publication')).toHaveLength(2);
		expect(result.skipped).toEqual(['SET transaction_timeout = 0;']);
	});

	it('leave out objects of a kind with all that is said about them', async () => {
		const more = [
			`CREATE SUBSCRIPTION s CONNECTION 'host=x password=y' PUBLICATION p WITH (connect = false);`,
			`ALTER SUBSCRIPTION s OWNER TO nobody; COMMENT ON SUBSCRIPTION s IS 'x'; SECURITY LABEL FOR x ON TABLE owner IS 'y';`,
			`COMMENT ON EVENT TRIGGER shop_ddl IS 'x'; COMMENT ON PUBLICATION shop_changes IS 'x';`,
		].join('\n');
		const leaveOut = ['subscriptions', 'publications', 'event-triggers', 'security-labels'] as const;
		await restore(dumped.replace(TRAILER, `\n${more}${TRAILER}`), target, { leaveOut });
		const ofThis = `subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`;
		for (const catalog of [`pg_subscription WHERE ${ofThis}`, 'pg_publication', 'pg_event_trigger', 'pg_seclabel']) {
			expect(await sql(target, `SELECT FROM ${catalog}`)).toEqual([]);
		}
	});

	it('take policies for everybody along, when those for roles are left out', async () => {
		const dump = `CREATE TABLE a (i int); CREATE POLICY "to x" ON a USING (true); COMMENT ON POLICY "to x" ON a IS 'y';
			CREATE POLICY b ON a TO PUBLIC USING (true); CREATE POLICY c ON a TO PUBLIC, nobody USING (true); COMMENT ON POLICY c ON a IS '';`;
		await restore(dump + TRAILER, target, { leaveOut: ['policies-for-roles'] });
		expect(await sql(target, 'SELECT polname AS name FROM pg_policy ORDER BY 1')).toEqual([
			{ name: 'b' },
			{ name: 'to x' },
		]);
	});

	it('are not needed where the new database has the same already, or who restores may not say so', async () => {
		const role = await createRole(undefined, `LOGIN PASSWORD 'a password'`);
		try {
			await sql(server.target(), `ALTER DATABASE ${quoteName(target.database)} OWNER TO ${role}`);
			const user = { ...target, user: role, password: 'a password' };
			const harmless = [
				'CREATE SCHEMA public;',
				`COMMENT ON SCHEMA public IS 'the usual';`,
				'CREATE EXTENSION plpgsql;',
				'CREATE EXTENSION IF NOT EXISTS plpgsql WITH SCHEMA pg_catalog;',
				`COMMENT ON EXTENSION plpgsql IS 'PL/pgSQL';`,
			];
			const result = await restore(harmless.join('\n') + TRAILER, user, {});
			expect(result.skipped).toEqual([harmless[0], harmless[2], harmless[4]]);
			const others = ['CREATE SCHEMA public AUTHORIZATION CURRENT_USER;', `COMMENT ON TABLE pg_class IS '';`];
			for (const text of others)
				await expect(restore(text + TRAILER, user, {})).rejects.toMatchObject({ code: 'restore-failed' });
		} finally {
			await dropRole(role);
		}
	});
});
