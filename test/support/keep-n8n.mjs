/** Keeps one n8n for tests, with our nodes and an owner; its options are `{ database }`. */
import fs from 'node:fs';
import path from 'node:path';
import { installedPackage } from '../../scripts/lib/n8n-package.mjs';
import { N8nClient } from '../../scripts/lib/n8n-client.mjs';
import { startN8n } from '../../scripts/lib/n8n.mjs';
import { keep } from './keeper.mjs';

await keep(async ({ database }, folder) => {
	const files = path.join(folder, 'files');
	fs.mkdirSync(files);
	const home = path.join(folder, 'n8n');
	const server = await startN8n({ folder: home, database, nodes: await installedPackage(), files: [files] });
	const client = new N8nClient(server.url);
	const login = await client.setUpOwner();
	const told = { url: server.url, login, session: client.session, files, logFile: path.join(home, 'n8n.log') };
	return { server: told, stop: server.stop, kill: server.kill };
});
