/** A real n8n of its own: installed as a lockfile says, started with our package, stopped with everything it started. */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { onCleanup } from './cleanup.mjs';
import { madeOnce } from './made-once.mjs';
import { CACHE, ROOT } from './paths.mjs';
import { freePort } from './postgres.mjs';
import { step } from './progress.mjs';
import { run } from './run.mjs';

/** n8n and its 2,100 packages, by a lockfile. They are too large for the checkout, and are installed outside of it. */
const PROJECT = path.join(ROOT, 'test', 'e2e', 'n8n');
const LEASH = path.join(ROOT, 'scripts', 'lib', 'leash.mjs');
/** A first start, with all migrations, takes about 20 s on two free cores. */
const START_MS = 240_000;
const HOST = '127.0.0.1';

/** @typedef {import('./n8n.d.mts').N8nOptions} N8nOptions */

/** Where this lockfile's n8n is, or will be, installed. One folder per lockfile. */
export function n8nFolder() {
	const lock = fs.readFileSync(path.join(PROJECT, 'package-lock.json'));
	return path.join(CACHE, `n8n-${createHash('sha256').update(lock).digest('hex').slice(0, 16)}`);
}

/**
 * Installs n8n unless it is there. Install scripts do not run: n8n then has no driver of SQLite, which n8n-sqlite.mjs adds where a test wants
 * it.
 * @returns {Promise<string>} the program to run with Node
 */
export async function installN8n() {
	const folder = n8nFolder();
	if (!fs.existsSync(folder)) {
		await step('install n8n (2.7 GB; about three minutes, once)', () =>
			madeOnce(folder, async (half) => {
				for (const file of ['package.json', 'package-lock.json']) {
					fs.copyFileSync(path.join(PROJECT, file), path.join(half, file));
				}
				await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: half, quiet: true });
			}),
		);
	}
	return path.join(folder, 'node_modules', 'n8n', 'bin', 'n8n');
}

/**
 * @param {N8nOptions} options
 * @returns {Promise<import('./n8n.d.mts').RunningN8n>}
 */
export async function startN8n(options) {
	const program = await installN8n();
	const port = options.port ?? (await freePort());
	const env = await environment(options, port);
	if (options.nodes) placeNodes(options.nodes, options.folder);
	fs.mkdirSync(options.folder, { recursive: true });
	const logFile = path.join(options.folder, 'n8n.log');
	const output = fs.openSync(logFile, 'a', 0o600);
	const child = spawn(process.execPath, [LEASH, process.execPath, program, 'start'], {
		cwd: options.folder,
		env,
		stdio: ['pipe', output, output],
	});
	fs.closeSync(output);
	/** @type {Promise<void>} */
	const ended = new Promise((resolve) => child.once('exit', () => resolve()));
	const stop = async () => {
		forget();
		child.stdin?.end();
		await ended;
	};
	const kill = async () => {
		forget();
		child.kill('SIGUSR2');
		await ended;
	};
	const forget = onCleanup(stop);
	const log = () => fs.readFileSync(logFile, 'utf8');
	const url = `http://${HOST}:${port}`;
	try {
		await answers(`${url}/healthz/readiness`, child);
	} catch (error) {
		await stop();
		throw new Error(`n8n did not start: ${error instanceof Error ? error.message : error}\n${log().slice(-4000)}`);
	}
	const command = async (/** @type {string[]} */ ...args) => {
		const own = { ...env, N8N_RUNNERS_BROKER_PORT: String(await freePort()) };
		return await run(process.execPath, [program, ...args], { cwd: options.folder, env: own, quiet: true });
	};
	return { url, pid: /** @type {number} */ (child.pid), log, ended, command, stop, kill };
}

/**
 * @param {N8nOptions} options
 * @param {number} port
 * @returns {Promise<NodeJS.ProcessEnv>}
 */
