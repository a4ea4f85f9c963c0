/** The past that the demo's page shows, and the page itself. */
import path from 'node:path';
import { ROOT } from '../lib/paths.mjs';
import { run } from '../lib/run.mjs';

const PAGE_MS = 60_000;

/** Sources of the demo, each backed up every night. */
export const SOURCES = ['postgres/shop', 'postgres/newsletter', 'files/invoices'];

/**
 * Makes backups of the last nights, as real as any, at times that have passed.
 * @param {object} facts
 * @param {string} facts.nodes where the package is installed, see `installedPackage`
 * @param {string} facts.folder for the files that are backed up
 * @param {string} facts.storage
 * @param {{ recipient: string, identity: string }} facts.key
 * @param {import('./database.mjs').Database} facts.shop
 */
export async function makeHistory({ nodes, folder, storage, key, shop }) {
	const installed = path.join(nodes, 'node_modules', 'n8n-nodes-backup', 'package.json');
	const input = JSON.stringify({ installed, storage, invoices: path.join(folder, 'invoices'), key, shop });
	await run(process.execPath, [path.join(ROOT, 'scripts', 'demo', 'past.mjs')], { quiet: true, input });
}

/**
 * What the page says first: whether all sources can be restored.
 * @param {string} url
 * @param {{ user: string, password: string }} login
 * @returns {Promise<string>}
 */
export async function readPage(url, { user, password }) {
	const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
	const response = await fetch(url, { headers: { authorization }, signal: AbortSignal.timeout(PAGE_MS) });
	const page = await response.text();
	const answer = /<h1>([^<]*)</.exec(page)?.[1];
	if (!response.ok || answer === undefined) throw new Error(`${url} answers ${response.status}: ${page.slice(0, 500)}`);
	return answer.trim();
}
