/**
 * npm run demo: a real n8n with this package in it and a real PostgreSQL 18 with a sample shop, on a machine that has
 * nothing but Node and npm. The shop is backed up, the backup is verified by restoring it, the shop's tables are dropped,
 * and a form brings them back. A page shows the state of this source and of two others, one of which has been failing for some
 * nights. Everything listens on 127.0.0.1 only and ends with Ctrl-C.
 *
 *   npm run demo              leaves n8n running, to look around in the browser
 *   npm run demo -- --once    ends after the restore; exit code 0 means that every row is back
 *   … --folder DIR            keeps everything there instead of in .demo
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { newDemoFolder } from './demo/folder.mjs';
import { createCredentials, createKey } from './demo/credentials.mjs';
import { sql, startDatabases, tablesOf } from './demo/database.mjs';
import { printGuide, printStored } from './demo/guide.mjs';
import { makeHistory, readPage } from './demo/history.mjs';
import { backUp, importTemplates, published, restore } from './demo/workflows.mjs';
import { cleanUp, cleanUpOnSignals, report } from './lib/cleanup.mjs';
import { N8nClient } from './lib/n8n-client.mjs';
import { installedPackage } from './lib/n8n-package.mjs';
import { installN8n, startN8n } from './lib/n8n.mjs';
import { underNode24 } from './lib/node24.mjs';
import { say, step } from './lib/progress.mjs';
import { installProject } from './lib/project.mjs';
import { isFree } from './lib/port.mjs';

/** n8n's own, so that a bookmark works; another one when it is taken. */
const USUAL_PORT = 5678;
const { values: options } = parseArgs({ options: { once: { type: 'boolean' }, folder: { type: 'string' } } });

cleanUpOnSignals();
try {
	await demo();
} catch (error) {
	report(error);
}
await cleanUp();

async function demo() {
	await underNode24();
	const folder = newDemoFolder(options.folder);
	await installProject();
	await installN8n();
	const nodes = await installedPackage();

	const { shop, n8n: database } = await step('start PostgreSQL 18, once for a sample shop and once for n8n', () =>
		startDatabases(path.join(folder, 'postgres')),
	);
	const storage = path.join(folder, 'backups');
	fs.mkdirSync(storage, { mode: 0o700 });
	const port = (await isFree(USUAL_PORT)) ? USUAL_PORT : undefined;
	const key = await createKey(path.join(folder, 'backup-key.txt'));
	const [n8n] = await Promise.all([
		step('start n8n with the package', () =>
			startN8n({
				...{ folder: path.join(folder, 'n8n'), database, nodes, port, files: [storage] },
				// In that of who looks: n8n's own default is New York.
				env: { GENERIC_TIMEZONE: Intl.DateTimeFormat().resolvedOptions().timeZone },
			}),
		),
		// Nobody shall take it for something that n8n has done.
		step('make a history for the demo: backups of the last 16 nights, by the same engine with its clock set back', () =>
			makeHistory({ nodes, folder, storage, key, shop }),
		),
	]);
	const client = new N8nClient(n8n.url);
	const login = await client.setUpOwner({ email: 'demo@example.com' });
	const formLogin = { user: 'demo', password: randomBytes(6).toString('hex') };
	const workflows = await importTemplates(client, await createCredentials(client, { shop, storage, key, formLogin }));
	const form = `${n8n.url}/form/restore-database`;
	const address = `${n8n.url}/webhook/backups`;

	const report = await step(
		'back up the shop, and verify the backup by restoring it (workflow "database-backup")',
		() => backUp(client, workflows['database-backup']),
	);
	say(`  ${report.replaceAll('\n', '\n         ')}`);
	const before = await tablesOf(shop);
	await step('an accident: drop all tables of the shop', () => sql(shop, 'DROP SCHEMA shop CASCADE'));
	const page = await step('restore the shop with the form of the workflow "restore-database"', () =>
		restore(form, formLogin, { group: `postgres/${shop.database}`, database: shop.database }),
	);
	assertSame(before, await tablesOf(shop));
	const rows = before.reduce((sum, table) => sum + table.rows, 0).toLocaleString('en');
	say(`  all ${before.length} tables and all ${rows} rows are back, in ${/took: ([\d.]+ s)/.exec(page)?.[1]}`);

	await published(address);
	say(`the page that shows the state of all backups says: ${await readPage(address, formLogin)}`);
	say('  the password of the newsletter was changed in its history, three nights ago, and nobody told its backup');
	const backup = printStored(storage);
	// What the guide names ends with this program.
	if (options.once) return say('Run it without --once to look around in n8n, and to restore the backup by hand.');
	printGuide({ n8n, login, workflows, form, page: address, formLogin, storage, key, shop, folder }, backup);
	say('n8n is running. Press Ctrl-C to stop it and PostgreSQL.');
	await n8n.ended;
	throw new Error(`n8n has ended by itself:\n${n8n.log().slice(-2000)}`);
}

/**
 * Compares without the help of this package.
 * @param {Awaited<ReturnType<typeof tablesOf>>} before
 * @param {Awaited<ReturnType<typeof tablesOf>>} after
 * @throws Error that names a table
 */
function assertSame(before, after) {
	const lost = before.find(
		({ name, digest }) => !after.some((table) => table.name === name && table.digest === digest),
	);
	if (lost) throw new Error(`the table ${lost.name} is not as it was`);
}