async function environment({ folder, database, files = [], env = {} }, port) {
	// Settings of another n8n in our own environment are not for this one.
	const inherited = Object.entries(process.env).filter(
		([name]) => !/^(N8N|DB|QUEUE|EXECUTIONS|NODE_OPTIONS|NODE_COMPILE_CACHE|JEST)/.test(name),
	);
	return {
		...Object.fromEntries(inherited),
		NODE_ENV: 'production',
		N8N_USER_FOLDER: folder,
		N8N_ENCRYPTION_KEY: encryptionKey(folder),
		N8N_LISTEN_ADDRESS: HOST,
		N8N_PORT: String(port),
		N8N_EDITOR_BASE_URL: `http://${HOST}:${port}`,
		WEBHOOK_URL: `http://${HOST}:${port}/`,
		N8N_RUNNERS_BROKER_PORT: String(await freePort()),
		N8N_SECURE_COOKIE: 'false',
		N8N_GRACEFUL_SHUTDOWN_TIMEOUT: '5',
		N8N_COMMUNITY_PACKAGES_ENABLED: 'true',
		// The default of n8n 2, and no longer that of n8n 3.
		N8N_UNVERIFIED_PACKAGES_ENABLED: 'true',
		...(files.length > 0 ? { N8N_RESTRICT_FILE_ACCESS_TO: files.join(';') } : {}),
		...databaseSettings(database),
		// It tells nobody about itself, and asks nobody for news.
		N8N_DIAGNOSTICS_ENABLED: 'false',
		N8N_VERSION_NOTIFICATIONS_ENABLED: 'false',
		N8N_VERSION_NOTIFICATIONS_WHATS_NEW_ENABLED: 'false',
		N8N_DYNAMIC_BANNERS_ENABLED: 'false',
		N8N_HIRING_BANNER_ENABLED: 'false',
		N8N_PERSONALIZATION_ENABLED: 'false',
		N8N_TEMPLATES_ENABLED: 'false',
		N8N_VERIFIED_PACKAGES_ENABLED: 'false',
		N8N_LICENSE_AUTO_RENEW_ENABLED: 'false',
		N8N_AI_ENABLED: 'false',
		...env,
	};
}

/** @param {N8nOptions['database']} database */
function databaseSettings(database) {
	if (database === 'sqlite') return { DB_TYPE: 'sqlite' };
	const { host, port, database: name, user, password = '' } = database;
	return {
		DB_TYPE: 'postgresdb',
		DB_POSTGRESDB_HOST: host,
		DB_POSTGRESDB_PORT: String(port),
		DB_POSTGRESDB_DATABASE: name,
		DB_POSTGRESDB_USER: user,
		DB_POSTGRESDB_PASSWORD: password,
	};
}

/** The key that n8n encrypts credentials with; the same at every start in the same folder. */
function encryptionKey(/** @type {string} */ folder) {
	const file = path.join(folder, 'encryption-key');
	if (!fs.existsSync(file)) {
		fs.mkdirSync(folder, { recursive: true });
		fs.writeFileSync(file, randomBytes(24).toString('hex'), { mode: 0o600 });
	}
	return fs.readFileSync(file, 'utf8');
}

/**
 * @param {string} nodes
 * @param {string} folder
 */
function placeNodes(nodes, folder) {
	const target = path.join(folder, '.n8n', 'nodes');
	fs.rmSync(target, { recursive: true, force: true });
	fs.cpSync(nodes, target, { recursive: true, verbatimSymlinks: true });
}

/**
 * @param {string} url
 * @param {import('node:child_process').ChildProcess} child
 */
async function answers(url, child) {
	const deadline = Date.now() + START_MS;
	while (Date.now() < deadline) {
		if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it ended with ${child.exitCode}`);
		// Refused connections and "not ready yet" are what we wait through.
		const status = await fetch(url, { signal: AbortSignal.timeout(5000) }).then(
			(response) => response.status,
			() => null,
		);
		if (status === 200) return;
		await delay(200);
	}
	throw new Error(`no answer from ${url} within ${START_MS / 1000} s`);
}
