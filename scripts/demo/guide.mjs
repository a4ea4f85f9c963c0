/** What the demo says in the end: what is stored where, how to open it by hand, and where n8n is. */
import fs from 'node:fs';
import path from 'node:path';
import { filesBelow } from './folder.mjs';

/**
 * @typedef {object} Facts
 * @property {import('../lib/n8n.mjs').RunningN8n} n8n
 * @property {import('../lib/n8n-client.mjs').Login} login
 * @property {{ id: string }} workflow
 * @property {string} storage
 * @property {{ file: string, recipient: string }} key
 * @property {import('./database.mjs').Database} shop
 * @property {string} folder
 */

/**
 * @param {Facts} facts
 * @throws Error when no backup is in the storage
 */
export function printGuide({ n8n, login, workflow, storage, key, shop, folder }) {
	const files = filesBelow(storage);
	const dump = files.find(({ name }) => name.endsWith('/dump.sql.zst.age'));
	if (!dump || !files.some(({ name }) => name === `${path.dirname(dump.name)}/manifest.json`)) {
		throw new Error(`the workflow succeeded, but there is no backup in ${storage}`);
	}
	const width = Math.max(...files.map(({ size }) => size.toLocaleString('en').length));
	const object = quoted(path.join(storage, dump.name));
	const secret = quoted(key.file);
	const passwords = path.join(folder, 'pgpass');
	fs.writeFileSync(passwords, `${shop.host}:${shop.port}:*:${shop.user}:${shop.password}\n`, { mode: 0o600 });
	const psql = `PGPASSFILE=${quoted(passwords)} psql -h ${shop.host} -p ${shop.port} -U ${shop.user} -v ON_ERROR_STOP=1`;
	const manifest = JSON.parse(fs.readFileSync(path.join(storage, path.dirname(dump.name), 'manifest.json'), 'utf8'));

	process.stdout.write(`
Stored in ${storage}:
${files.map(({ name, size }) => `  ${size.toLocaleString('en').padStart(width)} bytes  ${name}`).join('\n')}

Is it what was written? (prints ${manifest.object.stored.sha256.slice(0, 16)}…)
  sha256sum ${object}

Open it by hand, with no help from this package (Debian: apt-get install age zstd postgresql-client):
  age -d -i ${secret} ${object} | zstd -d | less

Restore it into a new database, next to the original:
  ${psql} -d postgres -c 'CREATE DATABASE shop_restored'
  age -d -i ${secret} ${object} | zstd -d | ${psql} -q -d shop_restored
  ${psql} -d shop_restored -c 'SELECT count(*) FROM shop.orders'

The key that opens it is in ${key.file}; n8n knows only the public half.

n8n:    ${n8n.url}/workflow/${workflow.id}
login:  ${login.email}
        ${login.password}

`);
}

/** @param {string} text as one word of a shell */
function quoted(text) {
	return /^[\w./=@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
