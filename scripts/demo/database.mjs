/** The demo's two servers of PostgreSQL 18: one with a shop to back up, and one in which n8n keeps its own things. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { onCleanup } from '../lib/cleanup.mjs';
import { ROOT } from '../lib/paths.mjs';

const START_MS = 120_000;

/** @typedef {{ host: string, port: number, database: string, user: string, password: string }} Database */

/**
 * Starts the servers and fills the shop. n8n goes on when the server of the shop is stopped.
 * @param {string} folder for notes of what keeps them: `shop` and `n8n`, each removed when its server has ended
 * @returns {Promise<{ shop: Database, n8n: Database }>}
 */
export async function startDatabases(folder) {
	const [shop, n8n] = await Promise.all([
		startDatabase(path.join(folder, 'shop'), 'shop'),
		startDatabase(path.join(folder, 'n8n'), 'n8n'),
	]);
	await sql(shop, fs.readFileSync(path.join(ROOT, 'scripts', 'demo', 'shop.sql'), 'utf8'));
	return { shop, n8n };
}

/**
 * Starts a server with one database. A keeper process ends the server when this one is gone, in whatever way.
 * @param {string} folder
 * @param {string} name of the database and of its owner
 * @returns {Promise<Database>}
 */
async function startDatabase(folder, name) {
	fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
	const keeper = path.join(ROOT, 'test', 'support', 'keep-postgres.mjs');
	const options = { packageDir: path.join(ROOT, 'node_modules', 'pg18') };
	const args = [keeper, String(process.pid), folder, JSON.stringify(options)];
	const child = spawn(process.execPath, args, { detached: true, stdio: 'ignore', cwd: '/' });
	const exited = new Promise((resolve) => child.once('exit', resolve));
	onCleanup(() => (child.kill('SIGTERM'), exited));
	const { host, port, superuser, password } = await state(path.join(folder, 'state.json'), child);

	const admin = { host, port, user: superuser, password, database: 'postgres' };
	const secret = randomBytes(12).toString('hex');
	await sql(admin, `CREATE ROLE ${name} LOGIN CREATEDB PASSWORD '${secret}'`);
	await sql(admin, `CREATE DATABASE ${name} OWNER ${name}`);
	return { host, port, user: name, password: secret, database: name };
}

/**
 * @param {Database} database
 * @param {string} text one statement or several
 * @returns {Promise<Record<string, unknown>[]>} the rows of the only statement
 */
export async function sql(database, text) {
	// Imported late: the demo starts before its dependencies are installed.
	const { default: pg } = await import('pg');
	const client = new pg.Client(database);
	await client.connect();
	try {
		return (await client.query(text)).rows;
	} finally {
		await client.end();
	}
}

/**
 * The shop's tables with a digest of all their rows, to be compared.
 * @param {Database} shop
 * @returns {Promise<{ name: string, rows: number, digest: string }[]>} none when the tables are gone
 */
export async function tablesOf(shop) {
	const tables = await sql(shop, "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'shop' ORDER BY 1");
	return await Promise.all(
		tables.map(async ({ name }) => {
			const rows = `SELECT t::text AS line FROM shop.${name} t`;
			const digest = `md5(string_agg(line, E'\\n' ORDER BY line COLLATE "C"))`;
			const [facts] = await sql(shop, `SELECT count(*)::int AS rows, ${digest} AS digest FROM (${rows}) AS lines`);
			return { name: String(name), rows: Number(facts?.rows), digest: String(facts?.digest) };
		}),
	);
}

/**
 * What the keeper says of its server, once it says anything.
 * @param {string} file
 * @param {import('node:child_process').ChildProcess} keeper
 */
async function state(file, keeper) {
	const deadline = Date.now() + START_MS;
	while (!fs.existsSync(file)) {
		if (keeper.exitCode !== null || Date.now() > deadline) throw new Error('PostgreSQL did not start');
		await delay(50);
	}
	const { server, error } = JSON.parse(fs.readFileSync(file, 'utf8'));
	if (error) throw new Error(error);
	return server;
}
