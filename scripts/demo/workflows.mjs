/** What a user of n8n does with the templates: import them, choose credentials, run the backup, fill in the restore form. */
import { setTimeout as delay } from 'node:timers/promises';
import { openForm } from '../lib/n8n-form.mjs';
import { SOURCES } from './history.mjs';
import { readTemplate } from '../lib/n8n-template.mjs';

const FORM_MS = 60_000;

/** @typedef {import('../lib/n8n-client.mjs').N8nClient} N8nClient */
/** @typedef {import('../lib/n8n-client.mjs').CredentialReference} CredentialReference */
/** @typedef {Record<import('../lib/n8n-template.mjs').TemplateName, string>} WorkflowIds */

/**
 * @param {N8nClient} client
 * @param {Record<'shop' | 'storage' | 'key' | 'token' | 'formLogin', CredentialReference>} chosen
 * @returns {Promise<WorkflowIds>} those with the restore form and with the page are published, so that they can be opened
 */
export async function importTemplates(client, { shop, storage, key, token, formLogin }) {
	const credentials = {
		postgres: shop,
		backupStorageApi: storage,
		backupEncryptionApi: key,
		httpHeaderAuth: token,
		httpBasicAuth: formLogin,
	};
	const imported = async (
		/** @type {import('../lib/n8n-template.mjs').TemplateName} */ name,
		settings = {},
		/** @type {string[]} */ activate = [],
	) => await client.createWorkflow(readTemplate(name, { credentials, settings, activate }));
	const expected = SOURCES.map((source) => `${source} = 26`).join('\n');
	const ids = {
		// The shop's user may read the shop, and no other database of this server.
		'database-backup': await imported('database-backup', { databases: 'shop' }),
		'new-key': await imported('new-key'),
		'restore-drill': await imported('restore-drill'),
		retention: await imported('retention'),
		'restore-database': await imported('restore-database'),
		'backup-dashboard': await imported('backup-dashboard', { expected }, ['Open the Page']),
	};
	await client.publishWorkflow(ids['restore-database']);
	await client.publishWorkflow(ids['backup-dashboard']);
	return ids;
}

/**
 * Runs the workflow that backs up, and verifies by restoring.
 * @param {N8nClient} client
 * @param {string} id
 * @returns {Promise<string>} its report
 * @throws Error that says what failed
 */
export async function backUp(client, id) {
	const execution = await client.press(id, { timeoutMs: 300_000 });
	const report = execution.nodes['Make Report']?.at(-1)?.output[0]?.[0]?.json;
	if (execution.status !== 'success' || !report) {
		throw new Error(`the workflow ended with "${execution.status}":\n  ${execution.error?.message}`);
	}
	return String(report.text);
}

/**
 * Fills in the form of the restore workflow, as somebody in a browser does.
 * @param {string} url of the form
 * @param {{ user: string, password: string }} login
 * @param {{ group: string, database: string }} wanted the database is replaced
 * @returns {Promise<string>} what the last page says
 * @throws Error when the shop was not restored
 */
export async function restore(url, login, { group, database }) {
	await published(url);
	const form = await openForm(url, login);
	const databases = await form.submit({ 'Restore Into': 'Existing Database, Replacing It', Database: database });
	const field = 'Database That Was Backed Up';
	const chosen = databases.choices(field).find((choice) => choice.startsWith(`${group} `));
	if (!chosen) throw new Error(`the form offers no backup of ${group}: ${databases.text}`);
	const backups = await databases.submit({ [field]: chosen });
	const question = await backups.submit({ Backup: 'Newest' });
	const page = await question.submit({ 'Type the Name Again': database });
	if (!page.title.startsWith('Restored')) throw new Error(page.text);
	return page.text;
}

/** n8n publishes in the background. @param {string} url */
export async function published(url) {
	const deadline = Date.now() + FORM_MS;
	while ((await fetch(url)).status === 404) {
		if (Date.now() > deadline) throw new Error(`n8n does not show ${url}`);
		await delay(100);
	}
}
