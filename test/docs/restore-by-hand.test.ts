/** docs/restore-by-hand.md: each of its commands, against real servers, with age, zstd and psql alone. */
import {
	appendFileSync,
	copyFileSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backUp } from '../../core/verbs/backup/backup';
import { generateIdentity } from '../../core/codecs/age/keys';
import { generateSigningKey, parseSigningKey } from '../../core/codecs/sshsig/keys';
import type { Encryption } from '../../core/codecs/age/age';
import type { Manifest } from '../../core/records/manifest';
import { DEFAULT_DUMP_OPTIONS, postgresSource, type PostgresDumpOptions } from '../../core/sources/postgres/dump/dump';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { openStorage } from '../../core/storage/create';
import { definitionOf, rowsOf } from '../support/by-hand';
import { clientEnvironment, Document, sh } from '../support/document';
import { type OwnServer, quoteName, sharedPostgres, sql, startPostgres } from '../support/postgres';
import { sharedS3 } from '../support/s3';

const PASSPHRASE = 'correct horse battery staple';
const GROUP = 'postgres/shop';
const LABEL = '20261120T020000Z-full-k3f9';
const OWNER = `SELECT relowner::regrole::text AS owner FROM pg_class WHERE relname = 'products'`;
const document = new Document('docs/restore-by-hand.md');
const s3 = sharedS3();
const signing = generateSigningKey('n8n-backup');

let folder: string;
let shop: DatabaseTarget;
/** The same on a server that Debian's own programs can read. */
let olderShop: DatabaseTarget;
/** Knows none of the roles, and is of another version. */
let other: OwnServer;
let encryption: Encryption;
const backups = new Map<string, { manifest: Manifest; path: string }>();

async function store(
	target: DatabaseTarget,
	storageUrl: string,
	env: NodeJS.ProcessEnv,
	how: Encryption | null,
	options: Partial<PostgresDumpOptions>,
) {
	const storage = openStorage(storageUrl, env);
	try {
		const source = postgresSource(target, { ...DEFAULT_DUMP_OPTIONS, ...options });
		const { signal } = new AbortController();
		const authority = { key: parseSigningKey(signing.secret), signers: null };
		return (await backUp({ storage, group: GROUP, source, encryption: how, authority, signal })).manifest;
	} finally {
		await storage.close();
	}
}

beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), 'by-hand-'));
	shop = await (await sharedPostgres(18)).createDatabase();
	olderShop = await (await sharedPostgres(15)).createDatabase();
	const tables = `DO $$ BEGIN IF to_regrole('by_hand') IS NULL THEN CREATE ROLE by_hand NOLOGIN; END IF; END $$;
		CREATE TABLE products AS SELECT i AS id, 'product ' || i AS name FROM generate_series(1, 300) i;
		CREATE TABLE "odd; ""name""" AS SELECT i FROM generate_series(1, 7) i;
		ALTER TABLE products OWNER TO by_hand`;
	for (const target of [shop, olderShop]) await sql(target, tables);
	const name = quoteName(shop.database);
	await sql(
		shop,
		`ALTER DATABASE ${name} SET search_path TO 'My Schema', public; ALTER DATABASE ${name} SET app.motto TO 'it''s';
		ALTER DATABASE ${name} SET log_statement TO 'ddl'; ALTER DATABASE ${name} SET session_preload_libraries TO 'auto_explain';
		ALTER ROLE by_hand IN DATABASE ${name} SET work_mem TO '9MB'; COMMENT ON DATABASE ${name} IS 'it''s mine';
		REVOKE ALL ON DATABASE ${name} FROM PUBLIC; GRANT CONNECT ON DATABASE ${name} TO pg_monitor WITH GRANT OPTION;
		ALTER DATABASE ${name} CONNECTION LIMIT 17; ALTER DATABASE ${name} OWNER TO by_hand`,
	);
	other = await startPostgres(13);
	const { identity, recipient } = await generateIdentity();
	encryption = { recipients: [recipient] };
	writeFileSync(join(folder, 'key.txt'), `${identity}\n`);
	const kinds: Array<[string, Encryption | null, Partial<PostgresDumpOptions>]> = [
		['recipient', encryption, { globals: 'roles' }],
		['passphrase', { passphrase: PASSPHRASE }, {}],
		['nobody', null, {}],
		// Made by the pg_dump that belongs to the pg_restore of this machine.
		['custom', encryption, { engine: 'native', format: 'custom' }],
	];
	for (const [kind, how, options] of kinds) {
		const path = join(folder, kind);
		mkdirSync(path);
		const manifest = await store(kind === 'custom' ? olderShop : shop, `file://${path}`, {}, how, options);
		backups.set(kind, { manifest, path: join(path, GROUP, manifest.label) });
		copyFileSync(join(folder, 'key.txt'), join(path, GROUP, manifest.label, 'key.txt'));
	}
}, 120_000);
afterAll(async () => {
	await other.stop();
	rmSync(folder, { recursive: true, force: true });
});

