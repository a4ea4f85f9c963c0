/**
 * docs/disaster-recovery.md: from the packed package to running databases, with the commands of the page, on a PATH that has
 * neither n8n nor PostgreSQL nor age nor zstd. The steps follow one another as they do on the page.
 *
 *   RECOVERY_MB=1000 npm test -- test/docs/disaster-recovery      with a database of that size; writes the times into the page
 */
import { execFileSync } from 'node:child_process';
import {
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { installedPackage } from '../../scripts/lib/n8n-package.mjs';
import { backUp } from '../../core/verbs/backup/backup';
import { generateIdentity } from '../../core/codecs/age/keys';
import { DEFAULT_DUMP_OPTIONS, postgresSource } from '../../core/sources/postgres/dump/dump';
import type { DatabaseTarget } from '../../core/sources/postgres/connection/target';
import { openStorage } from '../../core/storage/create';
import { rowsOf } from '../support/by-hand';
import { Document, PROJECT, sh } from '../support/document';
import { type OwnServer, sharedPostgres, sql, startPostgres } from '../support/postgres';

const PAGE = 'docs/disaster-recovery.md';
const megabytes = Number(process.env.RECOVERY_MB ?? 0);
const document = new Document(PAGE);
/** All that the machine of the recovery has besides Node. */
const TOOLS = ['bash', 'sh', 'env', 'npm', 'npx', 'mkdir', 'tar', 'gzip', 'sed'];

let folder: string;
let bin: string;
let shop: DatabaseTarget;
/** Has nothing: neither the database nor its role. */
let fresh: OwnServer;
let tarball: string;
let backupSeconds: number;
const times: Array<[string, number]> = [];

/** What a new backup is made of: as much as asked for, a few rows otherwise. */
async function fill(target: DatabaseTarget): Promise<void> {
	await sql(
		target,
		`DO $$ BEGIN IF to_regrole('recovery_shop') IS NULL THEN CREATE ROLE recovery_shop LOGIN; END IF; END $$;
		CREATE TABLE products AS SELECT i AS id, 'product ' || i AS name, md5(i::text) AS code, repeat(md5((i * 7)::text), 12) AS description
			FROM generate_series(1, ${Math.max(300, Math.round(megabytes * 2220))}) i;
		ALTER TABLE products ADD PRIMARY KEY (id);
		CREATE INDEX ON products (code);
		ALTER TABLE products OWNER TO recovery_shop`,
	);
}

beforeAll(async () => {
	tarball = packed(await installedPackage());
	folder = mkdtempSync(path.join(os.tmpdir(), 'recovery-'));
	bin = path.join(folder, 'bin');
	mkdirSync(bin);
	symlinkSync(process.execPath, path.join(bin, 'node'));
	for (const tool of TOOLS)
		symlinkSync(execFileSync('which', [tool], { encoding: 'utf8' }).trim(), path.join(bin, tool));

	shop = await (await sharedPostgres(18)).createDatabase();
	await fill(shop);
	fresh = await startPostgres(18);
	const { identity, recipient } = await generateIdentity();
	writeFileSync(path.join(folder, 'key.txt'), `# public key: ${recipient}\n${identity}\n`);
	mkdirSync(path.join(folder, 'backups'));
	const storage = openStorage(`file://${folder}/backups`, {});
	const source = postgresSource(shop, { ...DEFAULT_DUMP_OPTIONS, globals: 'roles' });
	const encryption = { recipients: [recipient] };
	const start = performance.now();
	await backUp({ storage, group: 'postgres/shop', source, encryption, signal: new AbortController().signal });
	backupSeconds = (performance.now() - start) / 1000;
	await storage.close();
}, 600_000);
afterAll(async () => {
	await fresh?.stop();
	if (folder) rmSync(folder, { recursive: true, force: true });
});

/** The package as `npm pack` made it, on its way to n8n's folder of nodes. */
function packed(nodes: string): string {
	const name = readdirSync(path.dirname(nodes)).find((each) => each.endsWith('.tgz'));
	if (!name) throw new Error(`there is no tarball beside ${nodes}`);
	return path.join(path.dirname(nodes), name);
}

/** Runs commands of the page. */
async function run(script: string, cwd = path.join(folder, 'recovery')): Promise<string> {
	// How this machine reaches the registry (proxies, authorities) is in its environment.
	const inherited = Object.entries(process.env).filter(([name]) => !/^(?:PG|N8N_|AWS_|npm_)/.test(name));
	const env = { ...Object.fromEntries(inherited), PATH: bin, npm_config_update_notifier: 'false' };
	return await sh(script, { cwd, env });
}

async function timed(step: string, script: string, cwd?: string): Promise<string> {
	const start = performance.now();
	const shown = await run(script, cwd);
	times.push([step, (performance.now() - start) / 1000]);
	return shown;
}

/** Other names for the places of the page. */
function places(more: Record<string, string> = {}): Record<string, string> {
	return { 'file:///backups': `file://${folder}/backups`, ...more };
}

function serverUrl(): string {
	return `postgres://${fresh.superuser}@${fresh.host}:${fresh.port}`;
}

describe('docs/disaster-recovery.md', () => {
	it('begins on a machine without n8n, PostgreSQL, age and zstd', async () => {
		for (const program of ['n8n', 'psql', 'pg_dump', 'pg_restore', 'age', 'zstd']) {
			await expect(run(`command -v ${program}`, folder)).rejects.toThrow('ended with 1');
		}
	});

	it('installs the packed program into an empty folder, without n8n', async () => {
		const install = document.block('npm install', {
			'npm install --omit=peer n8n-nodes-backup': `npm install --omit=peer ${tarball}`,
		});
		const shown = await timed('install the program', install, folder);
		const { version } = JSON.parse(readFileSync(path.join(PROJECT, 'package.json'), 'utf8')) as { version: string };
		expect(shown.trim().split('\n').at(-1)).toBe(version);
		const modules = path.join(folder, 'recovery/node_modules');
		expect(readdirSync(modules).filter((name) => /^n8n(?!-nodes-backup$)/.test(name))).toEqual([]);
		renameSync(path.join(folder, 'key.txt'), path.join(folder, 'recovery/key.txt'));
	}, 300_000);

	it('keeps a copy of the program that runs without the registry', async () => {
		await run(document.block('tar -czf'), folder);
		const elsewhere = path.join(folder, 'elsewhere');
		mkdirSync(elsewhere);
		const offline = 'npm_config_offline=true npm_config_cache=./no-cache npx n8n-backup --version';
		expect(await run(`tar -xzf ${folder}/n8n-backup.tar.gz && cd recovery && ${offline}`, elsewhere)).toMatch(
			/^\d+\.\d+\.\d+/,
		);
	}, 120_000);

	it('lists what there is', async () => {
		expect(await run(document.block('npx n8n-backup list', places()))).toMatch(
			/^postgres\/shop\/\d{8}T\d{6}Z-full-\w{4} +full/,
		);
		expect(await run(document.block('new Set', places()))).toBe('postgres/shop\n');
	});

	it('verifies that it is whole, and that this is the key', async () => {
		await timed('verify: readable', document.block('--depth readable', places()));
		if (megabytes === 0) await run(document.block('--scratch embedded', places()));
		else document.block('--scratch embedded');
		const evidence = readdirSync(path.join(folder, 'backups/postgres/shop'), { recursive: true }).filter((name) =>
			/verified-.*-ok\.json$/.test(String(name)),
		);
		expect(evidence).toHaveLength(megabytes === 0 ? 2 : 1);
	}, 600_000);

	it('restores the database and its role on a new server', async () => {
		const script = document.block('npx n8n-backup restore', {
			...places(),
			"'the password of postgres'": `'${fresh.password}'`,
			'postgres://postgres@db.example.org': serverUrl(),
		});
		await timed('restore', script);
		const restored = fresh.target('shop');
		expect(await rowsOf(restored)).toEqual(await rowsOf(shop));
		const [row] = await sql(
			restored,
			`SELECT relowner::regrole::text AS owner FROM pg_class WHERE relname = 'products'`,
		);
		expect(row).toEqual({ owner: 'recovery_shop' });
	}, 600_000);

	it('backs up the new server, and drills that', async () => {
		const script = document.block('npx n8n-backup dump', {
			...places(),
			'postgres://postgres@db.example.org': serverUrl(),
		});
		const password = `export PGPASSWORD='${fresh.password}'\n`;
		await timed('back up and drill again', password + script);
		expect(readdirSync(path.join(folder, 'backups/postgres/shop'))).toHaveLength(2);
		const databases = await sql(fresh.target(), `SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1`);
		expect(databases).toEqual([{ datname: 'postgres' }, { datname: 'shop' }]);
	}, 600_000);

	it('has no command that was not run here, and no link that leads nowhere', () => {
		expect(document.unused()).toEqual([]);
		expect(document.brokenLinks()).toEqual([]);
		if (megabytes > 0) writeTimes();
	});
});

/** Figures of a whole run replace those on the page. */
function writeTimes(): void {
	const label = readdirSync(path.join(folder, 'backups/postgres/shop'))[0]!;
	const manifest = path.join(folder, 'backups/postgres/shop', label, 'manifest.json');
	const { object } = JSON.parse(readFileSync(manifest, 'utf8')) as { object: { original: { bytes: number } } };
	const cpus = os.cpus();
	const machine = `${cpus.length} cores (${cpus[0]!.model.trim()}), ${Math.round(os.totalmem() / 1024 ** 3)} GiB of memory, which the server shares, load average ${os.loadavg()[1]!.toFixed(1)}`;
	const table = [
		`${new Date().toISOString().slice(0, 10)}: a dump of ${Math.round(object.original.bytes / 1e6)} MB in a folder, PostgreSQL 18 on the same machine, ${machine}, Node ${process.versions.node}.`,
		'',
		'| step | seconds |',
		'| --- | ---: |',
		...times.map(([step, seconds]) => `| ${step} | ${seconds.toFixed(1)} |`),
		`| RTO, without people and machines: the first three | ${times
			.slice(0, 3)
			.reduce((sum, [, seconds]) => sum + seconds, 0)
			.toFixed(1)} |`,
		`| RPO: the time between two backups, and as long as one takes | + ${backupSeconds.toFixed(1)} |`,
	].join('\n');
	const file = path.join(PROJECT, PAGE);
	const text = readFileSync(file, 'utf8');
	writeFileSync(
		file,
		text.replace(
			/(<!-- measured -->\n)[\s\S]*(<!-- \/measured -->)/,
			(_, start: string, end: string) => `${start}\n${table}\n\n${end}`,
		),
	);
}
