/** What the demo says in the end: what is stored where, how to restore it without n8n and without us, and where n8n is. */
import fs from 'node:fs';
import path from 'node:path';
import { filesBelow } from './folder.mjs';

/**
 * @typedef {object} Facts
 * @property {import('../lib/n8n.mjs').RunningN8n} n8n
 * @property {import('../lib/n8n-client.mjs').Login} login
 * @property {import('./workflows.mjs').WorkflowIds} workflows
 * @property {string} form address of the restore form
 * @property {string} page address of the page that shows the state of all backups
 * @property {{ user: string, password: string }} formLogin of both
 * @property {string} storage
 * @property {{ file: string }} key
 * @property {import('./database.mjs').Database} shop
 * @property {string} folder
 */

/**
 * @param {string} storage
 * @returns {string} the verified backup's folder in it
 * @throws Error when no verified backup is in the storage
 */
export function printStored(storage) {
	const files = filesBelow(storage);
	const evidence = files.findLast(({ name }) => /^postgres.shop.*-restored-ok\.json$/.test(name));
	const backup = path.dirname(evidence?.name ?? '');
	if (!evidence || !files.some(({ name }) => name === `${backup}/manifest.json`)) {
		throw new Error(`the workflow succeeded, but there is no backup with evidence in ${storage}`);
	}
	const stored = files.filter(({ name }) => name.startsWith(`${backup}/`));
	const width = Math.max(...stored.map(({ size }) => size.toLocaleString('en').length));
	process.stdout.write(`
Stored in ${storage}, of this backup:
${stored.map(({ name, size }) => `  ${size.toLocaleString('en').padStart(width)} bytes  ${name}`).join('\n')}
`);
	return backup;
}

/**
 * @param {Facts} facts
 * @param {string} backup its folder in the storage
 */
export function printGuide({ n8n, login, workflows, form, page, formLogin, storage, key, shop, folder }, backup) {
	const manifest = JSON.parse(fs.readFileSync(path.join(storage, backup, 'manifest.json'), 'utf8'));
	const dump = path.join(path.relative(folder, storage), backup, 'dump.sql.zst.age');
	writeProgram(path.join(folder, 'n8n-backup'), n8nPackage(folder));
	const passwords = `${shop.host}:${shop.port}:*:${shop.user}:${shop.password}\n`;
	fs.writeFileSync(path.join(folder, 'pgpass'), passwords, { mode: 0o600 });
	const place = `postgres/shop --storage "file://$PWD/${path.relative(folder, storage)}"`;
	const secret = path.relative(folder, key.file);

	process.stdout.write(`
To try it without n8n, in a shell:
  cd ${quoted(folder)}
  export PGHOST=${shop.host} PGPORT=${shop.port} PGUSER=${shop.user} PGPASSFILE="$PWD/pgpass"

Verify by restoring, and restore into a new database (elsewhere: npm install --omit=peer n8n-nodes-backup, then npx n8n-backup):
  ./n8n-backup verify ${place} --identity ${secret} --depth restored
  ./n8n-backup restore ${place} --identity ${secret} --to postgres://${shop.user}@${shop.host}:${shop.port}/shop_restored

The same by hand, with no help from this package (Debian: apt-get install age zstd postgresql-client):
  dump=${dump}
  sha256sum $dump   # ${manifest.parts[0].stored.sha256.slice(0, 16)}…, says the manifest
  age -d -i ${secret} $dump | zstd -d | less
  createdb shop_by_hand
  guarded() { printf '\\\\restrict %s\\n' "$(od -An -N32 -tx1 /dev/urandom | tr -d ' \\n')"; awk 'NR < 20 && /^\\\\restrict / { key = $2; next } key == "" || $0 != "\\\\unrestrict " key'; }
  age -d -i ${secret} $dump | zstd -d | guarded | psql -X -q -v ON_ERROR_STOP=1 -o /dev/null -d shop_by_hand
  psql -d shop_by_hand -c 'SELECT count(*) FROM shop.orders'

In the browser: ${n8n.url} as ${login.email}, password ${login.password}
  a key pair           ${n8n.url}/workflow/${workflows['new-key']}
  back up and verify   ${n8n.url}/workflow/${workflows['database-backup']}
  weekly drill         ${n8n.url}/workflow/${workflows['restore-drill']}
  what expires         ${n8n.url}/workflow/${workflows.retention}
  restore              ${n8n.url}/workflow/${workflows['restore-database']}
  restore form         ${form} as ${formLogin.user}, password ${formLogin.password}

Can each source be restored right now? The page that says so, with the same user and password as the form:
  ${page}

`);
}

/** Where n8n has installed this package. @param {string} folder */
function n8nPackage(folder) {
	return path.join(folder, 'n8n', '.n8n', 'nodes', 'node_modules', 'n8n-nodes-backup');
}

/**
 * The command line under a short name.
 * @param {string} file
 * @param {string} installed the package
 */
function writeProgram(file, installed) {
	const program = path.join(installed, 'dist', 'bin', 'n8n-backup.js');
	fs.writeFileSync(file, `#!/bin/sh\nexec ${quoted(process.execPath)} ${quoted(program)} "$@"\n`, { mode: 0o755 });
}

/** @param {string} text as one word of a shell */
function quoted(text) {
	return /^[\w./=@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