/** Runs commands in the folder of a backup. */
async function inBackup(
	kind: string,
	script: string,
	server: DatabaseTarget | OwnServer = shop,
	passphrase?: string,
): Promise<string> {
	const target = 'target' in server ? server.target() : server;
	return await sh(document.block('guarded()') + script, {
		cwd: backups.get(kind)!.path,
		env: clientEnvironment(target),
		passphrase,
	});
}

/** An empty database, made as the page says. */
async function emptyDatabase(server: DatabaseTarget | OwnServer = shop): Promise<DatabaseTarget> {
	const database = `restored_${Math.random().toString(36).slice(2)}`;
	await inBackup('recipient', document.block('createdb', { shop_restored: database }), server);
	return { ...('target' in server ? server.target() : server), database };
}

async function expectSame(restored: DatabaseTarget): Promise<void> {
	expect(await rowsOf(restored)).toEqual(await rowsOf(shop));
	expect(await sql(restored, OWNER)).toEqual([{ owner: 'by_hand' }]);
}

describe('docs/restore-by-hand.md', () => {
	it('finds the newest backup of a folder', async () => {
		const { manifest, path } = backups.get('recipient')!;
		const names = { '/backups/postgres/shop': join(folder, 'recipient', GROUP), [LABEL]: manifest.label };
		const listed = await sh(document.block('ls -d', names), { cwd: folder, env: clientEnvironment(shop) });
		expect(listed.split('\n')[0]).toBe(`${manifest.label}/`);
		for (const file of ['manifest.json', 'dump.sql.zst.age', 'contents.json.zst.age', 'globals.sql.zst.age']) {
			expect(listed).toContain(file);
			expect(readFileSync(join(path, file)).length).toBeGreaterThan(0);
		}
	});

	it('gets a backup out of S3 with curl alone, whole', async () => {
		const bucket = await s3().makeBucket();
		const keys = { AWS_ACCESS_KEY_ID: s3().keys.accessKey, AWS_SECRET_ACCESS_KEY: s3().keys.secretKey };
		const { label } = await store(
			shop,
			`s3://${bucket}?endpoint=${s3().endpoint}&region=us-east-1`,
			keys,
			encryption,
			{},
		);
		const cwd = join(folder, 'from-s3');
		mkdirSync(cwd);
		const script =
			document.block('aws-sigv4', { 'https://s3.example.org/my-bucket': `${s3().endpoint}/${bucket}` }) +
			document.block('for file in', { [LABEL]: label }) +
			document.block('sha256sum -c');
		const shown = await sh(script, { cwd, env: { ...clientEnvironment(shop), ...keys } });
		expect(shown).toContain(`<Key>${GROUP}/${label}/manifest.json`);
		expect(shown).toContain('dump.sql.zst.age: OK');
	});

	describe('checks', () => {
		const manifestCheck = () => document.block('cut -c 1-64');

		it('the manifest, the stored files and the dump inside', async () => {
			const [computed, recorded] = (await inBackup('recipient', manifestCheck())).split('\n');
			expect(computed).toMatch(/^[0-9a-f]{64}$/);
			expect(recorded).toBe(computed);
			expect(await inBackup('recipient', document.block('sha256sum -c'))).toBe(
				'dump.sql.zst.age: OK\nglobals.sql.zst.age: OK\ncontents.json.zst.age: OK\n',
			);
			const inside = document.block('set -o pipefail') + document.block('b2sum -c');
			expect(await inBackup('recipient', inside)).toBe('-: OK\n');
		});

		it('who signed the manifest', async () => {
			const { path } = backups.get('recipient')!;
			const command = document.block('ssh-keygen -Y verify');
			writeFileSync(join(path, 'signing-key.pub'), `${signing.publicKey}\n`);
			expect(await inBackup('recipient', command)).toContain('Good "n8n-backup-manifest" signature for n8n-backup');
			writeFileSync(join(path, 'signing-key.pub'), `${generateSigningKey().publicKey}\n`);
			await expect(inBackup('recipient', command)).rejects.toThrow();
		});

		it('and notice what was changed', async () => {
			const cwd = join(folder, 'changed');
			mkdirSync(cwd);
			const { path } = backups.get('recipient')!;
			for (const file of ['dump.sql.zst.age', 'contents.json.zst.age', 'globals.sql.zst.age', 'key.txt']) {
				copyFileSync(join(path, file), join(cwd, file));
			}
			const manifest = readFileSync(join(path, 'manifest.json'), 'utf8');
			writeFileSync(join(cwd, 'manifest.json'), manifest.replace('"warnings": []', '"warnings": [ ]'));
			const [computed, recorded] = (await sh(manifestCheck(), { cwd, env: clientEnvironment(shop) })).split('\n');
			expect(recorded).not.toBe(computed);
			appendFileSync(join(cwd, 'dump.sql.zst.age'), 'x');
			for (const check of ['sha256sum -c', 'b2sum -c']) {
				await expect(sh(document.block(check), { cwd, env: clientEnvironment(shop) })).rejects.toThrow(/FAILED|error/);
			}
		});
	});

	describe('restores', () => {
		it('a backup encrypted to a recipient', async () => {
			const restored = await emptyDatabase();
			await inBackup(
				'recipient',
				document.block('age -d -i key.txt dump.sql.zst.age | zstd -d | guarded', { shop_restored: restored.database }),
			);
			await expectSame(restored);
		});

		it('the settings of the database before its rows, and whose it is and who may use it after them', async () => {
			const restored = await emptyDatabase();
			const names = { shop_restored: restored.database };
			await inBackup('recipient', document.block('SET %s FROM CURRENT', names));
			await inBackup('recipient', document.block('REVOKE ALL', names));
			const of = async ({ database }: DatabaseTarget) =>
				await sql(
					shop,
					`SELECT pg_get_userbyid(datdba) AS owner, datconnlimit, shobj_description(oid, 'pg_database') AS comment,
						ARRAY(SELECT a::text FROM unnest(datacl) a ORDER BY 1) AS rights,
						ARRAY(SELECT setrole::regrole || unnest(setconfig) FROM pg_db_role_setting WHERE setdatabase = d.oid ORDER BY 1)
							AS settings
					 FROM pg_database d WHERE datname = $1`,
					[database],
				);
			const [original] = await of(shop);
			const settings = (original!.settings as string[]).filter((setting) => !setting.includes('libraries'));
			expect(settings).toHaveLength(4);
			expect(await of(restored)).toEqual([{ ...original, settings }]);
		});

		it('a backup encrypted with a passphrase', async () => {
			const restored = await emptyDatabase();
			const script = document.block('age -d dump.sql.zst.age', { shop_restored: restored.database });
			await inBackup('passphrase', script, shop, PASSPHRASE);
			await expectSame(restored);
		});

		it('a backup that is not encrypted', async () => {
			const restored = await emptyDatabase();
			await inBackup('nobody', document.block('zstd -d < dump.sql.zst', { shop_restored: restored.database }));
			await expectSame(restored);
		});

		it('a backup in custom format', async () => {
			const restored = await emptyDatabase(olderShop);
			await inBackup('custom', document.block('pg_restore', { shop_restored: restored.database }), olderShop);
			expect(await definitionOf(restored)).toBe(await definitionOf(olderShop));
			await expectSame(restored);
		});

		it('no dump that tells psql to run a program, whatever else it tells it', async () => {
			const made = join(folder, 'made-by-the-dump');
			const restored = await emptyDatabase();
			const command = document
				.block('zstd -d < dump.sql.zst', { shop_restored: restored.database })
				.replace('zstd -d < dump.sql.zst', 'cat forged.sql');
			const [head, tail] = ['--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\n', '\n\\unrestrict abc\n'];
			for (const line of ['', '\\unrestrict abc\n', '\\unrestrict $token\n', '\\unrestrict\n', '\\restrict x\n']) {
				const file = join(backups.get('nobody')!.path, 'forged.sql');
				writeFileSync(file, `${head}${line}SELECT 1;\n${line}\\! touch '${made}'\n${tail}`);
				await expect(inBackup('nobody', command)).rejects.toThrow(/restricted|wrong key|missing required argument/);
				expect(existsSync(made)).toBe(false);
				// Without the guard, it is psql's to obey.
				await inBackup('nobody', command.replace('guarded |', "sed '/restrict/d' |"));
				expect(existsSync(made)).toBe(true);
				rmSync(made);
			}
		});

		it('rows that look like commands of psql', async () => {
			const restored = await emptyDatabase();
			const command = document
				.block('zstd -d < dump.sql.zst', { shop_restored: restored.database })
				.replace('zstd -d < dump.sql.zst', 'cat odd.sql');
			const rows = '\\restrict x\n\\unrestrict x\n';
			writeFileSync(
				join(backups.get('nobody')!.path, 'odd.sql'),
				`\\restrict key1\nCREATE TABLE odd (t text);\n${'--\n'.repeat(20)}COPY odd FROM stdin;\n${rows}\\.\n\\unrestrict key1\n`,
			);
			await inBackup('nobody', command);
			expect(await sql(restored, 'SELECT count(*)::int AS n FROM odd')).toEqual([{ n: 2 }]);
		});

		it('one table', async () => {
			const target = await emptyDatabase();
			await sql(target, 'CREATE TABLE products (id int, name text)');
			await inBackup('recipient', document.block('COPY public', { shop_restored: target.database }));
			expect((await rowsOf(target)).products).toBe((await rowsOf(shop)).products);
		});
	});

	describe('on another server', () => {
		it('leaves out a setting and meets a role that are unknown there, and goes on as the page says', async () => {
			const target = await emptyDatabase(other);
			const restore = document.block('age -d -i key.txt dump.sql.zst.age | zstd -d | guarded', {
				shop_restored: target.database,
			});
			const again = async () => {
				await sql(other.target(), `DROP DATABASE "${target.database}"`);
				await sql(other.target(), `CREATE DATABASE "${target.database}"`);
				await inBackup('recipient', restore, other);
			};
			await expect(again()).rejects.toThrow('role "by_hand" does not exist');

			await inBackup('recipient', document.block('globals.sql'), other);
			await again();
			expect(await rowsOf(target)).toEqual(await rowsOf(shop));
		});

		it('takes out what a server of a newer minor release left in a dump, and no row that looks like it', async () => {
			const source = await (await sharedPostgres(15)).createDatabase();
			await sql(
				source,
				`CREATE TABLE item (id int, text text); SET allow_system_table_mods = on;
				 INSERT INTO item VALUES (1, 'x'), (2, E'x\nALTER TABLE ONLY item ALTER COLUMN id SET (pg_attver=1);');
				 CREATE TABLE "ALTER" (a text); INSERT INTO "ALTER" VALUES ('ALTER TABLE item ALTER COLUMN id SET (pg_attver=1);');
				 UPDATE pg_attribute SET attoptions = '{pg_attver=26491600}' WHERE attrelid = 'item'::regclass AND attname = 'id';
				 UPDATE pg_attribute SET attoptions = '{n_distinct=7,pg_attver=26491600}'
				 WHERE attrelid = 'item'::regclass AND attname = 'text'`,
			);
			const cwd = join(folder, 'newer minor');
			mkdirSync(cwd);
			copyFileSync(join(folder, 'key.txt'), join(cwd, 'key.txt'));
			const dump = `pg_dump ${source.database} | zstd -q | age -e -i key.txt -o dump.sql.zst.age`;
			await sh(dump, { cwd, env: clientEnvironment(source) });
			const restored = await emptyDatabase(olderShop);
			const restore = (text: string) =>
				sh(document.block('guarded()') + document.block(text, { shop_restored: restored.database }), {
					cwd,
					env: clientEnvironment(restored),
				});
			await expect(restore('age -d -i key.txt dump.sql.zst.age | zstd -d | guarded')).rejects.toThrow(
				'unrecognized parameter "pg_attver"',
			);
			await sql(restored, 'DROP TABLE IF EXISTS item, "ALTER"');
			await restore('pg_attver');
			expect(await rowsOf(restored)).toEqual(await rowsOf(source));
			expect(await sql(restored, `SELECT attname FROM pg_attribute WHERE attoptions = '{n_distinct=7}'`)).toEqual([
				{ attname: 'text' },
			]);
		});

		it('creates the roles that are missing from what the contents name', async () => {
			const fresh = await startPostgres(13);
			try {
				const missing = `SELECT FROM pg_roles WHERE rolname = 'by_hand' AND NOT rolcanlogin`;
				expect(await sql(fresh.target(), missing)).toHaveLength(0);
				await inBackup(
					'nobody',
					document
						.block('CREATE ROLE')
						.replace('age -d -i key.txt contents.json.zst.age | zstd -d', 'zstd -dc contents.json.zst'),
					fresh,
				);
				expect(await sql(fresh.target(), missing)).toHaveLength(1);
			} finally {
				await fresh.stop();
			}
		});
	});

	describe('compares', () => {
		it('all rows with the contents, and finds each difference', async () => {
			const restored = await emptyDatabase();
			const names = { shop_restored: restored.database };
			await inBackup('recipient', document.block('age -d -i key.txt dump.sql.zst.age | zstd -d | guarded', names));
			const compare = () => inBackup('recipient', document.block('HAVING', names));
			expect(await compare()).toBe('compared 2 tables with 307 rows\n');
			await sql(restored, `DELETE FROM products WHERE id = 1; INSERT INTO "odd; ""name""" VALUES (8)`);
			expect((await compare()).split('\n').sort()).toEqual([
				'',
				'compared 2 tables with 307 rows',
				'public."odd; ""name""" has 8 rows instead of 7',
				'public.products has 299 rows instead of 300',
			]);
			await sql(restored, 'DROP TABLE products');
			await expect(compare()).rejects.toThrow('relation "public.products" does not exist');
		});
	});

	it('has no command that was not run here, and no link that leads nowhere', () => {
		expect(document.unused()).toEqual([]);
		expect(document.brokenLinks()).toEqual([]);
	});
});
