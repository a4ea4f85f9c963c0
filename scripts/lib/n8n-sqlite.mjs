/** SQLite for the n8n of the tests, which is installed without its install scripts: these would fetch or compile the driver. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { extract } from 'tar';
import { madeOnce } from './made-once.mjs';
import { installN8n, n8nFolder } from './n8n.mjs';
import { CACHE } from './paths.mjs';
import { run } from './run.mjs';

/** The same driver as n8n's, compiled for every Node by its maintainers. */
const DRIVER = {
	name: '@appthreat/sqlite3',
	version: '9.0.2',
	integrity: 'sha512-i/TUHpgZT210LsP47WSnOuUp8mCfJpuZ3VTiUYue54h4TR23NHbMJm8hbtD5Aq3CMjd5xg3+tTCRyvn0oEq32g==',
	file: `package/prebuilds/linux-${process.arch}/@appthreat+sqlite3.glibc.node`,
};

/**
 * Gives n8n its driver unless it has one.
 * @returns {Promise<void>}
 */
export async function installSqlite() {
	await installN8n();
	const folder = path.join(CACHE, `sqlite-${DRIVER.version}`);
	await madeOnce(folder, fetchDriver);
	const place = path.join(n8nFolder(), 'node_modules/sqlite3/build/Release/node_sqlite3.node');
	if (fs.existsSync(place)) return;
	fs.mkdirSync(path.dirname(place), { recursive: true });
	// Another process may do the same.
	fs.copyFileSync(path.join(folder, DRIVER.file), `${place}.${process.pid}`);
	fs.renameSync(`${place}.${process.pid}`, place);
}

/**
 * @param {string} folder
 * @throws Error when the registry gives other bytes than these
 */
async function fetchDriver(folder) {
	const { name, version, integrity, file } = DRIVER;
	const args = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder, `${name}@${version}`];
	await run('npm', args, { cwd: folder, quiet: true });
	const packed = path.join(folder, /** @type {string} */ (fs.readdirSync(folder)[0]));
	const found = `sha512-${createHash('sha512').update(fs.readFileSync(packed)).digest('base64')}`;
	if (found !== integrity) throw new Error(`${name}@${version} is not what it was: ${found}`);
	await extract({ file: packed, cwd: folder }, [file]);
}
